"""The Anthropic and Google adapters against a server that misbehaves, in an environment that does too."""

import gzip
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from flyllm._secret import Secret
from flyllm.errors import (
    AuthenticationError,
    ContextLengthError,
    InvalidRequestError,
    LLMError,
    ModelNotFoundError,
    OverloadedError,
    ParseError,
    QuotaExceededError,
    RateLimitError,
    RequestError,
    ServerError,
)
from flyllm.providers.base import ProviderSettings
from flyllm.providers.endpoint import resolve
from flyllm.providers.registry import create_provider, provider_spec
from tests.contract.recordings import adapter, of_deltas, request
from tests.contract.replay import ReplayServer, Reply, replay_server

PROVIDERS = ("anthropic", "google")
VERSION = {"anthropic": "/v1", "google": "/v1beta"}
PATH = {
    ("anthropic", False): "/v1/messages",
    ("anthropic", True): "/v1/messages",
    ("google", False): "/v1beta/models/m:generateContent",
    ("google", True): "/v1beta/models/m:streamGenerateContent?alt=sse",
}
ANSWER = {
    "anthropic": {"type": "message", "content": [{"type": "text", "text": "Hi"}], "stop_reason": "end_turn"},
    "google": {"candidates": [{"content": {"parts": [{"text": "Hi"}]}, "finishReason": "STOP"}]},
}
EVENTS: dict[str, list[dict[str, Any]]] = {
    "anthropic": [
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hi"}},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 1}},
        {"type": "message_stop"},
    ],
    "google": [ANSWER["google"]],
}
HOSTILE = {
    "ANTHROPIC_API_KEY": "evil",
    "ANTHROPIC_AUTH_TOKEN": "evil",
    "ANTHROPIC_BASE_URL": "http://127.0.0.1:9",
    "ANTHROPIC_CUSTOM_HEADERS": "authorization: Bearer evil\nX-API-Key: evil\nX-Evil: evil\nanthropic-version: evil",
    "ANTHROPIC_PROFILE": "evil",
    "GOOGLE_API_KEY": "evil",
    "GEMINI_API_KEY": "evil",
    "GOOGLE_CLOUD_LOCATION": "evil",
    "GOOGLE_CLOUD_PROJECT": "evil",
    "GOOGLE_GEMINI_BASE_URL": "http://127.0.0.1:9",
    "GOOGLE_GENAI_API_VERSION": "evil",
    "GOOGLE_GENAI_CLIENT_MODE": "replay",
    "GOOGLE_GENAI_HTTP_CLIENT": "httpx",
    "GOOGLE_GENAI_REPLAYS_DIRECTORY": "/nowhere",
    "GOOGLE_GENAI_USE_ENTERPRISE": "true",
    "GOOGLE_GENAI_USE_VERTEXAI": "true",
    "GOOGLE_VERTEX_BASE_URL": "http://127.0.0.1:9",
    "ALL_PROXY": "socks5://127.0.0.1:9",
    "HTTP_PROXY": "http://127.0.0.1:9",
    "SSL_CERT_FILE": "/nowhere",
}
each_provider = pytest.mark.parametrize("name", PROVIDERS)
streamed_or_not = pytest.mark.parametrize("streamed", [False, True], ids=["call", "stream"])


@pytest.fixture(scope="module")
def server() -> Iterator[ReplayServer]:
    with replay_server() as running:
        yield running


@pytest.fixture(scope="module")
def providers(server: ReplayServer) -> Iterator[dict[str, Any]]:
    made = {name: adapter(name, server.origin + VERSION[name]) for name in PROVIDERS}
    yield made
    for each in made.values():
        each.close()


def good(name: str, *, streamed: bool, **changes: Any) -> Reply:
    if not streamed:
        return Reply(body=json.dumps(ANSWER[name]).encode(), **changes)
    body = "".join(f"event: x\r\ndata: {json.dumps(event)}\r\n\r\n" for event in EVENTS[name])
    return Reply(content_type="text/event-stream", body=body.encode(), **changes)


