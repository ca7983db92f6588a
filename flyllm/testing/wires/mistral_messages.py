"""What Mistral refuses in the order and contents of messages, in its own words.

Source: github.com/mistralai/mistral-common, protocol/instruct/validator.py (2026); issues 8685 of OpenHands/OpenHands
and 17761 of BerriAI/litellm for what its server answers.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from flyllm.testing.wires.base import BadRequest, Json

_MAY_FOLLOW = {
    "system": ("user", "assistant", "system"),
    "user": ("assistant", "system", "user"),
    "assistant": ("assistant", "user", "tool"),
    "tool": ("assistant", "tool"),
}


def check_order(messages: Sequence[Json]) -> None:
    """Raise `BadRequest` where the order of messages, or one that says nothing, is refused."""
    _check_neighbours([message["role"] for message in messages])
    _check_results(messages)
    for number, message in enumerate(messages):
        if message["role"] == "assistant":
            _check_assistant(message, last=number == len(messages) - 1)
    last = messages[-1]
    if len(messages) > 1 and (last["role"] == "system" or (last["role"] == "assistant" and not last.get("prefix"))):
        expected = "Expected last role User or Tool (or Assistant with prefix True) for serving"
        raise BadRequest(f"{expected} but got {last['role']}")
    if len(messages) == 1 and last["role"] not in ("user", "system"):
        raise BadRequest("Conversation must start with a user message or system message")


def _check_neighbours(roles: Sequence[str]) -> None:
    for before, role in pairwise(roles):
        if role not in _MAY_FOLLOW[before]:
            raise BadRequest(f"Unexpected role '{role}' after role '{before}'")


def _check_results(messages: Sequence[Json]) -> None:
    missing = 0
    for message in messages:
        if message["role"] == "tool":
            missing -= 1
        elif message["role"] == "assistant":
            if missing:
                raise BadRequest("Not the same number of function calls and responses")
            missing = len(message.get("tool_calls") or ())
    if missing:
        raise BadRequest("Not the same number of function calls and responses")


def _check_assistant(message: Json, *, last: bool) -> None:
    if not _says(message.get("content")) and not message.get("tool_calls"):
        raise BadRequest("Assistant message must have either content or tool_calls, but not none.")
    if message.get("prefix") and not last:
        raise BadRequest("Assistant message with prefix True must be last message")


def _says(content: Any) -> bool:
    if isinstance(content, list):
        return any(part.get("type") != "text" or part.get("text") for part in content)
    return bool(content)
