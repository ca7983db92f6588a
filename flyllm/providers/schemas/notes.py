"""What a model and a user are told of a schema that had to be changed."""

import json
from collections.abc import Mapping
from typing import Any

from flyllm.providers.schemas.words import Node


class Notes:
    """Collects the changes that users are told of, each once."""

    def __init__(self) -> None:
        self.changes: dict[str, None] = {}

    def change(self, text: str) -> None:
        """Note a change."""
        self.changes[text] = None

    def left_out(self, word: str, where: str) -> None:
        """Note a keyword that only the description has now."""
        self.change(f"{word} of {where}: said in the description")

    @staticmethod
    def described(node: Node, told: Mapping[str, Any]) -> Node:
        """Return a schema whose description says what is in `told`, as Anthropic's own SDK writes it."""
        if not told:
            return node
        listed = ", ".join(f"{word}: {_json(value)}" for word, value in told.items())
        before = node.get("description")
        return {**node, "description": f"{before}\n\n{{{listed}}}" if before else f"{{{listed}}}"}


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)
