"""The Mistral, Cohere and Ollama adapters against servers and environments that misbehave."""

import gzip
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from flyllm.errors import (
    ContentFilterError,
    InvalidRequestError,
    LLMError,
    ModelNotFoundError,
    ParseError,
    RateLimitError,
    RequestError,
    ServerError,
)
from flyllm.types import ToolCall
from tests.contract.recordings import adapter, of_deltas, request
from tests.contract.replay import ReplayServer, Reply, replay_server

PROVIDERS = ("mistral", "cohere", "ollama")
VERSION = {"mistral": "/v1", "cohere": "/v2", "ollama": ""}
PATH = {"mistral": "/v1/chat/completions", "cohere": "/v2/chat", "ollama": "/api/chat"}
MODELS = {"mistral": "/v1/models", "cohere": "/v1/models?page_size=1000", "ollama": "/api/tags"}
ANSWER: dict[str, Any] = {
    # As little as an answer can be: what gateways leave out, the SDKs refuse.
    "mistral": {"choices": [{"message": {"content": "Hi"}, "finish_reason": "stop"}]},
    "cohere": {"message": {"content": [{"type": "text", "text": "Hi"}]}, "finish_reason": "COMPLETE"},
    "ollama": {"message": {"content": "Hi"}, "done": True, "done_reason": "stop"},
}
EVENTS: dict[str, list[dict[str, Any]]] = {
    "mistral": [
        {"choices": [{"index": 0, "delta": {"content": "Hi"}}]},
        {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
    ],
    "cohere": [
        {"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": "Hi"}}}},
        {"type": "message-end", "delta": {"finish_reason": "COMPLETE"}},
    ],
    "ollama": [{"message": {"content": "Hi"}, "done": False}, {"message": {}, "done": True, "done_reason": "stop"}],
}
ERROR = {
    "mistral": {"object": "error", "message": "no", "type": "internal", "code": "1000"},
    "cohere": {"id": "1", "message": "no"},
    "ollama": {"error": "no"},
}
IN_BAND = {
    "mistral": ERROR["mistral"],
    "cohere": {"type": "message-end", "delta": {"error": "no", "finish_reason": "ERROR"}},
    "ollama": ERROR["ollama"],
}
EVIL = "sk-evil-0123456789"
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


def events(name: str, *data: Any, **changes: Any) -> Reply:
    frame, media = ("data: %s\n\n", "text/event-stream") if name != "ollama" else ("%s\n", "application/x-ndjson")
    texts = [item if isinstance(item, str) else json.dumps(item, ensure_ascii=False) for item in data]
    return Reply(content_type=media, body="".join(frame % text for text in texts).encode(), **changes)


def good(name: str, *, streamed: bool, **changes: Any) -> Reply:
    return events(name, *EVENTS[name], **changes) if streamed else Reply(body=dumped(ANSWER[name]), **changes)


def dumped(data: Any) -> bytes:
    return json.dumps(data).encode()


def send(provider: Any, *, streamed: bool, **fields: Any) -> str:
    if streamed:
        return of_deltas(provider.stream(request(**fields))).text
    text: str = provider.generate(request(**fields)).content
    return text


FAILURES: dict[str, tuple[Reply, type[LLMError]]] = {
    "500": (Reply(500), ServerError),
    "502 html": (Reply(502, "text/html", b"<html>bad gateway</html>"), ServerError),
    "429": (Reply(429, headers={"retry-after": "7"}), RateLimitError),
    "408": (Reply(408), ServerError),
    "409": (Reply(409), ServerError),
    "422": (Reply(422), InvalidRequestError),
    "307": (Reply(307, headers={"location": "http://evil.example/v1"}), ModelNotFoundError),
    "reset": (Reply(silent=True, ending="reset"), RequestError),
    "no response": (Reply(silent=True, ending="close"), RequestError),
    "cut error": (Reply(500, body=b'{"mess', framing="length", stop_after=3, ending="close"), ServerError),
    "html": (Reply(200, "text/html", b"<html>welcome</html>"), ParseError),
    "bad JSON": (Reply(body=b'{"choices":[{"message":{"content'), ParseError),
    "null": (Reply(body=b"null"), ParseError),
    "list": (Reply(body=b"[]"), ParseError),
}
CALLED: dict[str, tuple[Reply, type[LLMError]]] = {
    **FAILURES,
    "empty": (Reply(body=b""), ParseError),
    "nothing in it": (Reply(body=b"{}"), ParseError),
    "cut before the length": (Reply(body=b'{"a":"b"}', stop_after=4, framing="length", ending="close"), RequestError),
    "cut chunks": (Reply(body=b'{"a":"b"}', stop_after=4, ending="close"), RequestError),
}