def send(provider: Any, *, streamed: bool, **fields: Any) -> str:
    if streamed:
        return of_deltas(provider.stream(request(**fields))).text
    text: str = provider.generate(request(**fields)).content
    return text


def error_of(
    name: str, *, streamed: bool, server: ReplayServer, providers: Any, reply: Reply, **fields: Any
) -> LLMError:
    server.play(reply)
    with pytest.raises(LLMError) as caught:
        send(providers[name], streamed=streamed, **fields)
    assert len(server.seen) == 1, "exactly one request"
    assert caught.value.provider == name
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    return caught.value


@each_provider
@streamed_or_not
def test_no_environment_variable_changes_what_is_sent(
    server: ReplayServer, monkeypatch: pytest.MonkeyPatch, name: str, streamed: bool
) -> None:
    """Host, path, key, version and headers are those of the instance; nothing evil goes out."""
    for variable, value in HOSTILE.items():
        monkeypatch.setenv(variable, value)
    provider = adapter(name, server.play(good(name, streamed=streamed)) + VERSION[name])
    assert send(provider, streamed=streamed) == "Hi"
    provider.close()
    seen = server.seen[0]
    assert seen.path == PATH[name, streamed]
    assert not [header for header in seen.headers if "evil" in header[0] or "evil" in header[1]]
    keys = {"anthropic": {"x-api-key": "k-0123456789", "authorization": "Bearer k-0123456789"}}
    for header, value in keys.get(name, {"x-goog-api-key": "k-0123456789"}).items():
        assert seen.all(header) == [value]


@each_provider
@streamed_or_not
def test_an_empty_key_is_no_key(
    server: ReplayServer, monkeypatch: pytest.MonkeyPatch, name: str, streamed: bool
) -> None:
    """It is neither looked for in the environment nor sent."""
    for variable, value in HOSTILE.items():
        monkeypatch.setenv(variable, value)
    provider = adapter(name, server.play(good(name, streamed=streamed)) + VERSION[name], key="")
    assert send(provider, streamed=streamed) == "Hi"
    provider.close()
    assert not [h for h, _ in server.seen[0].headers if h in ("x-api-key", "authorization", "x-goog-api-key")]


@each_provider
def test_an_instances_own_headers_win(server: ReplayServer, name: str) -> None:
    """Also over what the adapter sets, in any spelling."""
    own = {"X-Tenant": "t", "Anthropic-Version": "2026-10-21", "X-Goog-Api-Key": "other"}
    provider = adapter(name, server.play(good(name, streamed=False)) + VERSION[name], headers=own)
    send(provider, streamed=False)
    provider.close()
    seen = server.seen[0]
    assert seen.all("x-tenant") == ["t"]
    assert seen.all("anthropic-version") == ["2026-10-21"]
    assert seen.all("x-goog-api-key") == ["other"]


def test_anthropic_itself_gets_its_documented_header_only() -> None:
    """Whether it takes both forms of the key at once is not documented."""
    spec = provider_spec("anthropic")
    provider = create_provider(ProviderSettings(spec, spec.apis[0], Secret("k"), "https://api.anthropic.com/v1"))
    headers = provider._headers()  # type: ignore[attr-defined]
    assert headers["x-api-key"] == "k"
    assert headers["Authorization"] != "Bearer k"
    assert headers["anthropic-version"] == "2023-06-01"


@each_provider
@pytest.mark.parametrize("written", ["", "/", "{version}", "/proxy/{version}", "{path}", "/proxy{path}", "/proxy"])
def test_endpoints_in_every_spelling(server: ReplayServer, name: str, written: str) -> None:
    """A bare host, a base URL with or without version and a full path lead to the same place; a prefix is kept."""
    path = {"anthropic": "/v1/messages", "google": "/v1beta/models/other:generateContent"}[name]
    ending = written.format(version=VERSION[name].strip("/"), path=path)
    api, base_url = resolve(
        provider_spec(name), server.play(good(name, streamed=False)) + "/" + ending.lstrip("/"), None
    )
    provider = create_provider(ProviderSettings(provider_spec(name), api, Secret("k"), base_url))
    provider.generate(request())
    provider.close()
    assert server.seen[0].path == ("/proxy" if "proxy" in written else "") + PATH[name, False]


