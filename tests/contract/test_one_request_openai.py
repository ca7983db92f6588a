"""One attempt is one wire request, and every way it can fail is a typed error that says what happened."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from flyllm.errors import (
    InvalidRequestError,
    LLMError,
    ModelNotFoundError,
    ParseError,
    RateLimitError,
    RequestError,
    ServerError,
)
from tests.contract.recordings import adapter, request
from tests.contract.replay import ReplayServer, Reply, replay_server

DOORS = [("openai", "chat_completions"), ("openai", "responses"), ("groq", "chat_completions")]
ERROR = b'{"error":{"message":"no","type":"t","code":"c"}}'
WHOLE = b'{"choices":[{"message":{"content":"Hi"},"finish_reason":"stop"}],"output":[],"status":"completed"}'
STREAM = b'data: {"choices":[{"index":0,"delta":{"content":"Hi"}}]}\n\n'
SSE = {"content_type": "text/event-stream"}
FAILURES: dict[str, tuple[Reply, type[LLMError]]] = {
    "500": (Reply(500, body=ERROR), ServerError),
    "502 html": (Reply(502, "text/html", b"<html>bad gateway</html>"), ServerError),
    "429": (Reply(429, body=ERROR, headers={"retry-after": "7"}), RateLimitError),
    "408": (Reply(408, body=ERROR), ServerError),
    "409": (Reply(409, body=ERROR), ServerError),
    "422": (Reply(422, body=ERROR), InvalidRequestError),
    "307": (Reply(307, headers={"location": "http://evil.example/v1"}), ModelNotFoundError),
    "reset": (Reply(silent=True, ending="reset"), RequestError),
    "no response": (Reply(silent=True, ending="close"), RequestError),
    "truncated": (Reply(body=WHOLE, stop_after=20, framing="length", ending="close"), RequestError),
    "cut chunks": (Reply(body=WHOLE, stop_after=20, ending="close"), RequestError),
    "bad JSON": (Reply(body=WHOLE[:-5]), ParseError),
    "html": (Reply(200, "text/html", b"<html>welcome</html>"), ParseError),
    "empty": (Reply(body=b""), ParseError),
    "null": (Reply(body=b"null"), ParseError),
    "nothing in it": (Reply(body=b"{}"), ParseError),
    "list": (Reply(body=b"[]"), ParseError),
    "error in a 200": (Reply(body=ERROR), ServerError),
}
STREAMED: dict[str, tuple[Reply, type[LLMError]]] = {
    "error before": (Reply(429, body=ERROR), RateLimitError),
    "JSON instead": (Reply(body=WHOLE), ParseError),
    "error in a 200": (Reply(body=ERROR), ServerError),
    "html instead": (Reply(200, "text/html", b"<html>"), ParseError),
    "nothing": (Reply(body=b"", **SSE), RequestError),  # type: ignore[arg-type]
    "no end": (Reply(body=STREAM, **SSE), RequestError),  # type: ignore[arg-type]
    "reset": (Reply(body=STREAM, ending="reset", **SSE), RequestError),  # type: ignore[arg-type]
    "bad JSON": (Reply(body=STREAM + b"data: {oops\n\n", **SSE), ParseError),  # type: ignore[arg-type]
    "redirect": (Reply(307, headers={"location": "/elsewhere"}), ModelNotFoundError),
}


@pytest.fixture(scope="module")
def server() -> Iterator[ReplayServer]:
    with replay_server() as running:
        yield running


@pytest.fixture(scope="module", params=DOORS, ids="-".join)
def provider(request: pytest.FixtureRequest, server: ReplayServer) -> Iterator[Any]:
    name, api = request.param
    made = adapter(name, server.origin + "/v1", api=api)
    yield made
    made.close()


@pytest.mark.parametrize("name", FAILURES)
def test_a_call_is_one_request_and_a_typed_error(server: ReplayServer, provider: Any, name: str) -> None:
    """No SDK retries, follows or swallows anything; the error names the provider and holds no SDK exception."""
    reply, kind = FAILURES[name]
    server.play(reply)
    with pytest.raises(kind) as caught:
        provider.generate(request())
    assert len(server.seen) == 1
    assert caught.value.provider == provider.settings.spec.name
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    assert caught.value.retry_after == (7.0 if name == "429" else None)
    if isinstance(caught.value, RequestError):
        assert (caught.value.sent, caught.value.local) == (True, False)


@pytest.mark.parametrize("name", STREAMED)
def test_a_stream_is_one_request_and_a_typed_error(server: ReplayServer, provider: Any, name: str) -> None:
    """Whether it fails before, instead of or amid the events; the connection is free afterwards."""
    reply, kind = STREAMED[name]
    server.play(reply)
    with pytest.raises(kind):
        list(provider.stream(request()))
    assert len(server.seen) == 1


def test_a_redirect_tells_its_target_but_is_not_followed(server: ReplayServer, provider: Any) -> None:
    """The user learns where the endpoint has gone."""
    server.play(FAILURES["307"][0])
    with pytest.raises(ModelNotFoundError, match=r"evil\.example"):
        provider.generate(request())


@pytest.mark.parametrize("ending", ["stall"])
@pytest.mark.parametrize("streamed", [False, True])
def test_a_silent_provider_is_a_timeout(server: ReplayServer, provider: Any, ending: Any, streamed: bool) -> None:
    """After the attempt's timeout, amid a stream as well; the request may have been carried out."""
    server.play(Reply(body=STREAM, ending=ending, **SSE) if streamed else Reply(silent=True, ending=ending))  # type: ignore[arg-type]
    with pytest.raises(RequestError, match="within the attempt's ") as caught:
        list(provider.stream(request(timeout=0.3))) if streamed else provider.generate(request(timeout=0.3))
    assert caught.value.sent
    assert len(server.seen) == 1