def typed(server: ReplayServer, provider: Any, reply: Reply, kind: type[LLMError], *, streamed: bool) -> LLMError:
    server.play(reply)
    with pytest.raises(kind) as caught:
        send(provider, streamed=streamed)
    assert len(server.seen) == 1, "exactly one request"
    assert caught.value.provider == provider.settings.spec.name
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)
    return caught.value


@each_provider
@pytest.mark.parametrize("failure", CALLED)
def test_a_call_is_one_request_and_a_typed_error(server: ReplayServer, providers: Any, name: str, failure: str) -> None:
    """No SDK retries, follows or swallows anything."""
    error = typed(server, providers[name], *CALLED[failure], streamed=False)
    assert error.retry_after == (7.0 if failure == "429" else None)


@each_provider
@pytest.mark.parametrize("failure", FAILURES)
def test_a_stream_is_one_request_and_a_typed_error(
    server: ReplayServer, providers: Any, name: str, failure: str
) -> None:
    """Also where the answer is no stream at all."""
    error = typed(server, providers[name], *FAILURES[failure], streamed=True)
    assert error.retry_after == (7.0 if failure == "429" else None)


@each_provider
@streamed_or_not
@pytest.mark.parametrize("status", [200, 400])
def test_an_error_says_what_the_provider_said(
    server: ReplayServer, providers: Any, name: str, streamed: bool, status: int
) -> None:
    """In an answer of its own, and where a 200 holds it."""
    reply = Reply(status, body=dumped(ERROR[name]))
    error = typed(
        server, providers[name], reply, ServerError if status == 200 else InvalidRequestError, streamed=streamed
    )
    assert str(error).endswith(": no")


@each_provider
def test_a_stream_that_goes_wrong_is_never_a_whole_one(server: ReplayServer, providers: Any, name: str) -> None:
    """No end, an error, no JSON or no object amid the events; the SDKs swallow most of it."""
    first = EVENTS[name][0]
    assert "closed without" in str(typed(server, providers[name], events(name, first), RequestError, streamed=True))
    for ending in ("close", "reset"):
        typed(server, providers[name], events(name, first, ending=ending), RequestError, streamed=True)
    typed(server, providers[name], events(name), RequestError, streamed=True)
    for bad in ("{oops", "null", "[]"):
        typed(server, providers[name], events(name, first, bad, *EVENTS[name]), ParseError, streamed=True)
    reply = events(name, first, IN_BAND[name])
    assert str(typed(server, providers[name], reply, ServerError, streamed=True)).endswith(": no")


@each_provider
@streamed_or_not
def test_a_silent_provider_is_a_timeout(server: ReplayServer, providers: Any, name: str, streamed: bool) -> None:
    """Each attempt has its own, amid a stream as well."""
    server.play(events(name, EVENTS[name][0], ending="stall") if streamed else Reply(silent=True, ending="stall"))
    with pytest.raises(RequestError, match="within the attempt's timeout") as caught:
        send(providers[name], streamed=streamed, timeout=0.3)
    assert caught.value.sent
    assert len(server.seen) == 1


@each_provider
def test_a_refused_connection_was_surely_not_sent(name: str) -> None:
    """Nobody listens at port 1."""
    made = adapter(name, "http://127.0.0.1:1" + VERSION[name])
    for streamed in (False, True):
        with pytest.raises(RequestError) as caught:
            send(made, streamed=streamed)
        assert (caught.value.sent, caught.value.local) == (False, False)


