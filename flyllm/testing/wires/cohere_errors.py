"""Errors of Cohere: status and documented message of each kind, and the refusal of a malformed request.

Statuses and messages: docs.cohere.com/reference/errors.
"""

from typing import Any

from flyllm.testing.wires import forms_native
from flyllm.testing.wires.base import BadRequest, ErrorKind, Json
from flyllm.testing.wires.efforts import check_cohere
from flyllm.testing.wires.message_parts import parts_of, says_something
from flyllm.testing.wires.reading import Fault, Rule, first_fault, type_of
from flyllm.testing.wires.tool_turns import check_chat

ERRORS = {
    ErrorKind.INVALID_REQUEST: (400, "invalid request"),
    ErrorKind.AUTHENTICATION: (401, "invalid api token"),
    ErrorKind.QUOTA: (
        402,
        "Please add or update your payment method at https://dashboard.cohere.com/billing?tab=payment to continue",
    ),
    ErrorKind.PERMISSION: (403, "your api token does not have the permissions that this operation needs"),
    ErrorKind.MODEL_NOT_FOUND: (
        404,
        "model 'unknown-model' not found, make sure the correct model ID was used and that you have access to the "
        "model.",
    ),
    ErrorKind.CONTEXT_LENGTH: (
        400,
        "too many tokens: size limit exceeded by 13295 tokens. Try using shorter or fewer inputs. "
        "The limit for this model is 256000 tokens.",
    ),
    ErrorKind.CONTENT_FILTER: (498, "your request was blocked because it contains a deny-listed token"),
    ErrorKind.RATE_LIMIT: (429, "You are past the per minute request limit, please wait and try again later."),
    ErrorKind.SERVER_ERROR: (500, "internal server error"),
    ErrorKind.OVERLOADED: (503, "service unavailable, please wait and try again later"),
}

_RULES = {
    "model": Rule("string"),
    "messages": Rule("array"),
    "stream": Rule("boolean"),
    "max_tokens": Rule("integer"),
    "temperature": Rule("number", 0, 1),
    "p": Rule("number", 0.01, 0.99),
    "k": Rule("integer", 0, 500),
    "seed": Rule("integer", 0),
    "stop_sequences": Rule("array"),
    "frequency_penalty": Rule("number", 0, 1),
    "presence_penalty": Rule("number", 0, 1),
    "tools": Rule("array"),
}
_MAX_TEXTS = 96
_CONTENTS = {
    "user": ("text", "image_url"),
    "assistant": ("text", "thinking"),
    "system": ("text",),
    "tool": ("text", "document"),
}


def check(body: Json) -> None:
    """Raise `BadRequest` where /v2/chat answers 400."""
    _require_model(body)
    if fault := first_fault(body, _RULES):
        raise BadRequest(_message(fault), fault.name)
    check_cohere(body)
    if not body.get("messages"):
        raise BadRequest("invalid request: list of messages must not be empty", "messages")
    for message in body["messages"]:
        _check_message(message)
    _check_results(body["messages"])
    forms_native.check_cohere(body)


def texts_to_embed(body: Json) -> tuple[str, ...]:
    """Return the texts of an /v2/embed request; raise `BadRequest` where Cohere answers 400."""
    _require_model(body)
    texts = body.get("texts")
    if not texts:
        raise BadRequest("invalid request: at least one text must be provided", "texts")
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise BadRequest("invalid type: parameter texts should be an array of strings.", "texts")
    if len(texts) > _MAX_TEXTS:
        limit = f"total number of texts must be at most {_MAX_TEXTS} - received {len(texts)}"
        raise BadRequest(f"invalid request: {limit}. Try using up to {_MAX_TEXTS} texts.", "texts")
    if not body.get("input_type"):
        raise BadRequest("invalid request: valid input_type must be provided with the provided model", "input_type")
    if fault := first_fault(body, {"output_dimension": Rule("integer", 1)}):
        raise BadRequest(_message(fault), fault.name)
    return tuple(texts)


def _require_model(body: Json) -> None:
    if not body.get("model"):
        raise BadRequest("a model parameter is required for this endpoint.", "model")


def _message(fault: Fault) -> str:
    rule, name = fault.rule, fault.name
    if fault.reason == "type":
        given = type_of(fault.value)
        return f"invalid type: parameter {name} is of type {given} but should be of type {rule.kind}."
    if rule.high is None:
        return f"invalid request: {name} must be at least {rule.low:g}."
    return f"invalid request: {name} must be between {rule.low:g} and {rule.high:g} inclusive."


def _check_message(message: Any) -> None:
    if not isinstance(message, dict):
        raise BadRequest(f"invalid type: parameter messages contains an element of type {type_of(message)}.")
    role = message.get("role")
    if role not in ("user", "assistant", "system", "tool"):
        roles = "'user', 'assistant', 'system', or 'tool'"
        raise BadRequest(f"invalid request: role must be one of {roles}, got '{role}'.", "messages")
    if role == "tool" and not message.get("tool_call_id"):
        raise BadRequest("tool call id must be provided with tool message", "messages")
    if not says_something(message) and not message.get("tool_calls") and not message.get("tool_plan"):
        raise BadRequest("message must not be empty in a turn", "messages")
    for _, part in parts_of(0, message):
        if part.get("type") not in _CONTENTS[role]:  # in words of ours
            known = " or ".join(_CONTENTS[role])
            raise BadRequest(f"invalid request: content of role {role} must be {known}, got '{part.get('type')}'.")


def _check_results(messages: list[Json]) -> None:
    # As reported in issue 10 of oracle/langchain-oracle.
    try:
        check_chat(messages, longest=None)
    except BadRequest as refused:
        raise BadRequest(f"invalid request: {refused.message}", "messages") from None