def test_google_at_an_endpoint_without_version(server: ReplayServer) -> None:
    """A full path is used as written."""
    provider = adapter("google", server.play(good("google", streamed=False)))
    provider.generate(request())
    provider.close()
    assert server.seen[0].path == "/models/m:generateContent"


STATUSES: list[tuple[int, type[LLMError]]] = [
    (307, ModelNotFoundError),
    (400, InvalidRequestError),
    (401, AuthenticationError),
    (402, QuotaExceededError),
    (403, AuthenticationError),
    (404, ModelNotFoundError),
    (408, ServerError),
    (409, ServerError),
    (413, InvalidRequestError),
    (429, RateLimitError),
    (500, ServerError),
    (503, ServerError),
    (504, ServerError),
    (529, OverloadedError),
]


@each_provider
@streamed_or_not
@pytest.mark.parametrize(("status", "kind"), STATUSES)
def test_a_status_is_one_request_and_its_class(
    server: ReplayServer, providers: dict[str, Any], name: str, streamed: bool, status: int, kind: type[LLMError]
) -> None:
    """Neither retried nor followed by the SDK, whatever the body is; the wait that is asked for is read."""
    headers = {"retry-after": "7", "location": "/v1/elsewhere", "request-id": "req_1"}
    for body, content_type in (
        (b'{"error":{"message":"No"}}', "application/json"),
        (b"<html>", "text/html"),
        (b"", ""),
    ):
        reply = Reply(status, content_type, body, headers)
        error = error_of(name, streamed=streamed, server=server, providers=providers, reply=reply)
        assert type(error) is kind
        assert (error.status_code, error.retry_after, error.request_id) == (status, 7.0, "req_1")


def test_google_says_in_the_body_how_long_to_wait(server: ReplayServer, providers: dict[str, Any]) -> None:
    """RetryInfo; a list around the error, as without alt=sse, changes nothing."""
    details = [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "3.5s"}]
    body = {"error": {"code": 429, "message": "Quota", "status": "RESOURCE_EXHAUSTED", "details": details}}
    for content in (body, [body]):
        reply = Reply(429, body=json.dumps(content).encode())
        error = error_of("google", streamed=True, server=server, providers=providers, reply=reply)
        assert (type(error), error.retry_after) == (RateLimitError, 3.5)


@pytest.mark.parametrize(
    ("name", "status", "error", "kind"),
    [
        (
            "anthropic",
            400,
            {"type": "invalid_request_error", "message": "prompt is too long: 2 > 1"},
            ContextLengthError,
        ),
        (
            "anthropic",
            400,
            {"type": "invalid_request_error", "message": "credit balance is too low"},
            QuotaExceededError,
        ),
        ("anthropic", 529, {"type": "overloaded_error", "message": "Overloaded"}, OverloadedError),
        (
            "google",
            400,
            {"message": "API key not valid.", "details": [{"reason": "API_KEY_INVALID"}]},
            AuthenticationError,
        ),
        ("google", 400, {"message": "The input token count (2) exceeds the maximum"}, ContextLengthError),
        ("google", 503, {"message": "The model is overloaded.", "status": "UNAVAILABLE"}, OverloadedError),
    ],
)
def test_errors_that_only_the_body_tells_apart(
    server: ReplayServer, providers: dict[str, Any], name: str, status: int, error: dict[str, Any], kind: type[LLMError]
) -> None:
    """The same status stands for different things."""
    reply = Reply(status, body=json.dumps({"type": "error", "error": error}).encode())
    assert type(error_of(name, streamed=False, server=server, providers=providers, reply=reply)) is kind


