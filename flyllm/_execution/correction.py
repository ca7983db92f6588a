"""What a model is told of an answer that is not of the form wanted."""

from collections.abc import Mapping
from typing import Any

from flyllm.errors import InvalidOutputError


def correction(error: InvalidOutputError) -> list[Mapping[str, Any]]:
    """Return the messages that go behind the conversation: the answer as it was, and what is wrong with it."""
    said = error.answer.content if error.answer is not None else ""
    faults = "\n".join(f"- {fault}" for fault in error.faults)
    told = f"This is not of the form that was asked for:\n{faults}\nAnswer with the corrected JSON and nothing else."
    wrong = [{"role": "assistant", "content": said}] if said.strip() else []
    return [*wrong, {"role": "user", "content": told}]
