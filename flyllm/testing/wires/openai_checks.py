"""What OpenAI checks in a request before it answers, in its own words and codes."""

from collections.abc import Mapping
from typing import Any

from flyllm.testing.wires.base import BadRequest, Json
from flyllm.testing.wires.reading import Fault, Rule, first_fault, is_a, type_of

_RULES: Mapping[str, Rule] = {
    "temperature": Rule("number", 0, 2),
    "top_p": Rule("number", 0, 1),
    "presence_penalty": Rule("number", -2, 2),
    "frequency_penalty": Rule("number", -2, 2),
    "max_tokens": Rule("integer", 1),
    "max_completion_tokens": Rule("integer", 1),
    "max_output_tokens": Rule("integer", 1),
    "n": Rule("integer", 1, 128),
    "seed": Rule("integer"),
    "stop": Rule("string|array"),
    "stream": Rule("boolean"),
    "tools": Rule("array"),
}
_WORDS = {
    "string": "a string",
    "boolean": "a boolean",
    "integer": "an integer",
    "number": "a decimal",
    "array": "an array of objects",
    "object": "an object",
    "null": "null",
}
_CODES = {
    "Missing required parameter": "missing_required_parameter",
    "Invalid type": "invalid_type",
    "decimal below": "decimal_below_min_value",
    "decimal above": "decimal_above_max_value",
    "integer below": "integer_below_min_value",
    "integer above": "integer_above_max_value",
    "empty array": "empty_array",
    "Invalid value": "invalid_value",
    "Unsupported parameter": "unsupported_parameter",
}


def required(body: Json, name: str, kind: str = "string") -> Any:
    """Return field `name` of a request; raise `BadRequest` where it is missing, empty or of another type."""
    value = body.get(name)
    if value is None:
        if name == "model":
            raise BadRequest("you must provide a model parameter")
        raise BadRequest(f"Missing required parameter: '{name}'.", name)
    if not is_a(value, kind):
        raise BadRequest(_wrong_type(name, kind, value), name)
    if value == []:
        message = f"Invalid '{name}': empty array. Expected an array with minimum length 1, but got an empty array"
        raise BadRequest(f"{message} instead.", name)
    return value


def check(body: Json) -> None:
    """Raise `BadRequest` for the first parameter of a wrong type or out of its range."""
    fault = first_fault(body, _RULES)
    if fault is not None:
        raise BadRequest(_message(fault), fault.name)
    for number, message in enumerate(body.get("messages") or ()):
        place = f"messages[{number}]"
        if not isinstance(message, dict):
            raise BadRequest(_wrong_type(place, "object", message), place)
        if not isinstance(message.get("role"), str):
            raise BadRequest(f"Missing required parameter: '{place}.role'.", f"{place}.role")


def code_of(message: str) -> str | None:
    """Return the error code that belongs to a message of this file, None for others."""
    return next((code for part, code in _CODES.items() if part in message), None)


def _message(fault: Fault) -> str:
    kind = fault.rule.kind.partition("|")[0]
    if fault.reason == "type":
        return _wrong_type(fault.name, kind, fault.value)
    word = "integer" if kind == "integer" else "decimal"
    side, sign, bound = (
        ("below minimum", ">=", fault.rule.low) if fault.reason == "low" else ("above maximum", "<=", fault.rule.high)
    )
    limit = f"Expected a value {sign} {bound:g}, but got {fault.value} instead."
    return f"Invalid '{fault.name}': {word} {side} value. {limit}"


def _wrong_type(name: str, kind: str, value: Any) -> str:
    return f"Invalid type for '{name}': expected {_WORDS[kind]}, but got {_WORDS[type_of(value)]} instead."
