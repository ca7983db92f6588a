"""The form of an answer: what a provider is told of it, and how the answer is read."""

from collections.abc import Callable, Mapping
from typing import Any


class Mismatch(Exception):  # noqa: N818 - what it says becomes an InvalidOutputError
    """The answer is not of its form; `faults` are sentences that a model understands."""

    def __init__(self, *faults: str) -> None:
        super().__init__("; ".join(faults))
        self.faults = faults


Reader = Callable[[str], Any]
"""Returns the value in an answer's text; raises `Mismatch`."""


class Form:
    """What answers must look like. Immutable, and equal only to itself.

    Attributes:
        response_format: it in the chat-completions shape.
        read: returns the value in an answer's text, or raises `Mismatch`; None where any text will do.
    """

    __slots__ = ("read", "response_format")

    def __init__(self, response_format: Mapping[str, Any], read: Reader | None) -> None:
        self.response_format, self.read = response_format, read

    @property
    def kind(self) -> Any:
        """The type of the `response_format`: "json_schema", "json_object", or another one of a provider's."""
        return self.response_format.get("type")