ODD = {
    "empty": (b"", "application/json", ParseError),
    "object": (b"{}", "application/json", ParseError),
    "null": (b"null", "application/json", ParseError),
    "list": (b'["Hi"]', "application/json", ParseError),
    "error in a list": (b'[{"error":{"code":500}}]', "application/json", ServerError),
    "text": (b'"Hi"', "application/json", ParseError),
    "html": (b"<html>Sign in</html>", "text/html", ParseError),
    "truncated": (b'{"content":[{"type":"text","te', "application/json", ParseError),
    "not utf-8": (b'{"content":"\xff\xfe"}', "application/json", ParseError),
    "error": (
        b'{"type":"error","error":{"type":"api_error","code":500,"message":"No"}}',
        "application/json",
        ServerError,
    ),
}


@each_provider
@streamed_or_not
@pytest.mark.parametrize("odd", ODD)
def test_an_odd_200_is_a_typed_error(
    server: ReplayServer, providers: dict[str, Any], name: str, streamed: bool, odd: str
) -> None:
    """Never an empty answer, never an exception of another kind."""
    body, content_type, kind = ODD[odd]
    reply = Reply(200, content_type, body)
    assert type(error_of(name, streamed=streamed, server=server, providers=providers, reply=reply)) is kind


@each_provider
@streamed_or_not
@pytest.mark.parametrize("framing", ["chunked", "length"])
@pytest.mark.parametrize("ending", ["close", "reset"])
def test_a_broken_reply_is_one_request_and_a_request_error(
    server: ReplayServer, providers: dict[str, Any], name: str, streamed: bool, framing: Any, ending: Any
) -> None:
    """Cut in its first bytes; without any byte as well."""
    for changes in ({"stop_after": 20}, {"silent": True}):
        reply = good(name, streamed=streamed, framing=framing, ending=ending, **changes)
        error = error_of(name, streamed=streamed, server=server, providers=providers, reply=reply)
        assert isinstance(error, RequestError)
        assert error.sent


@each_provider
@streamed_or_not
def test_a_stalled_reply_ends_with_the_attempts_timeout(name: str, streamed: bool) -> None:
    """The number given to the SDK is seconds for each wait on the socket."""
    with replay_server() as server:
        provider = adapter(
            name, server.play(good(name, streamed=streamed, stop_after=20, ending="stall")) + VERSION[name]
        )
        with pytest.raises(RequestError, match="within the attempt's "):
            send(provider, streamed=streamed, timeout=0.3)
        assert len(server.seen) == 1
        provider.close()


@each_provider
@streamed_or_not
def test_no_server_is_a_request_error_that_says_nothing_was_sent(name: str, streamed: bool) -> None:
    """So that it may be tried elsewhere at no risk."""
    provider = adapter(name, "http://127.0.0.1:1" + VERSION[name])
    with pytest.raises(RequestError) as caught:
        send(provider, streamed=streamed)
    assert not caught.value.sent


@each_provider
@streamed_or_not
def test_a_compressed_reply_is_read(server: ReplayServer, providers: dict[str, Any], name: str, streamed: bool) -> None:
    """Real servers compress when they may."""
    plain = good(name, streamed=streamed)
    headers = {"content-encoding": "gzip"}
    server.play(Reply(200, plain.content_type, gzip.compress(plain.body), headers, cuts=range(5, 200, 5)))
    assert send(providers[name], streamed=streamed) == "Hi"


@each_provider
def test_a_stream_closed_early_frees_its_connection(name: str) -> None:
    """An adapter that may hold one connection can open another stream at once; close() from any thread ends it."""
    with replay_server() as server:
        provider = adapter(name, server.play(good(name, streamed=True)) + VERSION[name], connections=1)
        for _ in range(3):
            provider.stream(request(timeout=1.0)).close()
        stream = provider.stream(request(timeout=1.0))
        closer = threading.Thread(target=stream.close)
        closer.start()
        closer.join()
        assert of_deltas(provider.stream(request(timeout=1.0))).text == "Hi"
        provider.close()


