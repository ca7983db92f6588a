"""Forms that are JSON schemas: the jsonschema package holds answers against them."""

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from jsonschema.exceptions import SchemaError, ValidationError  # type: ignore[import-untyped]
from jsonschema.validators import validator_for  # type: ignore[import-untyped]
from referencing import Registry
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT202012

from flyllm.errors import ConfigError
from flyllm.structured.form import Mismatch
from flyllm.structured.plain_json import read_json
from flyllm.structured.typed import FAULTS

LONGEST = 200
"""Characters of one fault: a value that does not fit may be long."""


class SchemaReader:
    """Reads answers as JSON that `schema` allows. Raises ConfigError where it is no JSON schema."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        kind = validator_for(schema)
        try:
            kind.check_schema(schema)
        except SchemaError as exc:
            raise ConfigError(f"response_format is no JSON schema: {exc.json_path}: {exc.message:.200}") from None
        _check_references(schema)
        # With a registry of its own: the package's default one fetches what a reference names from the network.
        self._validator = kind(schema, registry=Registry())

    def __call__(self, text: str) -> Any:
        """Return the value in `text`; raise `Mismatch`."""
        value = read_json(text)
        faults = tuple(map(_told, islice(self._validator.iter_errors(value), FAULTS)))
        if faults:
            raise Mismatch(*faults)
        return value


def _check_references(schema: Mapping[str, Any]) -> None:
    resolver = Registry().with_resource("", DRAFT202012.create_resource(schema)).resolver()
    for reference in _references(schema):
        try:
            resolver.lookup(reference)
        except Unresolvable:
            raise ConfigError(f"response_format: its schema refers to {reference!r}, which it does not have") from None


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        if isinstance(reference := value.get("$ref"), str):
            yield reference
        for inner in value.values():
            yield from _references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _references(inner)


def _told(fault: ValidationError) -> str:
    message = fault.message if len(fault.message) <= LONGEST else fault.message[:LONGEST] + "…"
    return f"{fault.json_path.removeprefix('$').removeprefix('.') or 'the answer'}: {message}"
