"""Errors of Google's Gemini API: google.rpc.Status with the details that ai.google.dev/gemini-api documents."""

import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from flyllm.testing.wires import forms_native
from flyllm.testing.wires.base import BadRequest, ErrorKind, Json
from flyllm.testing.wires.google_contents import check_part
from flyllm.testing.wires.reading import Fault, Rule, first_fault, is_a, text_of


class ErrorRow(NamedTuple):
    """How Google reports one kind of error."""

    code: int
    status: str
    message: str


_QUOTA_METRIC = "generativelanguage.googleapis.com/generate_content_free_tier_requests"
_RATE_LIMITS = "https://ai.google.dev/gemini-api/docs/rate-limits"
_BAD_KEY = "API key not valid. Please pass a valid API key."

ERRORS = {
    ErrorKind.INVALID_REQUEST: ErrorRow(400, "INVALID_ARGUMENT", "Request contains an invalid argument."),
    ErrorKind.AUTHENTICATION: ErrorRow(400, "INVALID_ARGUMENT", _BAD_KEY),
    # 402 since 2026 (discuss.ai.google.dev/t/183654); it was 429 before.
    ErrorKind.QUOTA: ErrorRow(
        402,
        "RESOURCE_EXHAUSTED",
        "Your prepayment credits are depleted. Please go to AI Studio at https://ai.studio/projects to manage "
        "your project and billing. Learn more at https://ai.google.dev/gemini-api/docs/billing#prepay.",
    ),
    ErrorKind.PERMISSION: ErrorRow(403, "PERMISSION_DENIED", "The caller does not have permission"),
    ErrorKind.MODEL_NOT_FOUND: ErrorRow(
        404,
        "NOT_FOUND",
        "models/unknown-model is not found for API version v1beta, or is not supported for generateContent. "
        "Call ModelService.ListModels to see the list of available models and their supported methods.",
    ),
    ErrorKind.CONTEXT_LENGTH: ErrorRow(
        400,
        "INVALID_ARGUMENT",
        "The input token count (1048577) exceeds the maximum number of tokens allowed (1048576).",
    ),
    ErrorKind.RATE_LIMIT: ErrorRow(
        429,
        "RESOURCE_EXHAUSTED",
        "You exceeded your current quota, please check your plan and billing details. For more information on this "
        f"error, head to: {_RATE_LIMITS}. To monitor your current usage, head to: https://ai.dev/rate-limit. \n"
        f"* Quota exceeded for metric: {_QUOTA_METRIC}, limit: 15",
    ),
    ErrorKind.SERVER_ERROR: ErrorRow(
        500,
        "INTERNAL",
        "An internal error has occurred. Please retry or report in "
        "https://developers.generativeai.google/guide/troubleshooting",
    ),
    ErrorKind.OVERLOADED: ErrorRow(503, "UNAVAILABLE", "The model is overloaded. Please try again later."),
}


def status_body(kind: ErrorKind, message: str | None, param: str | None, retry_after: float | None) -> Json:
    """Return the body of an error; `retry_after` in seconds goes into a rate limit's RetryInfo."""
    row = ERRORS[kind]
    delay = 7.0 if retry_after is None else retry_after
    text = message or row.message
    if kind is ErrorKind.RATE_LIMIT and message is None:
        text += f"\nPlease retry in {delay:g}s."
    error: Json = {"code": row.code, "message": text, "status": row.status}
    if details := _details(kind, text, param, delay):
        error["details"] = details
    return {"error": error}


def _details(kind: ErrorKind, message: str, param: str | None, delay: float) -> list[Json]:
    if kind is ErrorKind.AUTHENTICATION:
        service = {"service": "generativelanguage.googleapis.com"}
        info = _detail("ErrorInfo", reason="API_KEY_INVALID", domain="googleapis.com", metadata=service)
        return [info, _detail("LocalizedMessage", locale="en-US", message=message)]
    if kind is ErrorKind.RATE_LIMIT:
        links = [{"description": "Learn more about Gemini API quotas", "url": _RATE_LIMITS}]
        violation = {
            "quotaMetric": _QUOTA_METRIC,
            "quotaId": "GenerateRequestsPerMinutePerProjectPerModel-FreeTier",
            "quotaDimensions": {"location": "global", "model": "unknown-model"},
            "quotaValue": "15",
        }
        failure = _detail("QuotaFailure", violations=[violation])
        return [_detail("Help", links=links), failure, _detail("RetryInfo", retryDelay=f"{delay:g}s")]
    if kind is ErrorKind.INVALID_REQUEST and param:
        return [_detail("BadRequest", fieldViolations=[{"field": param, "description": message}])]
    return []


def _detail(name: str, **fields: Any) -> Json:
    return {"@type": f"type.googleapis.com/google.rpc.{name}", **fields}


MAX_BATCH = 100
"""Texts in one call of batchEmbedContents."""

