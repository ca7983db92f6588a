"""One attempt at Mistral, Cohere or Ollama is one wire request, and each way it fails is a typed error."""

from collections.abc import Iterator
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
from tests.contract.undecoded import (
    ERROR,
    EVENTS,
    IN_BAND,
    PROVIDERS,
    VERSION,
    dumped,
    each_provider,
    events,
    good,
    send,
    streamed_or_not,
)


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
    with pytest.raises(RequestError, match="within the attempt's ") as caught:
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