@each_provider
def test_a_closed_adapter_opens_anew(server: ReplayServer, name: str) -> None:
    """close() gives the connections up, not the adapter."""
    provider = adapter(name, server.play(good(name, streamed=False)) + VERSION[name])
    for _ in range(2):
        assert send(provider, streamed=False) == "Hi"
        provider.close()


@each_provider
def test_the_key_is_in_no_error(server: ReplayServer, name: str) -> None:
    """A key that cannot stand in a header would otherwise be quoted by the HTTP library."""
    provider = adapter(name, server.play(good(name, streamed=False)) + VERSION[name], key="sk-se\ncret-0123456789")
    with pytest.raises(LLMError) as caught:
        provider.generate(request())
    assert "cret-0123456789" not in repr(caught.value)
    provider.close()


def test_google_continues_nothing_by_itself(server: ReplayServer, providers: dict[str, Any]) -> None:
    """The SDK would send on after CONTINUATION."""
    body = {
        "candidates": [
            {"content": {"parts": [{"text": "Hi"}]}, "finishReason": "CONTINUATION", "continuationToken": "eA=="}
        ]
    }
    server.play(Reply(body=json.dumps(body).encode()))
    assert providers["google"].generate(request()).finish_reason == "other"
    assert len(server.seen) == 1


PAGES: dict[str, list[dict[str, Any]]] = {
    "anthropic": [
        {"data": [{"id": "a", "max_input_tokens": 9}], "has_more": True, "first_id": "a", "last_id": "a"},
        {"data": [{"id": "b", "max_input_tokens": None}, {"type": "?"}], "has_more": False, "last_id": "b"},
    ],
    "google": [
        {"models": [{"name": "models/a", "inputTokenLimit": 9}], "nextPageToken": "t"},
        {"models": [{"name": "models/b"}, {}]},
    ],
}
SECOND = {"anthropic": "/v1/models?limit=1000&after_id=a", "google": "/v1beta/models?pageSize=1000&pageToken=t"}


class Pages(ReplayServer):
    """Gives one page after another."""

    def __init__(self, pages: list[dict[str, Any]]) -> None:
        super().__init__()
        self.pages = [Reply(body=json.dumps(page).encode()) for page in pages]

    @property  # type: ignore[override]
    def reply(self) -> Reply:
        return self.pages[min(len(self.seen), len(self.pages)) - 1]

    @reply.setter
    def reply(self, reply: Reply) -> None:
        """Ignore the first reply."""


def paged(name: str, pages: list[dict[str, Any]]) -> tuple[Any, Pages]:
    server = Pages(pages)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    return adapter(name, server.origin + VERSION[name]), server


@each_provider
def test_a_model_list_is_read_to_its_last_page(name: str) -> None:
    """One request per page, the largest pages there are; entries without a name are skipped."""
    provider, server = paged(name, PAGES[name])
    found = provider.list_models(5.0)
    assert [(model.id, model.provider, model.context_window) for model in found] == [("a", name, 9), ("b", name, None)]
    assert len(server.seen) == 2
    assert server.seen[1].path == SECOND[name]
    assert found[0].raw == next(iter(next(v for v in PAGES[name][0].values() if isinstance(v, list))))
    provider.close()
    server.shutdown()
    server.server_close()


@each_provider
def test_a_model_list_that_never_ends_is_an_error(name: str) -> None:
    """A server that gives the same page for ever does not hold the caller for ever."""
    provider, server = paged(name, PAGES[name][:1])
    with pytest.raises(ParseError):
        provider.list_models(5.0)
    assert len(server.seen) == 2
    provider.close()
    server.shutdown()
    server.server_close()


@each_provider
@pytest.mark.parametrize("body", [b"{}", b"[]", b"", b"<html>", b'{"data":{},"models":{}}'])
def test_an_odd_model_list_is_a_typed_error(
    server: ReplayServer, providers: dict[str, Any], name: str, body: bytes
) -> None:
    """It is not taken for a provider without models."""
    server.play(Reply(body=body))
    with pytest.raises(ParseError):
        providers[name].list_models(5.0)
    assert len(server.seen) == 1
