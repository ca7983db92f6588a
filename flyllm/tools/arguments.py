"""The arguments of a function by its signature: their JSON schema, and a model's JSON made into what is passed.

The only file that needs pydantic; it is imported when a function is first given as a tool.
"""

from collections.abc import Mapping, Sequence
from inspect import Parameter
from typing import Any

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError, create_model
from pydantic.fields import FieldInfo
from pydantic.json_schema import GenerateJsonSchema

from flyllm.errors import ConfigError
from flyllm.tools.inlining import inlined
from flyllm.tools.passing import BadArguments, Passed


class SignatureArguments:
    """What a function with these parameters may be called with. Raises `ConfigError` for one no schema can tell."""

    def __init__(self, function: str, parameters: Sequence[Parameter], descriptions: Mapping[str, str]) -> None:
        # Not by their own names, of which some mean something to pydantic ("copy", "_x", "model_config").
        self._fields = {f"field_{n}": parameter for n, parameter in enumerate(parameters)}
        fields: Any = {
            field: (parameter.annotation, _field(parameter, descriptions.get(parameter.name)))
            for field, parameter in self._fields.items()
        }
        config = ConfigDict(extra="forbid")
        try:
            self._model = create_model(function, __config__=config, **fields)
            schema = self._model.model_json_schema(schema_generator=_Schema)
        except Exception as exc:  # pydantic has many kinds of it, and annotations may raise what they like
            raise ConfigError(_why(function, parameters, exc)) from None
        self.schema = inlined(schema)

    def read(self, text: str) -> Passed:
        """Return what `text` passes to the function. Raises `BadArguments` that tells a model what is wrong."""
        try:
            given = self._model.model_validate_json(text.strip() or "{}")
        except ValidationError as exc:
            raise BadArguments("; ".join(_told(error) for error in exc.errors(include_url=False))) from None
        except UnicodeEncodeError:
            raise BadArguments("they hold a lone surrogate, which has no encoding") from None
        named = {p.name: getattr(given, field) for field, p in self._fields.items() if field in given.model_fields_set}
        ahead = [p for p in self._fields.values() if p.kind is Parameter.POSITIONAL_ONLY]
        return Passed(tuple(named.pop(p.name, p.default) for p in ahead), named)


def _field(parameter: Parameter, description: str | None) -> Any:
    name, default = parameter.name, ... if parameter.default is Parameter.empty else parameter.default
    own = FieldInfo.from_annotation(parameter.annotation).description  # of Annotated[..., Field(description=)]
    return Field(default, alias=name, validation_alias=name, description=own or description)


def _told(error: Any) -> str:
    where = ".".join(map(str, error["loc"]))
    return f"{where}: {error['msg']}" if where else str(error["msg"])


def _why(function: str, parameters: Sequence[Parameter], exc: Exception) -> str:
    for parameter in parameters:
        try:
            TypeAdapter(parameter.annotation).json_schema()
        except Exception as found:
            reason = str(found).partition("\n")[0]
            return f"parameter {parameter.name!r} of the function {function!r} has no JSON schema: {reason}"
    return f"the parameters of the function {function!r} have no JSON schema: {str(exc).partition(chr(10))[0]}"


class _Schema(GenerateJsonSchema):
    # A default that has no JSON form is left out.
    ignored_warning_kinds = frozenset({"skipped-choice", "non-serializable-default"})  # type: ignore[assignment]

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False
