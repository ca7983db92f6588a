"""Errors of Mistral: bodies of each kind, and what its strict validation refuses.

Statuses: docs.mistral.ai/resources/error-glossary; types, codes and messages as the API sends them in 2026. A 422
wraps the list of faults, which its OpenAPI description shows bare, into the error object.
"""

from typing import Any, NamedTuple

from flyllm.testing.wires import forms_native
from flyllm.testing.wires.base import BadRequest, ErrorKind, Json
from flyllm.testing.wires.efforts import check_mistral
from flyllm.testing.wires.mistral_messages import check_order
from flyllm.testing.wires.reading import Rule, first_fault, pydantic_message


class ErrorRow(NamedTuple):
    """How Mistral reports one kind of error."""

    status: int
    type: str
    code: str | None
    message: str


_INVALID = "invalid_request_error"

ERRORS = {
    ErrorKind.INVALID_REQUEST: ErrorRow(400, _INVALID, None, "Invalid request"),
    ErrorKind.AUTHENTICATION: ErrorRow(401, "", None, "Unauthorized"),
    ErrorKind.QUOTA: ErrorRow(402, "payment_required", None, "Payment required: check your subscription and limits."),
    ErrorKind.PERMISSION: ErrorRow(403, "forbidden", None, "You do not have access to this resource."),
    ErrorKind.MODEL_NOT_FOUND: ErrorRow(400, "invalid_model", "1500", "Invalid model: unknown-model"),
    ErrorKind.CONTEXT_LENGTH: ErrorRow(
        400,
        "invalid_request_invalid_args",
        "3051",
        "Prompt contains 131073 tokens and 0 draft tokens, too large for model with 131072 maximum context length",
    ),
    # What a guardrail blocks is answered 403 (GuardrailConfig in the OpenAPI description).
    ErrorKind.CONTENT_FILTER: ErrorRow(403, _INVALID, None, "Request blocked by moderation guardrail"),
    ErrorKind.RATE_LIMIT: ErrorRow(429, "rate_limited", "1300", "Rate limit exceeded"),
    ErrorKind.SERVER_ERROR: ErrorRow(500, "internal_server_error", "1000", "Service unavailable."),
    ErrorKind.OVERLOADED: ErrorRow(503, "internal_server_error", "3800", "Service unavailable."),
}
# Refusals beyond the schema carry a type and code of their own; told by how their message starts.
_SPECIAL = {
    "Expected last role": ("invalid_request_message_order", "3230"),
    "Unexpected role": ("invalid_request_message_order", "3230"),
    "Not the same number": ("invalid_request_message_order", "3230"),
    "Too many": ("invalid_request_prompt", "3210"),
    "Tool call id was": ("invalid_function_call", "3280"),
}


def error_body(kind: ErrorKind, message: str | None, param: str | None) -> tuple[int, Json]:
    """Return status and body; a `param` makes it the 422 of a request that breaks the schema."""
    row = ERRORS[kind]
    text = message or row.message
    if kind is ErrorKind.AUTHENTICATION:
        return row.status, {"detail": text}
    if kind is ErrorKind.INVALID_REQUEST and param:
        return 422, _error({"detail": [_violation(param, text)]}, _INVALID, None, 422)
    special = next((special for start, special in _SPECIAL.items() if text.startswith(start)), (row.type, row.code))
    return row.status, _error(text, *special, row.status)


def _error(message: Any, kind: str, code: str | None, status: int) -> Json:
    body = {"object": "error", "message": message, "type": kind, "param": None}
    return {**body, "code": code, "raw_status_code": status}


def _violation(param: str, message: str) -> Json:
    loc = [int(step) if step.isdigit() else step for step in param.split(".")]
    return {"type": _violation_type(message), "loc": ["body", *loc], "msg": message}


def _violation_type(message: str) -> str:
    return next((kind for start, kind in _VIOLATIONS.items() if message.startswith(start)), "value_error")


_VIOLATIONS = {
    "Field required": "missing",
    "Extra inputs": "extra_forbidden",
    "Input should be a valid string": "string_type",
    "Input should be a valid number": "float_type",
    "Input should be a valid integer": "int_type",
    "Input should be a valid boolean": "bool_type",
    "Input should be a valid list": "list_type",
    "Input should be a valid dictionary": "dict_type",
    "Input should be greater": "greater_than_equal",
    "Input should be less": "less_than_equal",
    "Input tag": "union_tag_invalid",
    "List should have at least": "too_short",
}


_RULES = {
    "model": Rule("string"),
    "messages": Rule("array"),
    "temperature": Rule("number", 0, 1.5),
    "top_p": Rule("number", 0, 1),
    "max_tokens": Rule("integer", 0),
    "random_seed": Rule("integer", 0),
    "n": Rule("integer", 1),
    "presence_penalty": Rule("number", -2, 2),
    "frequency_penalty": Rule("number", -2, 2),
    "stop": Rule("string|array"),
    "stream": Rule("boolean"),
    "tools": Rule("array"),
}
# The schema is closed (additionalProperties: false): every other name is refused.
_KNOWN = frozenset(_RULES) | {
    "guardrails",
    "logprobs",
    "metadata",
    "min_tokens",
    "parallel_tool_calls",
    "prediction",
    "prompt_cache_key",
    "prompt_logprobs",
    "prompt_mode",
    "reasoning_effort",
    "repetition_penalty",
    "response_format",
    "safe_prompt",
    "service_tier",
    "tool_choice",
    "top_k",
    "top_logprobs",
    "top_prompt_logprobs",
}
_MESSAGE_FIELDS = {
    "system": {"role", "content"},
    "user": {"role", "content"},
    "assistant": {"role", "content", "tool_calls", "prefix"},
    "tool": {"role", "content", "tool_call_id", "name"},
}


def check(body: Json) -> None:
    """Raise `BadRequest` where the chat endpoint answers 400 or 422."""
    require(body, "model", "messages")
    for name in body:
        if name not in _KNOWN:
            raise BadRequest("Extra inputs are not permitted", name)
    if fault := first_fault(body, _RULES):
        raise BadRequest(pydantic_message(fault), fault.name)
    check_mistral(body)
    forms_native.check_mistral(body)
    if not body["messages"]:
        raise BadRequest("Conversation must have at least one message")
    for index, message in enumerate(body["messages"]):
        _check_message(f"messages.{index}", message)
    check_order(body["messages"])


def require(body: Json, *names: str) -> None:
    """Raise `BadRequest` for the first of `names` that is missing."""
    for name in names:
        if body.get(name) is None:
            raise BadRequest("Field required", name)


def _check_message(where: str, message: Any) -> None:
    if not isinstance(message, dict):
        raise BadRequest("Input should be a valid dictionary", where)
    role = message.get("role")
    if role not in _MESSAGE_FIELDS:
        tags = "'assistant', 'system', 'tool', 'user'"
        raise BadRequest(
            f"Input tag '{role}' found using 'role' does not match any of the expected tags: {tags}", where
        )
    for name in message:
        if name not in _MESSAGE_FIELDS[role]:
            raise BadRequest("Extra inputs are not permitted", f"{where}.{name}")
    if "content" not in message and role != "assistant":
        raise BadRequest("Field required", f"{where}.content")
    for call in message.get("tool_calls") or ():
        _check_tool_call_id(call.get("id"))


def _check_tool_call_id(call_id: Any) -> None:
    if not (isinstance(call_id, str) and len(call_id) == 9 and call_id.isascii() and call_id.isalnum()):
        raise BadRequest(f"Tool call id was {call_id} but must be a-z, A-Z, 0-9, with a length of 9.")
