"""Rules of a batch that is an iterator."""

import threading
from collections.abc import Iterator

import pytest

from flyllm._batch.options import BatchOptions
from flyllm.errors import BatchStoppedError, ConfigError, DeadlineExceededError, LLMError
from flyllm.observability.budget import Budget
from flyllm.request import GenerationRequest
from flyllm.types import Attempt, LLMResponse, TokenUsage
from tests.unit.batch.batches import HANG, iterated


def test_every_request_has_one_response() -> None:
    """In whatever order; the index tells which request it was."""
    responses = list(iterated(map(str, range(500))))
    assert sorted((response.index, response.content) for response in responses) == [(n, str(n)) for n in range(500)]


def test_responses_come_as_they_come() -> None:
    """A slow request holds up no other."""
    last = threading.Event()

    def answer(request: GenerationRequest) -> LLMResponse:
        if request.prompt == "0":
            assert last.wait(HANG)
        return LLMResponse(request.prompt)

    seen = []
    for response in iterated(map(str, range(20)), answer):
        seen.append(response.index)
        if len(seen) == 19:
            last.set()
    assert seen[-1] == 0


def test_responses_come_in_order_where_that_is_wanted() -> None:
    """Those that are early wait for those before them."""
    second = threading.Event()

    def answer(request: GenerationRequest) -> LLMResponse:
        if request.prompt == "0":
            assert second.wait(HANG)
        if request.prompt == "1":
            second.set()
        return LLMResponse(request.prompt)

    assert [response.index for response in iterated(map(str, range(50)), answer, ordered=True)] == list(range(50))


@pytest.mark.parametrize("ordered", [False, True])
@pytest.mark.parametrize("window", [1, 5])
def test_no_more_is_read_ahead_than_the_window(window: int, ordered: bool) -> None:
    """Requests read and not yet handed over are never more than it."""
    read = 0

    def source() -> Iterator[str]:
        nonlocal read
        for n in range(40):
            read += 1
            yield str(n)

    for handed, _ in enumerate(iterated(source(), window=window, ordered=ordered)):
        assert read - handed <= window


def test_the_requests_are_read_in_the_callers_thread() -> None:
    """Generators over a database connection belong to one thread."""

    def source() -> Iterator[str]:
        for n in range(10):
            assert threading.current_thread() is caller
            yield str(n)

    caller = threading.current_thread()
    assert len(list(iterated(source()))) == 10


def test_a_slow_source_holds_up_no_response() -> None:
    """Between two requests the responses that are there are handed over."""
    seen: list[int | None] = []

    def source() -> Iterator[str]:
        yield "a"
        yield "b"
        deadline = threading.Event()
        for _ in range(1000):
            if seen:
                break
            deadline.wait(0.001)
            yield "more"
        assert seen

    for response in iterated(source()):
        seen.append(response.index)


def test_what_the_source_raises_comes_after_the_responses() -> None:
    """What was read is finished and handed over; nothing paid for is lost."""

    def source() -> Iterator[str]:
        yield from "abc"
        raise OSError("the file ended early")

    seen: list[LLMResponse] = []
    with pytest.raises(OSError, match="ended early"):
        seen.extend(iterated(source()))
    assert sorted(response.content for response in seen) == ["a", "b", "c"]


def test_leaving_the_loop_ends_the_batch() -> None:
    """No thread and no request is left behind."""
    threads = set(threading.enumerate())
    read: list[int] = []

    def source() -> Iterator[str]:
        for n in range(10_000):
            read.append(n)
            yield str(n)

    for response in iterated(source(), window=8):
        if response.index == 20:
            break
    del response
    for thread in set(threading.enumerate()) - threads:
        thread.join(HANG)
        assert not thread.is_alive()
    assert len(read) < 100


def test_nothing_begins_before_the_first_response_is_asked_for() -> None:
    """An iterator that nobody uses costs nothing."""
    threads = threading.active_count()
    iterated(iter(["a"]))
    assert threading.active_count() == threads


# Stopping


def failing(request: GenerationRequest) -> LLMResponse:
    return LLMResponse(error=LLMError("no")) if "bad" in request.prompt else LLMResponse("ok")


def test_a_batch_stops_when_too_many_fail() -> None:
    """Those in flight are finished; then the batch says why it ended."""
    seen: list[LLMResponse] = []
    with pytest.raises(BatchStoppedError, match="4 requests failed, more than max_failures=3"):
        seen.extend(iterated((f"bad {n}" for n in range(1000)), failing, max_failures=3, window=1))
    assert len(seen) == 4


def test_as_many_failures_as_allowed_stop_nothing() -> None:
    """Up to the limit, and at the very end, it is no stop."""
    assert len(list(iterated(["bad", "a", "bad", "b"], failing, max_failures=2))) == 4
    assert len(list(iterated(["a", "bad"], failing, max_failures=0, window=1))) == 2


def costing(request: GenerationRequest) -> LLMResponse:
    usage = TokenUsage(60, 40, 100)
    attempt = Attempt(1, 0, "i", "openai", "m", 0.0, 0.0, 0.0, "success", usage=usage, cost=0.25)
    return LLMResponse("ok", usage=usage, attempts=(attempt, attempt), cost=0.5)


def test_a_batch_stops_when_its_tokens_are_spent() -> None:
    """Tokens of all attempts count: two of 100 for each response here."""
    seen: list[LLMResponse] = []
    with pytest.raises(BatchStoppedError, match=r"budget of 1000 tokens is used up \(1000\)"):
        seen.extend(iterated((str(n) for n in range(1000)), costing, budget=Budget(tokens=1000), window=1))
    assert len(seen) == 5


def test_a_batch_stops_when_its_money_is_spent() -> None:
    """Of all attempts: two of 0.25 for each response here."""
    seen: list[LLMResponse] = []
    with pytest.raises(BatchStoppedError, match=r"budget of 2 is used up"):
        seen.extend(iterated((str(n) for n in range(1000)), costing, budget=Budget(cost=2.0), window=1))
    assert len(seen) == 4


def test_a_batch_stops_at_its_deadline() -> None:
    """What was not sent is not sent any more."""
    with pytest.raises(DeadlineExceededError, match="its deadline passed"):
        list(iterated((str(n) for n in range(10**9)), deadline=0.05))


@pytest.mark.parametrize(
    "options",
    [
        {"max_workers": 0},
        {"window": -1},
        {"deadline": 0},
        {"max_failures": -1},
        {"budget": 100},
        {"executor": object()},
        {"journal": 7},
        {"progress": "yes"},
    ],
    ids=lambda options: next(iter(options)),
)
def test_an_argument_that_is_wrong_is_said_at_once(options: dict[str, object]) -> None:
    """By its name."""
    with pytest.raises(ConfigError, match=next(iter(options))):
        BatchOptions(**options).check()  # type: ignore[arg-type]


def test_everything_wrong_is_said_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        BatchOptions(max_workers=0, window=0, max_failures=-2).check()
    assert len(caught.value.faults) == 3
