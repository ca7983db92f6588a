"""Errors of the OpenAI-shaped APIs: one table per provider, one function that renders a row."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flyllm.testing.wires.base import ErrorKind


@dataclass(frozen=True, slots=True)
class ErrorRow:
    """How one provider reports one kind of error: HTTP status, its type and code, its usual message."""

    status: int
    type: str
    code: str | int | None
    message: str
    param: str | None = None


ErrorTable = Mapping[ErrorKind, ErrorRow]

_INVALID = "invalid_request_error"

OPENAI: ErrorTable = {
    ErrorKind.INVALID_REQUEST: ErrorRow(400, _INVALID, None, "Invalid request."),
    ErrorKind.AUTHENTICATION: ErrorRow(
        401,
        _INVALID,
        "invalid_api_key",
        "Incorrect API key provided: sk-sim***. "
        "You can find your API key at https://platform.openai.com/account/api-keys.",
    ),
    ErrorKind.QUOTA: ErrorRow(
        429,
        "insufficient_quota",
        "insufficient_quota",
        "You exceeded your current quota, please check your plan and billing details. For more information on "
        "this error, read the docs: https://platform.openai.com/docs/guides/error-codes/api-errors.",
    ),
    ErrorKind.PERMISSION: ErrorRow(
        403,
        _INVALID,
        "missing_scope",
        "You have insufficient permissions for this operation. Missing scopes: model.request.",
    ),
    ErrorKind.MODEL_NOT_FOUND: ErrorRow(
        404, _INVALID, "model_not_found", "The model does not exist or you do not have access to it."
    ),
    ErrorKind.CONTEXT_LENGTH: ErrorRow(
        400,
        _INVALID,
        "context_length_exceeded",
        "This model's maximum context length is 128000 tokens. However, your messages resulted in 128123 "
        "tokens. Please reduce the length of the messages.",
        "messages",
    ),
    ErrorKind.CONTENT_FILTER: ErrorRow(
        400,
        _INVALID,
        "invalid_prompt",
        "Invalid prompt: your prompt was flagged as potentially violating our usage policy. "
        "Please try again with a different prompt.",
    ),
    ErrorKind.RATE_LIMIT: ErrorRow(
        429,
        "requests",
        "rate_limit_exceeded",
        "Rate limit reached for this model on requests per min (RPM). Please try again later. "
        "Visit https://platform.openai.com/account/rate-limits to learn more.",
    ),
    ErrorKind.SERVER_ERROR: ErrorRow(
        500,
        "server_error",
        None,
        "The server had an error while processing your request. Sorry about that!",
    ),
    ErrorKind.OVERLOADED: ErrorRow(
        503,
        "service_unavailable_error",
        "server_is_overloaded",
        "Our servers are currently overloaded. Please try again later.",
    ),
}

GROQ: ErrorTable = {
    **OPENAI,
    ErrorKind.AUTHENTICATION: ErrorRow(401, _INVALID, "invalid_api_key", "Invalid API Key"),
    ErrorKind.QUOTA: ErrorRow(
        400,
        _INVALID,
        "blocked_api_access",
        "API access is blocked: the organization has reached its spend limit.",
    ),
    ErrorKind.PERMISSION: ErrorRow(
        403,
        "permissions_error",
        "model_permission_blocked_org",
        "The model is blocked at the organization level.",
    ),
    ErrorKind.CONTEXT_LENGTH: ErrorRow(
        400,
        _INVALID,
        "context_length_exceeded",
        "Please reduce the length of the messages or completion.",
        "messages",
    ),
    ErrorKind.RATE_LIMIT: ErrorRow(
        429,
        "requests",
        "rate_limit_exceeded",
        "Rate limit reached for model in organization on requests per minute (RPM). Please try again later. "
        "Need more tokens? Upgrade to Dev Tier today at https://console.groq.com/settings/billing",
    ),
    ErrorKind.SERVER_ERROR: ErrorRow(500, "internal_server_error", None, "Internal Server Error"),
    ErrorKind.OVERLOADED: ErrorRow(
        503,
        "internal_server_error",
        None,
        "The model is currently over capacity. Please try again and back off exponentially. "
        "Visit https://groqstatus.com to see if there is an active incident.",
    ),
}

TOGETHER: ErrorTable = {
    **OPENAI,
    ErrorKind.AUTHENTICATION: ErrorRow(
        401,
        _INVALID,
        "invalid_api_key",
        "Invalid API key provided. You can find your API key at https://api.together.ai/settings/api-keys.",
    ),
    ErrorKind.QUOTA: ErrorRow(
        402, "credit_limit", None, "Credit limit exceeded, please navigate to the billing settings."
    ),
    ErrorKind.MODEL_NOT_FOUND: ErrorRow(
        404,
        _INVALID,
        "model_not_available",
        "Unable to access model. Please visit https://api.together.ai/models to view the list of supported models.",
    ),
    ErrorKind.CONTEXT_LENGTH: ErrorRow(
        422,
        _INVALID,
        None,
        "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 131073. "
        "Given: 131000 `inputs` tokens and 500 `max_new_tokens`",
    ),
    # docs.together.ai/docs/rate-limits: requests above the dynamic rate; those below it get 503.
    ErrorKind.RATE_LIMIT: ErrorRow(
        429, "dynamic_request_limited", "rate_limit_exceeded", "You have reached your dynamic rate limit."
    ),
    ErrorKind.SERVER_ERROR: ErrorRow(500, "server_error", "internal_error", "Internal server error."),
    ErrorKind.OVERLOADED: ErrorRow(503, "service_unavailable", None, "The server is overloaded or not ready yet."),
}

PERPLEXITY: ErrorTable = {
    ErrorKind.INVALID_REQUEST: ErrorRow(400, "bad_request", 400, "Invalid request."),
    ErrorKind.AUTHENTICATION: ErrorRow(401, "unauthorized", 401, "Invalid API key provided."),
    # Reported with 401, not 402 or 429.
    ErrorKind.QUOTA: ErrorRow(
        401,
        "insufficient_quota",
        401,
        "You exceeded your current quota, please check your plan and billing details.",
    ),
    ErrorKind.PERMISSION: ErrorRow(403, "forbidden", 403, "Access to this resource is forbidden."),
    ErrorKind.MODEL_NOT_FOUND: ErrorRow(
        400,
        "invalid_model",
        400,
        "Invalid model. Permitted models can be found in the documentation at "
        "https://docs.perplexity.ai/getting-started/models.",
    ),
    ErrorKind.CONTEXT_LENGTH: ErrorRow(
        400, "bad_request", 400, "The input exceeds the maximum context length of the model."
    ),
    ErrorKind.CONTENT_FILTER: ErrorRow(400, "content_filter", 400, "The request was blocked by moderation."),
    ErrorKind.RATE_LIMIT: ErrorRow(
        429, "rate_limit_exceeded", 429, "Request rate limit exceeded, please try again later."
    ),
    ErrorKind.SERVER_ERROR: ErrorRow(500, "internal_server_error", 500, "Internal server error."),
    ErrorKind.OVERLOADED: ErrorRow(503, "service_unavailable", 503, "Service temporarily unavailable."),
}

LMSTUDIO: ErrorTable = {
    **OPENAI,
    ErrorKind.AUTHENTICATION: ErrorRow(401, _INVALID, "invalid_api_key", "An LM Studio API token is required."),
    ErrorKind.MODEL_NOT_FOUND: ErrorRow(
        404,
        _INVALID,
        "model_not_found",
        "No models loaded. Please load a model in the developer page or use the `lms load` command.",
        "model",
    ),
    ErrorKind.CONTEXT_LENGTH: ErrorRow(
        400,
        _INVALID,
        None,
        "The number of tokens to keep from the initial prompt is greater than the context length. "
        "Try to load the model with a larger context length, or provide a shorter input.",
    ),
    ErrorKind.SERVER_ERROR: ErrorRow(500, "internal_error", None, "Model crashed without additional information."),
}

OLLAMA: ErrorTable = {kind: ErrorRow(row.status, "api_error", None, row.message) for kind, row in OPENAI.items()} | {
    ErrorKind.AUTHENTICATION: ErrorRow(401, "api_error", None, "unauthorized"),
    ErrorKind.MODEL_NOT_FOUND: ErrorRow(404, "api_error", None, "model not found, try pulling it first"),
}


def error_object(row: ErrorRow, message: str | None, param: str | None) -> dict[str, Any]:
    """Return the inner object of an error body, in the order OpenAI sends its fields."""
    return {"message": message or row.message, "type": row.type, "param": param or row.param, "code": row.code}
