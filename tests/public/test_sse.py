"""Streams reach browsers through real WSGI servers, whole or visibly cut, and end when the browser goes away."""

import gc
import json
import logging
import sys
import time
from collections.abc import Callable, Iterator
from wsgiref.util import is_hop_by_hop

import pytest

from flyllm import GenerationRequest, LLMManager
from flyllm.sse import CONTENT_TYPE, HEADERS, server_sent_events
from flyllm.testing import (
    Behaviour,
    ErrorKind,
    ProviderSimulator,
    Reply,
    SimulatedProvider,
    SimulatedToolCall,
    cut,
    error_event,
    stall,
)
from tests.public.processes import run
from tests.public.web_apps import PROMPT, manager_of
from tests.public.web_servers import Browser, body, gunicorn, in_thread

TEXT = 'One "two"\r\n\r\ndata: three\n\nevent: done\n\nand\u2028four, cinq é, 六 \U0001f3ee.'
LONG = "word " * 2000
"""With a pause of a hundredth of a second between words it takes twenty seconds."""
SOON = 20.0
"""Seconds for what should take a tenth of one, on a busy machine."""


def eventually(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + SOON
    while not condition():
        assert time.monotonic() < end, "it never came to that"
        time.sleep(0.01)


@pytest.fixture(scope="module")
def upstreams() -> Iterator[ProviderSimulator]:
    with ProviderSimulator() as simulator:
        yield simulator


@pytest.fixture
def upstream(upstreams: ProviderSimulator) -> Iterator[SimulatedProvider]:
    yield upstreams["openai"]
    upstreams["openai"].reset().disconnect()


@pytest.fixture(scope="module")
def manager(upstreams: ProviderSimulator) -> Iterator[LLMManager]:
    with manager_of(upstreams.url("openai")) as manager:
        yield manager


POSIX_ONLY = pytest.mark.skipif(sys.platform == "win32", reason="gunicorn runs on POSIX only")


@pytest.fixture(scope="module", params=["flask", "django", "bare", pytest.param("gunicorn", marks=POSIX_ONLY)])
def port(request: pytest.FixtureRequest, upstreams: ProviderSimulator) -> Iterator[int]:
    """The port of an application: under its framework's own server, or Flask's under gunicorn."""
    url = upstreams.url("openai")
    with gunicorn(url) if request.param == "gunicorn" else in_thread(request.param, url) as port:
        yield port


# ---- through a server


def test_a_browser_reads_the_whole_answer(port: int, upstream: SimulatedProvider) -> None:
    upstream.reply(Reply(TEXT, prompt_tokens=5, completion_tokens=9))
    with Browser(port) as browser:
        *chunks, (last, end), done = browser.events()
        assert browser.response.getheader("content-type") == CONTENT_TYPE
        assert {name: browser.response.getheader(name) for name in HEADERS} == HEADERS
    assert len(chunks) > 3
    assert {name for name, _ in chunks} == {"message"}
    assert "".join(data["content"] for _, data in chunks) == TEXT
    assert (last, end["finish_reason"]) == ("message", "stop")
    assert (end["usage"]["prompt_tokens"], end["usage"]["completion_tokens"]) == (5, 9)
    assert done == ("done", {})
    eventually(lambda: body(port, "/in-flight") == "0")


def test_every_piece_reaches_the_browser_at_once(port: int, upstream: SimulatedProvider) -> None:
    """The upstream is silent after four frames, and the browser has what was in them."""
    upstream.reply(LONG, fault=stall(after=4))
    with Browser(port) as browser:
        assert next(browser.events()) == ("message", {"content": "word"})
    upstream.disconnect()
    eventually(lambda: body(port, "/in-flight") == "0")


@pytest.mark.parametrize("reset", [False, True], ids=["closed", "reset"])
def test_a_browser_that_goes_away_ends_the_stream_at_the_provider(
    port: int, upstream: SimulatedProvider, reset: bool
) -> None:
    upstream.reply(LONG, pace=0.01)
    browser = Browser(port)
    events = browser.events()
    for _ in range(3):
        next(events)
    assert body(port, "/in-flight") == "1"
    browser.leave(reset=reset)
    assert upstream.wait_for(lambda i: i.requests[0].disconnected, timeout=SOON)
    eventually(lambda: body(port, "/in-flight") == "0")
    assert upstream.count == 1


def test_an_answer_that_breaks_off_is_no_whole_one(port: int, upstream: SimulatedProvider) -> None:
    upstream.reply(LONG, times=1, pace=0.01, fault=cut(after=5, how="close"))
    with Browser(port) as browser:
        *chunks, end = browser.events()
    assert chunks
    assert all(data["content"] for _, data in chunks)
    assert end == ("error", {"error": "RequestError"})
    eventually(lambda: body(port, "/in-flight") == "0")


def test_a_failure_before_the_first_content_is_the_views(port: int, upstream: SimulatedProvider) -> None:
    upstream.fail(ErrorKind.INVALID_REQUEST)
    with Browser(port) as browser:
        assert browser.response.status == 503
        assert browser.response.read() == b"InvalidRequestError"


# ---- without one


@pytest.mark.parametrize(
    ("limit", "kind"), [({"idle_timeout": 0.2}, b"RequestError"), ({"timeout": 2.0}, b"DeadlineExceededError")]
)
def test_a_silent_upstream_ends_at_the_requests_limits(
    manager: LLMManager, upstream: SimulatedProvider, limit: dict[str, float], kind: bytes
) -> None:
    upstream.reply(LONG, fault=stall(after=4))
    *chunks, last = server_sent_events(manager.generate_stream(GenerationRequest(PROMPT, **limit)))  # type: ignore[arg-type]
    assert chunks
    assert last == b'event: error\ndata: {"error": "%s"}\n\n' % kind


def test_a_body_that_was_never_begun_ends_its_stream_when_closed(
    manager: LLMManager, upstream: SimulatedProvider
) -> None:
    """As the server does after a HEAD request; more than once does no harm, and nothing comes afterwards."""
    upstream.reply(LONG, pace=0.01)
    events = server_sent_events(manager.generate_stream(PROMPT))
    events.close()
    events.close()
    assert list(events) == []
    assert manager.instances[0].in_flight == 0
    assert upstream.wait_for(lambda i: i.requests[0].disconnected, timeout=SOON)


@pytest.mark.parametrize("begun", [False, True])
def test_a_body_that_is_dropped_ends_its_stream(manager: LLMManager, upstream: SimulatedProvider, begun: bool) -> None:
    """Without waiting for the garbage collector: middleware that fails, or a server that forgets to close."""
    upstream.reply(LONG, pace=0.01)
    events = server_sent_events(manager.generate_stream(PROMPT))
    if begun:
        next(events)
    gc.disable()
    try:
        del events
        eventually(lambda: manager.instances[0].in_flight == 0)
    finally:
        gc.enable()


def test_a_stream_that_was_closed_before_it_was_sent_is_no_whole_answer(
    manager: LLMManager, upstream: SimulatedProvider, caplog: pytest.LogCaptureFixture
) -> None:
    """The body made in a `with` block and sent after it: an empty answer must not pass for one."""
    upstream.reply(LONG, pace=0.01)
    with manager.generate_stream(PROMPT) as stream:
        events = server_sent_events(stream)
    assert list(events) == [b'event: error\ndata: {"error": "StreamInterruptedError"}\n\n']
    assert "`with` block" in caplog.text


def test_the_browser_is_told_the_kind_of_error_and_the_log_its_text(
    manager: LLMManager, upstream: SimulatedProvider, caplog: pytest.LogCaptureFixture
) -> None:
    upstream.reply(LONG, fault=error_event(after=4))
    sent = b"".join(server_sent_events(manager.generate_stream(PROMPT)))
    assert sent.endswith(b'event: error\ndata: {"error": "ServerError"}\n\n')
    assert b"The server had an error" not in sent
    (record,) = [record for record in caplog.records if record.name == "flyllm.streams"]
    assert record.levelno == logging.WARNING
    assert "The server had an error" in record.getMessage()


def test_reasoning_and_tool_calls_come_too(upstreams: ProviderSimulator) -> None:
    upstream = upstreams["togetherai"]
    upstream.reply(Reply(reasoning="Hm.", tool_calls=(SimulatedToolCall("weather", {"city": "Paris"}),)))
    builder = LLMManager.builder().add_instance("togetherai", "m", "k-0123456789abcdef").custom_endpoint(upstream.url)
    with builder.build() as manager:
        *events, done = server_sent_events(manager.generate_stream(PROMPT))
    chunks = [json.loads(event.removeprefix(b"data: ")) for event in events]
    assert "".join(chunk.get("reasoning", "") for chunk in chunks) == "Hm."
    (call,) = chunks[-1]["tool_calls"]
    assert (call["name"], json.loads(call["arguments"])) == ("weather", {"city": "Paris"})
    fragments = [fragment for chunk in chunks for fragment in chunk.get("tool_call_deltas", ())]
    assert {fragment["index"] for fragment in fragments} == {0}
    assert "".join(fragment.get("arguments", "") for fragment in fragments) == call["arguments"]
    assert chunks[-1]["finish_reason"] == "tool_calls"
    assert done.startswith(b"event: done\n")


def test_an_answer_that_begins_again_says_so(manager: LLMManager, upstream: SimulatedProvider) -> None:
    upstream.reply("one two three").enqueue("four five six seven", pace=0.01, fault=cut(after=4, how="close"))
    request = GenerationRequest(PROMPT, on_interrupt="restart")
    *events, _, done = server_sent_events(manager.generate_stream(request))
    text = ""
    for event in events:
        data = json.loads(event.removeprefix(b"data: "))
        text = "" if data.get("reset") else text + data["content"]
    assert b'data: {"reset": true}\n\n' in events
    assert text == "one two three"
    assert done.startswith(b"event: done\n")


def test_half_a_surrogate_pair_does_not_break_the_answer(manager: LLMManager, upstream: SimulatedProvider) -> None:
    """Some models' tokens end inside a character; the browser joins the halves again."""
    halves = [{"choices": [{"index": 0, "delta": {"content": half}}]} for half in "\ud83c\udfee"]
    end = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    body = "".join(f"data: {json.dumps(event)}\n\n" for event in (*halves, end)) + "data: [DONE]\n\n"
    upstream.enqueue(Behaviour(body=body.encode(), content_type="text/event-stream"))
    first, second, *_ = server_sent_events(manager.generate_stream(PROMPT))
    assert first == b'data: {"content": "\\ud83c"}\n\n'
    assert second == b'data: {"content": "\\udfee"}\n\n'


def test_no_header_is_the_servers_own() -> None:
    """WSGI forbids an application to set `Connection` and its like."""
    assert not any(map(is_hop_by_hop, HEADERS))


def test_the_module_imports_no_framework() -> None:
    script = "import sys, flyllm.sse; print(sys.modules.keys() & {'django', 'flask', 'werkzeug', 'openai', 'tenacity'})"
    assert run(sys.executable, "-c", script).stdout.strip() == "set()"