@each_provider
@streamed_or_not
@pytest.mark.parametrize("bad", [{"x": float("nan")}, {"x": "\ud800"}], ids=["nan", "surrogate"])
def test_a_request_that_cannot_be_written_is_the_callers_fault(
    server: ReplayServer, providers: Any, name: str, streamed: bool, bad: Any
) -> None:
    """Nothing was sent, and sending it again does not help."""
    server.play(good(name, streamed=streamed))
    with pytest.raises(InvalidRequestError, match="cannot be sent"):
        send(providers[name], streamed=streamed, params=bad)
    assert server.seen == []


@each_provider
@pytest.mark.parametrize("key", ["sk-with\nnewline-in-it", "sk-ümlaut-0123456789"])
def test_a_key_that_cannot_be_sent_is_not_shown(server: ReplayServer, name: str, key: str) -> None:
    """httpx puts such a key into its exception's text."""
    made = adapter(name, server.play(good(name, streamed=False)) + VERSION[name], key=key)
    with pytest.raises(LLMError) as caught:
        made.generate(request())
    assert key not in str(caught.value)
    assert "newline-in-it" not in str(caught.value)
    assert server.seen == []


@pytest.fixture
def hostile(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("MISTRAL_API_KEY", "CO_API_KEY", "COHERE_API_KEY", "OLLAMA_API_KEY"):
        monkeypatch.setenv(variable, EVIL)
    for variable in ("CO_API_URL", "OLLAMA_HOST", "MISTRAL_OTLP_TRACES_ENDPOINT", "HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(variable, "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:9")
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere")
    monkeypatch.setenv("MISTRAL_SA_TOKEN_PATH", "/nowhere")
    monkeypatch.setenv("MISTRAL_SDK_TELEMETRY", "dedicated")
    monkeypatch.setenv("MISTRAL_DEBUG", "1")


@each_provider
@streamed_or_not
@pytest.mark.usefixtures("hostile")
def test_no_environment_variable_changes_what_is_sent(server: ReplayServer, name: str, streamed: bool) -> None:
    """Host, path, key and headers are those of the instance."""
    made = adapter(name, server.play(good(name, streamed=streamed)) + VERSION[name], key="k-ours-0123456789")
    assert send(made, streamed=streamed) == "Hi"
    made.close()
    (seen,) = server.seen
    assert seen.path == PATH[name]
    assert seen.all("authorization") == ["Bearer k-ours-0123456789"]
    assert not any("evil" in value for _, value in seen.headers)


@each_provider
@pytest.mark.usefixtures("hostile")
def test_an_empty_key_sends_no_key_at_all(server: ReplayServer, name: str) -> None:
    """It is neither looked for in the environment nor sent as a placeholder."""
    made = adapter(name, server.play(good(name, streamed=False)) + VERSION[name], key="")
    assert made.generate(request()).content == "Hi"
    made.close()
    assert server.seen[0].all("authorization") == []


@each_provider
@pytest.mark.parametrize("header", ["Authorization", "authorization"])
def test_headers_of_the_settings_win(server: ReplayServer, name: str, header: str) -> None:
    """However they are spelt, and once each."""
    url = server.play(good(name, streamed=False)) + VERSION[name]
    made = adapter(name, url, headers={header: "Basic abc", "User-Agent": "me", "X-Team": "a"})
    made.generate(request())
    made.close()
    (seen,) = server.seen
    assert [seen.all(h) for h in ("authorization", "user-agent", "x-team")] == [["Basic abc"], ["me"], ["a"]]


@pytest.mark.parametrize("name", ["mistral", "cohere"])
def test_a_host_set_before_the_import_changes_nothing(server: ReplayServer, name: str) -> None:
    """cohere reads CO_API_URL when it is imported; MISTRAL_DEBUG would set up the root logger."""
    server.play(good(name, streamed=False))
    code = (
        "import logging; from tests.contract.recordings import adapter, request;"
        f"made = adapter({name!r}, {server.origin + VERSION[name]!r});"
        "print(made.generate(request()).content, logging.getLogger().handlers)"
    )
    settings = {"CO_API_URL": "http://127.0.0.1:9", "MISTRAL_DEBUG": "1", "MISTRAL_SDK_TELEMETRY": "dedicated"}
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-c", code], env={**os.environ, **settings}, capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == ("Hi []\n", "")
    assert [seen.path for seen in server.seen] == [PATH[name]]


@each_provider
@pytest.mark.parametrize("prefix", ["", "/gateway", "/gateway/v1", "/v3"])
def test_the_url_is_the_base_url_and_the_path(server: ReplayServer, name: str, prefix: str) -> None:
    """Whatever version the SDK would put in between: a full path of the user's is used as written."""
    made = adapter(name, server.play(good(name, streamed=False)) + prefix)
    made.generate(request())
    made.close()
    assert server.seen[0].path == prefix + made.settings.api.path


@each_provider
def test_an_empty_reply_of_the_sdk_s_own_is_never_taken_for_the_answer(
    server: ReplayServer, providers: Any, name: str
) -> None:
    """The reply's headers and JSON are the provider's, compressed or not."""
    body = gzip.compress(dumped(ANSWER[name]))
    headers = {"content-encoding": "gzip", "x-debug-trace-id": "t-1"}
    server.play(Reply(body=body, headers=headers))
    completion = providers[name].generate(request())
    assert completion.raw == ANSWER[name]
    assert completion.request_id == "t-1"
    assert completion.headers["content-encoding"] == "gzip"
    assert server.seen[0].all("accept") == ["application/json"]
    server.play(good(name, streamed=True, headers={"x-debug-trace-id": "t-2"}))
    stream = providers[name].stream(request())
    assert (stream.request_id, stream.headers["x-debug-trace-id"]) == ("t-2", "t-2")
    assert of_deltas(stream).text == "Hi"


@each_provider
def test_one_connection_serves_calls_and_streams(server: ReplayServer, name: str) -> None:
    """A stream that was read to its end, or refused, gives its connection back."""
    before = server.connections
    made = adapter(name, server.origin + VERSION[name])
    for _ in range(3):
        for streamed in (False, True):
            server.play(good(name, streamed=streamed))
            assert send(made, streamed=streamed) == "Hi"
            server.play(Reply(500, body=dumped(ERROR[name])))
            with pytest.raises(ServerError):
                send(made, streamed=streamed)
    made.close()
    assert server.connections == before + 1


@each_provider
def test_no_reply_that_is_left_early_keeps_its_connection(server: ReplayServer, name: str) -> None:
    """More of them than the pool has connections; then a call."""
    made = adapter(name, server.origin + VERSION[name], connections=4)
    for _ in range(40):
        server.play(events(name, EVENTS[name][0], ending="stall"))
        stream = made.stream(request(timeout=2.0))
        assert next(stream).content == "Hi"
        stream.close()
        stream.close()
    for reply in (events(name, "{oops"), Reply(200, "text/html", b"<html>")):
        server.play(reply)
        for _ in range(40):
            with pytest.raises(ParseError):
                send(made, streamed=True)
    server.play(good(name, streamed=False))
    assert made.generate(request(timeout=2.0)).content == "Hi"
    made.close()


@each_provider
def test_threads_do_not_mix_their_requests(server: ReplayServer, name: str) -> None:
    """What one thread has sent in place of the SDK's request is its own."""
    server.play(good(name, streamed=False))
    made = adapter(name, server.origin + VERSION[name])
    made.generate(request())

    def work(number: int) -> None:
        for n in range(5):
            fields = {"messages": [{"role": "user", "content": f"{number}-{n}"}], "params": {"knob": f"{number}-{n}"}}
            assert made.generate(request(**fields)).content == "Hi"

    threads = [threading.Thread(target=work, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    made.close()
    bodies = [seen.json for seen in server.seen[1:]]
    sent = [(body["messages"][0]["content"], {**body, **body.get("options", {})}["knob"]) for body in bodies]
    assert sorted(sent) == sorted((f"{a}-{b}", f"{a}-{b}") for a in range(12) for b in range(5))


@each_provider
def test_models_are_listed(server: ReplayServer, providers: Any, name: str) -> None:
    """Raw entries and all; a list without models is no list."""
    entry = {"mistral": {"id": "m", "new": 1}, "cohere": {"name": "m", "context_length": 9.0}, "ollama": {"model": "m"}}
    field = "data" if name == "mistral" else "models"
    server.play(Reply(body=dumped({field: [entry[name], {}]})))
    (model,) = providers[name].list_models(5.0)
    assert (model.id, model.provider, model.raw) == ("m", name, entry[name])
    assert model.context_window == (9 if name == "cohere" else None)
    assert [seen.path for seen in server.seen] == [MODELS[name]]
    for reply, kind in (
        (Reply(body=b"{}"), ParseError),
        (Reply(body=dumped(ERROR[name])), ServerError),
        (Reply(401, body=dumped(ERROR[name])), LLMError),
    ):
        server.play(reply)
        with pytest.raises(kind):
            providers[name].list_models(5.0)


FOLLOWING = {None: "b", "b": "c", "c": "b"}


class Pages(BaseHTTPRequestHandler):
    """Three pages of models, of which the last leads back to the second."""

    def do_GET(self) -> None:
        token = parse_qs(urlsplit(self.path).query).get("page_token", [None])[0]
        body = dumped({"models": [{"name": f"model-{token}"}], "next_page_token": FOLLOWING[token]})
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None: ...


def test_cohere_s_models_are_read_page_by_page() -> None:
    """To the last page, and no page twice."""
    with HTTPServer(("127.0.0.1", 0), Pages) as pages:
        threading.Thread(target=pages.serve_forever, args=(0.02,), daemon=True).start()
        made = adapter("cohere", f"http://127.0.0.1:{pages.server_address[1]}/v2")
        assert [model.id for model in made.list_models(5.0)] == ["model-None", "model-b", "model-c"]
        made.close()
        pages.shutdown()


@streamed_or_not
def test_a_deprecated_mistral_model_answers(server: ReplayServer, providers: Any, streamed: bool) -> None:
    """The SDK's warning about it reads the body, which fails on every stream; the header is still there to see."""
    header = {"x-model-deprecation-timestamp": "2027-01-01T00:00:00Z"}
    server.play(good("mistral", streamed=streamed, headers=header))
    assert send(providers["mistral"], streamed=streamed) == "Hi"
    server.play(good("mistral", streamed=streamed, headers=header))
    found = providers["mistral"].stream(request()) if streamed else providers["mistral"].generate(request())
    assert found.headers["x-model-deprecation-timestamp"] == "2027-01-01T00:00:00Z"


def test_mistral_s_in_band_error_keeps_its_status(server: ReplayServer, providers: Any) -> None:
    """It stands in the error as `raw_status_code`."""
    error = {**ERROR["mistral"], "type": "rate_limited", "code": "1300", "raw_status_code": 429}
    typed(server, providers["mistral"], events("mistral", EVENTS["mistral"][0], error), RateLimitError, streamed=True)


def test_cohere_s_498_is_a_word_that_it_refuses(server: ReplayServer, providers: Any) -> None:
    """Not a key, although its class is called InvalidToken (docs.cohere.com/reference/errors)."""
    typed(server, providers["cohere"], Reply(498, body=dumped(ERROR["cohere"])), ContentFilterError, streamed=False)


def test_ollama_s_lines_end_only_where_they_end(server: ReplayServer, providers: Any) -> None:
    """The SDK cuts them at U+0085 and U+2028 as well, and drops the ids of tool calls."""
    calls = [{"id": "call_x", "function": {"name": "f", "arguments": {"ü": 1}}}, {"function": {"name": "g"}}]
    lines = [{"message": {"content": "a\x85b\u2028c"}}, {"message": {"tool_calls": calls}}, *EVENTS["ollama"][1:]]
    server.play(events("ollama", *lines))
    answer = of_deltas(providers["ollama"].stream(request()))
    assert answer.text == "a\x85b\u2028c"
    assert answer.tool_calls == (ToolCall("call_x", "f", '{"ü": 1}'), ToolCall("call_1_g", "g", "{}"))
    assert answer.finish_reason == "tool_calls"
