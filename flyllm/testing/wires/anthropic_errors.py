"""Errors of Anthropic: status, type and usual message of each kind, and the refusal of a malformed request.

Statuses and types: platform.claude.com/docs/en/api/errors; messages as the API sends them in 2026.
"""

import re
from typing import Any, NamedTuple

from flyllm.testing.wires import forms_anthropic
from flyllm.testing.wires.anthropic_contents import check_contents
from flyllm.testing.wires.base import BadRequest, ErrorKind, Json
from flyllm.testing.wires.efforts import check_anthropic
from flyllm.testing.wires.reading import Rule, first_fault, pydantic_message
from flyllm.testing.wires.tool_turns import check_blocks


class ErrorRow(NamedTuple):
    """How Anthropic reports one kind of error."""

    status: int
    type: str
    message: str


_INVALID = "invalid_request_error"

ERRORS = {
    ErrorKind.INVALID_REQUEST: ErrorRow(400, _INVALID, "Invalid request"),
    ErrorKind.AUTHENTICATION: ErrorRow(401, "authentication_error", "invalid x-api-key"),
    ErrorKind.QUOTA: ErrorRow(
        400,
        _INVALID,
        "Your credit balance is too low to access the Anthropic API. "
        "Please go to Plans & Billing to upgrade or purchase credits.",
    ),
    ErrorKind.PERMISSION: ErrorRow(
        403, "permission_error", "Your API key does not have permission to use the specified resource."
    ),
    ErrorKind.MODEL_NOT_FOUND: ErrorRow(404, "not_found_error", "model: unknown-model"),
    ErrorKind.CONTEXT_LENGTH: ErrorRow(400, _INVALID, "prompt is too long: 200001 tokens > 200000 maximum"),
    ErrorKind.CONTENT_FILTER: ErrorRow(400, _INVALID, "Output blocked by content filtering policy"),
    ErrorKind.RATE_LIMIT: ErrorRow(
        429,
        "rate_limit_error",
        "This request would exceed your organization's rate limit of 50 requests per minute. For details, refer "
        "to: https://docs.claude.com/en/api/rate-limits. You can see the response headers for current usage.",
    ),
    ErrorKind.SERVER_ERROR: ErrorRow(500, "api_error", "Internal server error"),
    ErrorKind.OVERLOADED: ErrorRow(529, "overloaded_error", "Overloaded"),
}

_RULES = {
    "model": Rule("string"),
    "messages": Rule("array"),
    "max_tokens": Rule("integer", 0),
    "temperature": Rule("number", 0, 1),
    "top_p": Rule("number", 0, 1),
    "top_k": Rule("integer", 0),
    "stop_sequences": Rule("array"),
    "stream": Rule("boolean"),
    "system": Rule("string|array"),
    "tools": Rule("array"),
}
# Other providers' parameters that are easily sent here by mistake. A complete list of the allowed ones would
# refuse what Anthropic adds after this was written.
_FOREIGN = (
    "frequency_penalty",
    "logit_bias",
    "max_completion_tokens",
    "n",
    "presence_penalty",
    "response_format",
    "seed",
    "stop",
    "stream_options",
)


# "What's new in Claude 4.6": prefilling ends with 4.6 and stays ended.
_REFUSES_PREFILL = re.compile(r"^claude-[a-z]+-(4-[6-9]|[5-9])(?![0-9])")


def check(body: Json) -> None:
    """Raise `BadRequest` where the Messages API answers 400."""
    for name in ("model", "messages", "max_tokens"):
        if body.get(name) is None:
            raise BadRequest(f"{name}: Field required", name)
    if fault := first_fault(body, _RULES):
        raise BadRequest(f"{fault.name}: {pydantic_message(fault)}", fault.name)
    for name in _FOREIGN:
        if name in body:
            raise BadRequest(f"{name}: Extra inputs are not permitted", name)
    check_anthropic(body)
    if not body["messages"]:
        raise BadRequest("messages: at least one message is required", "messages")
    for index, message in enumerate(body["messages"]):
        _check_message(f"messages.{index}", message)
    check_contents(body)
    check_blocks(body["messages"])
    forms_anthropic.check_output(body)
    if body["messages"][-1]["role"] == "assistant":
        _check_prefill(body["model"], body["messages"][-1]["content"])


def _check_prefill(model: str, content: Any) -> None:
    if _REFUSES_PREFILL.search(model):
        ends = "The conversation must end with a user message."
        raise BadRequest(f"This model does not support assistant message prefill. {ends}", "messages")
    text = content if isinstance(content, str) else content[-1].get("text") if content else None
    if isinstance(text, str) and text != text.rstrip():
        raise BadRequest("messages: final assistant content cannot end with trailing whitespace", "messages")


def _check_message(where: str, message: Any) -> None:
    if not isinstance(message, dict):
        raise BadRequest(f"{where}: Input should be a valid dictionary", where)
    for name in ("role", "content"):
        if message.get(name) is None:
            raise BadRequest(f"{where}.{name}: Field required", f"{where}.{name}")
    _check_role(message["role"])
    content = message["content"]
    if not isinstance(content, str | list):
        raise BadRequest(f"{where}.content: Input should be a valid list", f"{where}.content")
    if message["role"] == "user" and not content:
        raise BadRequest(f"{where}: user messages must have non-empty content", where)


def _check_role(role: Any) -> None:
    if role == "system":
        hint = 'The Messages API accepts a top-level `system` parameter, not "system" as an input message role.'
        raise BadRequest(f'messages: Unexpected role "system". {hint}', "messages")
    if role not in ("user", "assistant"):
        raise BadRequest(f'messages: Unexpected role "{role}". Allowed roles are "user" or "assistant"', "messages")
