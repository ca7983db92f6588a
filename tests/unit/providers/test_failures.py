"""Error answers of every provider become the right class, code and message, and none breaks the reading."""

import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
from flyllm.providers.failures import api_error, describe, in_band_error


def openai(code: str | None = None, kind: str = "invalid_request_error", message: str = "m") -> dict[str, Any]:
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


def anthropic(kind: str, message: str = "m") -> dict[str, Any]:
    return {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_1"}


def google(status: str, code: int, message: str = "m", reason: str | None = None) -> dict[str, Any]:
    details = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason}] if reason else []
    return {"error": {"code": code, "message": message, "status": status, "details": details}}


TABLE: list[tuple[int, Any, type[APIError], str | None]] = [
    (400, openai("unsupported_value"), InvalidRequestError, "unsupported_value"),
    (400, openai("context_length_exceeded"), ContextLengthError, "context_length_exceeded"),
    (400, openai("content_policy_violation"), ContentFilterError, "content_policy_violation"),
    (400, openai("model_not_found"), ModelNotFoundError, "model_not_found"),
    (401, openai("invalid_api_key"), AuthenticationError, "invalid_api_key"),
    (403, openai("unsupported_country_region_territory"), AuthenticationError, "unsupported_country_region_territory"),
    (404, openai("model_not_found"), ModelNotFoundError, "model_not_found"),
    (429, openai("rate_limit_exceeded", "requests"), RateLimitError, "rate_limit_exceeded"),
    (429, openai("insufficient_quota", "insufficient_quota"), QuotaExceededError, "insufficient_quota"),
    (500, openai(None, "server_error"), ServerError, "server_error"),
    (503, openai(None, "server_error", "The engine is currently overloaded"), OverloadedError, "server_error"),
    (400, anthropic("invalid_request_error", "prompt is too long: 9 > 8"), ContextLengthError, "invalid_request_error"),
    (400, anthropic("invalid_request_error", "Your credit balance is too low"), QuotaExceededError, None),
    (404, anthropic("not_found_error"), ModelNotFoundError, "not_found_error"),
    (413, anthropic("request_too_large"), InvalidRequestError, "request_too_large"),
    (529, anthropic("overloaded_error"), OverloadedError, "overloaded_error"),
    (400, google("INVALID_ARGUMENT", 400, reason="API_KEY_INVALID"), AuthenticationError, "API_KEY_INVALID"),
    (404, google("NOT_FOUND", 404), ModelNotFoundError, "NOT_FOUND"),
    (429, google("RESOURCE_EXHAUSTED", 429), RateLimitError, "RESOURCE_EXHAUSTED"),
    (503, google("UNAVAILABLE", 503, "The model is overloaded."), OverloadedError, "UNAVAILABLE"),
    (400, [google("INVALID_ARGUMENT", 400)], InvalidRequestError, "INVALID_ARGUMENT"),
    (401, {"message": "invalid api token"}, AuthenticationError, None),
    (498, openai("capacity_exceeded"), OverloadedError, "capacity_exceeded"),
    (498, {"message": "the request contains a deny-listed token"}, ContentFilterError, None),
    (503, {"error": "server busy, please try again.  maximum pending requests exceeded"}, OverloadedError, None),
    (400, {"error": "prompt too long; exceeded max context length by 9 tokens"}, ContextLengthError, None),
    (429, {"error": "you have reached your weekly usage limit"}, QuotaExceededError, None),
    (403, {"message": "Request blocked by moderation guardrail"}, ContentFilterError, None),
    (422, {"detail": [{"loc": ["body"], "msg": "field required"}]}, InvalidRequestError, None),
    (400, {"error": {"message": "m", "type": "invalid_model", "code": 400}}, ModelNotFoundError, "invalid_model"),
    (400, {"error": {"message": "m", "type": "invalid_request", "code": 400}}, InvalidRequestError, "invalid_request"),
    (404, {"error": "model 'x' not found"}, ModelNotFoundError, None),
    (402, None, QuotaExceededError, None),
    (408, None, ServerError, None),
    (409, None, ServerError, None),
    (410, None, ModelNotFoundError, None),
    (425, None, ServerError, None),
    (502, "an HTML page", ServerError, None),
    (307, "", ModelNotFoundError, None),
    (418, None, InvalidRequestError, None),
]


