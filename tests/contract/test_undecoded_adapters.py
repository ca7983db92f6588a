"""What the Mistral, Cohere and Ollama adapters send and read, in an environment that misbehaves."""

import gzip
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
    LLMError,
    ParseError,
    RateLimitError,
    ServerError,
)
from flyllm.types import ToolCall
from tests.contract.recordings import adapter, of_deltas, request
from tests.contract.replay import ReplayServer, Reply, replay_server
from tests.contract.undecoded import (
    ANSWER,
    ERROR,
    EVENTS,
    MODELS,
    PATH,
    PROVIDERS,
    VERSION,
    dumped,
    each_provider,
    events,
    good,
    send,
    streamed_or_not,
)

EVIL = "sk-evil-0123456789"


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


@pytest.fixture
def hostile(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ollama")  # reads SSL_CERT_FILE when it is imported, which another test may not yet have done
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
    done = subprocess.run(
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
    server.play(events("mistral", EVENTS["mistral"][0], error))
    with pytest.raises(RateLimitError):
        send(providers["mistral"], streamed=True)


def test_cohere_s_498_is_a_word_that_it_refuses(server: ReplayServer, providers: Any) -> None:
    """Not a key, although its class is called InvalidToken (docs.cohere.com/reference/errors)."""
    server.play(Reply(498, body=dumped(ERROR["cohere"])))
    with pytest.raises(ContentFilterError):
        providers["cohere"].generate(request())


def test_ollama_s_lines_end_only_where_they_end(server: ReplayServer, providers: Any) -> None:
    """The SDK cuts them at U+0085 and U+2028 as well, and drops the ids of tool calls."""
    calls = [{"id": "call_x", "function": {"name": "f", "arguments": {"ü": 1}}}, {"function": {"name": "g"}}]
    lines = [{"message": {"content": "a\x85b\u2028c"}}, {"message": {"tool_calls": calls}}, *EVENTS["ollama"][1:]]
    server.play(events("ollama", *lines))
    answer = of_deltas(providers["ollama"].stream(request()))
    assert answer.text == "a\x85b\u2028c"
    invented = answer.tool_calls[1].id
    assert answer.tool_calls == (ToolCall("call_x", "f", '{"ü": 1}'), ToolCall(invented, "g", "{}"))
    assert invented
    assert answer.finish_reason == "tool_calls"