@pytest.mark.parametrize(("name", "api"), DOORS)
def test_a_refused_connection_was_surely_not_sent(name: str, api: str) -> None:
    """Nobody listens at port 1."""
    made = adapter(name, "http://127.0.0.1:1/v1", api=api)
    with pytest.raises(RequestError) as caught:
        made.generate(request())
    assert (caught.value.sent, caught.value.local) == (False, False)


@pytest.mark.parametrize(("name", "api"), DOORS)
def test_an_unknown_host_was_surely_not_sent(name: str, api: str) -> None:
    """`.invalid` never resolves (RFC 6761)."""
    made = adapter(name, "http://nowhere.invalid/v1", api=api)
    with pytest.raises(RequestError) as caught:
        made.generate(request())
    assert not caught.value.sent


def test_nobody_waits_for_a_connection(server: ReplayServer) -> None:
    """`connections` are those that are kept; how many are open at once, the instance's places decide."""
    server.play(Reply(silent=True, ending="stall"))
    made = adapter("openai", server.origin + "/v1", connections=1)

    def hold() -> None:
        with pytest.raises(RequestError):
            made.generate(request(timeout=1.5))

    held = threading.Thread(target=hold)
    held.start()
    while not server.seen:
        threading.Event().wait(0.005)
    with pytest.raises(RequestError) as caught:
        made.generate(request(timeout=0.2))
    held.join()
    made.close()
    assert (caught.value.sent, caught.value.local) == (True, False)
    assert len(server.seen) == 2


@pytest.mark.parametrize("key", ["sk-with\nnewline-in-it", "sk-ümlaut-0123456789"])
@pytest.mark.parametrize(("name", "api"), DOORS)
def test_a_key_that_cannot_be_sent_is_not_shown(server: ReplayServer, name: str, api: str, key: str) -> None:
    """The SDKs put such a key into their exception's text."""
    server.play(Reply(body=WHOLE))
    made = adapter(name, server.origin + "/v1", api=api, key=key)
    with pytest.raises(LLMError) as caught:
        made.generate(request())
    assert key not in str(caught.value)
    assert "newline-in-it" not in str(caught.value)
    assert server.seen == []


@pytest.mark.parametrize("bad", [{"temperature": float("nan")}, {"x": {1, 2}}, {"x": "\ud800"}])
def test_a_request_that_cannot_be_written_is_the_callers_fault(server: ReplayServer, provider: Any, bad: Any) -> None:
    """NaN, a set, a lone surrogate: nothing was sent, sending it again does not help."""
    server.play(Reply(body=WHOLE))
    with pytest.raises(InvalidRequestError, match="cannot be sent"):
        provider.generate(request(params=bad))
    assert server.seen == []


def test_closing_a_stream_early_frees_its_connection(server: ReplayServer, provider: Any) -> None:
    """Twice as many abandoned streams as one connection could serve, then a call."""
    events = replace(STREAMED["no end"][0], ending="stall")
    made = adapter("openai", server.origin + "/v1", connections=1)
    server.play(events)
    for _ in range(3):
        stream = made.stream(request(timeout=2.0))
        assert next(stream).content == "Hi"
        stream.close()
        stream.close()
    server.play(Reply(body=WHOLE))
    assert made.generate(request(timeout=2.0)).content == "Hi"
    made.close()