@pytest.mark.parametrize(("status", "body", "kind", "code"), TABLE)
def test_status_code_and_text_decide_the_class(status: int, body: Any, kind: type, code: str | None) -> None:
    """By code first, by text only together with a status, by status otherwise."""
    error = api_error(status, {"x-request-id": "r", "retry-after": "3"}, body)
    assert type(error) is kind
    assert (error.status_code, error.request_id, error.retry_after) == (status, "r", 3.0)
    assert code is None or error.code == code
    assert str(status) in str(error)


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (anthropic("overloaded_error"), OverloadedError, 529),
        (openai(None, "server_error"), ServerError, 500),
        (openai("rate_limit_exceeded", "tokens"), RateLimitError, 429),
        ({"error": {"message": "m", "status_code": 400, "code": "tool_use_failed"}}, InvalidRequestError, 400),
        ({"error": {"message": "m", "code": 503}}, ServerError, 503),
        ({"error": {"message": "m", "code": "invalid_prompt"}}, InvalidRequestError, 400),
        ({"error": {"message": "m", "code": "image_file_not_found"}}, InvalidRequestError, 400),
        ({"error": {"message": "m", "type": "request_rate_limit_exceeded"}}, RateLimitError, 429),
        ({"error": {"message": "m", "code": 7}}, ServerError, 500),
        ({"error": None, "message": "m", "type": "error"}, ServerError, 500),
        ({"error": "it broke"}, ServerError, 500),
        ({}, ServerError, 500),
    ],
)
def test_an_error_inside_a_200_gets_the_status_it_stands_for(body: Any, kind: type, status: int) -> None:
    """From the number in it, from its word, and otherwise as a fault of the provider."""
    error = in_band_error(body, {})
    assert (type(error), error.status_code) == (kind, status)


def test_a_redirect_names_its_host_but_no_credentials() -> None:
    """Neither path nor query: they may hold keys."""
    text = str(api_error(302, {"location": "https://user:pw@other.example/path?key=k"}, ""))
    assert "other.example" in text
    assert not any(secret in text for secret in ("user", "pw@", "key=k"))
    assert "another path" in str(api_error(302, {"location": "/x"}, ""))


def test_a_long_message_is_cut_to_one_line() -> None:
    """A page of text is no headline."""
    text = str(api_error(400, {}, {"error": {"message": "a\n b\t" * 1000}}))
    assert len(text) < 600
    assert "\n" not in text


@pytest.mark.parametrize(("advice", "kept"), [("true", True), ("false", False), ("maybe", None), (None, None)])
def test_the_providers_own_advice_is_kept(advice: str | None, kept: bool | None) -> None:
    """`x-should-retry` of Anthropic and OpenAI."""
    headers = {"x-should-retry": advice} if advice else {}
    assert api_error(500, headers, None).should_retry is kept


WORDS = ["error", "message", "type", "code", "status", "details", "detail", "reason", "error_code", "msg", "retryDelay"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-1000, 1000) | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=4),
    max_leaves=15,
)


@given(status=st.integers(100, 599), body=JSON)
def test_any_body_at_any_status_is_an_error(status: int, body: Any) -> None:
    """Classification is total: it never raises, keeps the status, and what it returns pickles."""
    for error in (api_error(status, {}, body), in_band_error(body, {})):
        assert isinstance(error, APIError)
        again = pickle.loads(pickle.dumps(error))
        assert (type(again), str(again), again.code) == (type(error), str(error), error.code)
    assert api_error(status, {}, body).status_code == status
    message, codes = describe(body)
    assert isinstance(message, str)
    assert all(isinstance(code, str) for code in codes)
