"""JSON schemas as a provider takes them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple


@dataclass(frozen=True, slots=True)
class SchemaDialect:
    """What a provider takes of a JSON schema for answers."""


class Adapted(NamedTuple):
    """A `response_format` in the chat-completions shape for one provider, and what had to be changed for it."""

    response_format: Mapping[str, Any]
    changes: tuple[str, ...]


def adapted(response_format: Mapping[str, Any], dialect: SchemaDialect | None, model: str) -> Adapted:
    """Return `response_format` as a provider of this `dialect` takes it for `model`; unchanged where it is None."""
    return Adapted(response_format, ())