_CONFIG_RULES = {
    "temperature": Rule("number", 0, 2),
    "topP": Rule("number", 0, 1),
    "topK": Rule("integer", 1),
    "maxOutputTokens": Rule("integer", 1),
    "seed": Rule("integer"),
    "candidateCount": Rule("integer", 1, 8),
    "presencePenalty": Rule("number", -2, 2),
    "frequencyPenalty": Rule("number", -2, 2),
}
_PROTO_TYPES = {"number": "TYPE_FLOAT", "integer": "TYPE_INT32"}
# Other providers' parameters that are easily sent here by mistake. A complete list of the allowed ones would
# refuse what Google adds after this was written.
_FOREIGN = (
    "frequency_penalty",
    "max_completion_tokens",
    "max_tokens",
    "messages",
    "n",
    "presence_penalty",
    "response_format",
    "seed",
    "stop",
    "stream",
    "system",
    "temperature",
    "top_k",
    "top_p",
)
_FOREIGN_IN_CONFIG = ("maxTokens", "maxCompletionTokens", "n", "randomSeed", "stop", "stream")


def check(body: Json) -> None:
    """Raise `BadRequest` where generateContent answers 400."""
    for name in _FOREIGN:
        if name in body:
            raise BadRequest(f'Invalid JSON payload received. Unknown name "{name}": Cannot find field.')
    _check_config(field(body, "generationConfig") or {})
    contents = field(body, "contents")
    if not contents:
        raise BadRequest("* GenerateContentRequest.contents: contents is not specified\n")
    for index, content in enumerate(contents if isinstance(contents, list) else [contents]):
        _check_content(f"GenerateContentRequest.contents[{index}]", content)


def embedded(body: Json) -> list[Any]:
    """Return the contents to embed, of a batch or a single request; raise `BadRequest` where there are none."""
    requests = body.get("requests", [body])
    if len(requests) > MAX_BATCH:
        raise BadRequest(f"* BatchEmbedContentsRequest.requests: at most {MAX_BATCH} requests can be in one batch\n")
    contents = [request.get("content") for request in requests if isinstance(request, dict)]
    if not contents or not all(contents):
        raise BadRequest("* EmbedContentRequest.content: content is not specified\n", "content")
    if not all(map(text_of, contents)):
        raise BadRequest("* EmbedContentRequest.content contains an empty Part.\n", "content")
    return contents


def embedded_size(body: Json) -> int | None:
    """Return how many dimensions a batch or a single request asks for, None where it does not."""
    first = body.get("requests", [body])[0]
    size = field(first, "outputDimensionality") or field(
        field(first, "embedContentConfig") or {}, "outputDimensionality"
    )
    if size is None or (isinstance(size, int) and is_a(size, "integer")):
        return size
    raise BadRequest(f"Invalid value at 'output_dimensionality' (TYPE_INT32), {json.dumps(size)}")


def field(body: Json, name: str) -> Any:
    """Return a field in either spelling, `camelCase` or `snake_case`: proto3 JSON accepts both."""
    return body.get(name, body.get(_snake(name)))


def _snake(name: str) -> str:
    return re.sub(r"([A-Z])", lambda capital: "_" + capital[0].lower(), name)


def _camel(name: str) -> str:
    return re.sub(r"_(\w)", lambda letter: letter[1].upper(), name)


def _check_config(config: Mapping[str, Any]) -> None:
    camel = {_camel(name): value for name, value in config.items()}
    forms_native.check_google(camel)
    for name in _FOREIGN_IN_CONFIG:
        if name in camel:
            unknown = f"Unknown name \"{_snake(name)}\" at 'generation_config': Cannot find field."
            raise BadRequest(f"Invalid JSON payload received. {unknown}", "generation_config")
    if fault := first_fault(camel, _CONFIG_RULES):
        raise BadRequest(_config_message(fault), f"generation_config.{_snake(fault.name)}")


def _config_message(fault: Fault) -> str:
    name, rule = _snake(fault.name), fault.rule
    if fault.reason == "type":
        proto = _PROTO_TYPES[rule.kind]
        return f"Invalid value at 'generation_config.{name}' ({proto}), {json.dumps(fault.value)}"
    if rule.low is None or rule.high is None:
        bound = f"{name} must be positive."
    else:
        bound = f"{name} must be in the range [{rule.low:.1f}, {rule.high:.1f}]."
    return f"* GenerateContentRequest.generation_config.{name}: {bound}\n"


def _check_content(where: str, content: Any) -> None:
    if not isinstance(content, dict):
        raise BadRequest(f"Invalid value at '{where}' (type.googleapis.com/Content), {json.dumps(content)}")
    # "function" and "tool" carry function responses in older documentation and are still taken.
    if content.get("role", "user") not in ("user", "model", "function", "tool"):
        raise BadRequest("Please use a valid role: user, model.")
    parts = content.get("parts")
    if not parts:
        raise BadRequest(f"* {where}.parts: contents.parts must not be empty.\n")
    for index, part in enumerate(parts if isinstance(parts, list) else [parts]):
        if not isinstance(part, dict) or not part:
            text = "required oneof field 'data' must have one initialized field"
            raise BadRequest(f"* {where}.parts[{index}].data: {text}\n")
        check_part(f"{where.partition('.')[2]}.parts[{index}]", part)
