"""Forms that are Python types: pydantic makes their schemas and reads their values."""

from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic.json_schema import GenerateJsonSchema

from flyllm.errors import ConfigError
from flyllm.structured.form import Mismatch
from flyllm.structured.plain_json import unfenced

FAULTS = 10
"""Of an answer's faults so many are named: a model needs no more to see what it got wrong."""


class TypedReader:
    """Reads answers as values of `kind`: a pydantic model, dataclass, TypedDict or the like. Raises ConfigError."""

    def __init__(self, kind: Any) -> None:
        name = getattr(kind, "__name__", None) or repr(kind)
        try:
            self._adapter: TypeAdapter[Any] = TypeAdapter(kind)
            self.schema = _of_object(self._adapter.json_schema(schema_generator=_Schema))
        except Exception as exc:  # pydantic has many kinds of it, and annotations may raise what they like
            raise ConfigError(f"response_format: {name:.80} has no JSON schema: {_first_line(exc)}") from None
        if self.schema.get("type") != "object":
            raise ConfigError(
                f"response_format: {name:.80} is no JSON object, which most providers want: make it a model's field"
            )
        self.schema.setdefault("title", name)

    def __call__(self, text: str) -> Any:
        """Return the value in `text`; raise `Mismatch`."""
        if not text.strip():
            raise Mismatch("the answer is empty, JSON was wanted")
        try:
            return self._adapter.validate_json(unfenced(text))
        except ValidationError as exc:
            errors = exc.errors(include_url=False, include_context=False, include_input=False)
        except Exception as exc:  # a validator of the user's; the answer must not be lost for it
            raise Mismatch(f"reading the answer raised {type(exc).__name__}: {exc}") from exc
        raise Mismatch(*(_told(tuple(error["loc"]), error["msg"]) for error in errors[:FAULTS]))


class _Schema(GenerateJsonSchema):
    # A default that has no JSON form is left out.
    ignored_warning_kinds = frozenset({"skipped-choice", "non-serializable-default"})  # type: ignore[assignment]


def _of_object(schema: dict[str, Any]) -> dict[str, Any]:
    # A recursive model's is but a reference at first, which no provider takes there.
    name = str(schema.get("$ref", "")).removeprefix("#/$defs/")
    return {**schema["$defs"][name], "$defs": schema["$defs"]} if name else schema


def _told(place: tuple[int | str, ...], message: str) -> str:
    where = ".".join(map(str, place))
    return f"{where}: {message}" if where else message


def _first_line(exc: Exception) -> str:
    return str(exc).partition("\n")[0]
