"""From a provider's error answer to one of our errors: by status, then by its code or type.

Free text decides only together with a status, where a provider has no code for the case.
Sources: docs.claude.com/en/api/errors, platform.openai.com/docs/guides/error-codes,
cloud.google.com/apis/design/errors, docs.mistral.ai, docs.cohere.com/reference/errors,
console.groq.com/docs/errors (2026-11).
"""

import re
from collections.abc import Mapping
from typing import Any

from flyllm.errors import (
    APIError,
    AuthenticationError,
    ContentFilterError,
    ContextLengthError,
    InvalidRequestError,
    ModelNotFoundError,
    OverloadedError,
    QuotaExceededError,
    RateLimitError,
    ServerError,
)
from flyllm.providers.payload import dicts, mapping
from flyllm.providers.retry_after import retry_after

REQUEST_ID_HEADERS = (
    "x-request-id",
    "request-id",
    "x-goog-request-id",
    "mistral-correlation-id",
    "x-debug-trace-id",
    "cf-ray",
)

_BY_CODE: dict[str, type[APIError]] = {
    "insufficient_quota": QuotaExceededError,
    "credit_balance_exhausted": QuotaExceededError,
    "billing_hard_limit_reached": QuotaExceededError,
    "billing_error": QuotaExceededError,
    "enforced_spend_limit_reached": QuotaExceededError,
    "invalid_api_key": AuthenticationError,
    "API_KEY_INVALID": AuthenticationError,
    "authentication_error": AuthenticationError,
    "UNAUTHENTICATED": AuthenticationError,
    "context_length_exceeded": ContextLengthError,
    "model_context_window_exceeded": ContextLengthError,
    "content_filter": ContentFilterError,
    "content_policy_violation": ContentFilterError,
    "image_content_policy_violation": ContentFilterError,
    "bio_policy": ContentFilterError,
    "moderation": ContentFilterError,
    "model_not_found": ModelNotFoundError,
    "model_decommissioned": ModelNotFoundError,
    "invalid_model": ModelNotFoundError,  # Perplexity, with status 400
    "not_found_error": ModelNotFoundError,
    "overloaded_error": OverloadedError,
    "server_is_overloaded": OverloadedError,
    "slow_down": OverloadedError,
    "capacity_exceeded": OverloadedError,  # Groq's full flex tier, with a 498
}
_BY_STATUS: dict[int, type[APIError]] = {
    401: AuthenticationError,
    402: QuotaExceededError,
    403: AuthenticationError,
    404: ModelNotFoundError,
    408: ServerError,
    409: ServerError,
    410: ModelNotFoundError,
    425: ServerError,
    429: RateLimitError,
    498: ContentFilterError,  # Cohere's "invalid token": a deny-listed word, in the request or the answer
    529: OverloadedError,
}
_BY_TEXT: tuple[tuple[type[APIError], re.Pattern[str]], ...] = (
    (
        ContextLengthError,
        re.compile(
            r"(?i)prompt (is )?too long|maximum context length|than the context length|context window"
            r"|too many (input )?tokens|exceeds the maximum (number of )?(allowed )?tokens|input token count"
            r"|max_new_tokens. must be"
        ),
    ),
    (QuotaExceededError, re.compile(r"(?i)credit balance is too low|spend(ing)? limit")),
    (
        ContentFilterError,
        re.compile(
            r"(?i)content management policy|content filter|violating our usage policy"
            r"|(flagged|blocked) (by|for) moderation|requires moderation"
        ),
    ),
    (AuthenticationError, re.compile(r"(?i)api key not valid|invalid api token")),
)
# Statuses that an error inside a 200 stands for. github.com/docker/docker-agent/issues/2880 has Anthropic's.
_IN_BAND: dict[str, int] = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "api_error": 500,
    "server_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
    "request_rate_limit_exceeded": 429,  # Perplexity
}
# How OpenAI's Responses API names faults of the request in a failed answer.
_REQUEST_FAULT = re.compile(r"invalid_(prompt|request|image|base64)|image_|unsupported_|empty_image|failed_to_download")


def api_error(status: int, headers: Mapping[str, str], body: Any) -> APIError:
    """Return the error for an answer with `status`, lower-case `headers` and decoded `body` (or its text)."""
    message, codes = describe(body)
    advice = headers.get("x-should-retry")
    return _kind(status, codes, message)(
        _headline(status, headers, message),
        status_code=status,
        code=codes[0] if codes else None,
        request_id=request_id(headers),
        retry_after=retry_after(headers, body),
        should_retry={"true": True, "false": False}.get(advice or ""),
    )


def in_band_error(body: Any, headers: Mapping[str, str]) -> APIError:
    """Return the error for an error object that came inside a 200."""
    _, codes = describe(body)
    detail = body.get("error", body) if isinstance(body, dict) else None
    numbers = [mapping(detail).get(name) for name in ("status_code", "raw_status_code", "code", "status")]
    status = next((n for n in numbers if isinstance(n, int) and 400 <= n < 600), None)
    status = status or next((_IN_BAND[c] for c in codes if c in _IN_BAND), None)
    return api_error(status or (400 if any(map(_REQUEST_FAULT.match, codes)) else 500), headers, body)


def request_id(headers: Mapping[str, str]) -> str | None:
    """Return the provider's id of the call from its headers."""
    return next((headers[name] for name in REQUEST_ID_HEADERS if name in headers), None)


def describe(body: Any) -> tuple[str, tuple[str, ...]]:
    """Return the message of an error body and its codes, the most telling first."""
    if isinstance(body, list) and body:
        body = body[0]  # Google wraps errors of streamed calls in a list
    if not isinstance(body, dict):
        return (body if isinstance(body, str) else ""), ()
    error = body.get("error") or body
    if not isinstance(error, dict):
        return str(error), ()
    message = error.get("message") or error.get("detail") or error.get("msg") or body.get("message") or ""
    reasons = [detail.get("reason") for detail in dicts(error.get("details"))]
    nested = mapping(error.get("details"))
    found = [*reasons, nested.get("error_code"), error.get("code"), error.get("type"), error.get("status")]
    codes = dict.fromkeys(str(code) for code in found if code and code != "error")
    # A number mostly repeats the HTTP status (Google, Perplexity): the word beside it tells more.
    return (message if isinstance(message, str) else str(message)), tuple(sorted(codes, key=str.isdigit))


def _kind(status: int, codes: tuple[str, ...], message: str) -> type[APIError]:
    for code in codes:
        if code in _BY_CODE:
            return _BY_CODE[code]
    if status in (400, 403, 413, 422):
        for kind, pattern in _BY_TEXT:
            if pattern.search(message):
                return kind
    if status == 429 and "usage limit" in message.lower():  # Ollama's cloud, by the hour or week
        return QuotaExceededError
    if status == 503 and re.search("overloaded|server busy", message.lower()):  # the latter is Ollama's
        return OverloadedError
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    if 300 <= status < 400:
        return ModelNotFoundError
    return ServerError if status >= 500 else InvalidRequestError


def _headline(status: int, headers: Mapping[str, str], message: str) -> str:
    if 300 <= status < 400:
        target = _host(headers.get("location", ""))
        return f"HTTP {status}: redirect to {target} refused: a redirect would carry the key along"
    text = " ".join(message.split())
    return f"HTTP {status}: {text[:500]}" if text else f"HTTP {status}"


def _host(location: str) -> str:
    match = re.match(r"[a-z]+://([^/?#@]*@)?([^/?#]*)", location, re.IGNORECASE)
    return match.group(2) if match else "another path"
