"""What is counted of a batch, how fast it is and when it will end: on a clock moved by hand."""

import pickle
import threading

import pytest

from flyllm._batch.pace import BUCKETS
from flyllm._batch.progress import Progress
from flyllm.errors import LLMError
from flyllm.types import Attempt, LLMResponse, TokenUsage
from tests.unit.fakes import ManualClock


def attempt(number: int = 1, tokens: int | None = 5) -> Attempt:
    return Attempt(number, 1, "i1", "openai", "m1", 0.0, 0.0, 0.1, "success", usage=TokenUsage(total_tokens=tokens))


ANSWER = LLMResponse("ok", attempts=(attempt(),))
FAILURE = LLMResponse(error=LLMError("no"), attempts=(attempt(1, None), attempt(2, None), attempt(3, None)))


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


def run(progress: Progress, clock: ManualClock, responses: int, seconds: float) -> None:
    """Let `responses` come in equal steps within `seconds`."""
    progress.begun()
    for _ in range(responses):
        clock.advance(seconds / responses)
        progress.finished(ANSWER)


def test_nothing_is_known_of_a_batch_that_has_not_begun(clock: ManualClock) -> None:
    snapshot = Progress(clock, 10).snapshot(0, ())
    assert (snapshot.done, snapshot.total, snapshot.rate, snapshot.eta, snapshot.elapsed) == (0, 10, 0.0, None, 0.0)
    assert (snapshot.tokens, snapshot.cost) == (None, None)


def test_failures_and_attempts_beyond_the_first_are_counted(clock: ManualClock) -> None:
    progress = Progress(clock, 10)
    for response in (ANSWER, FAILURE, ANSWER):
        progress.begun()
        progress.finished(response)
    snapshot = progress.snapshot(4, ["groq", "mistral"])
    assert (snapshot.done, snapshot.failed, snapshot.retried, snapshot.in_flight) == (3, 1, 2, 4)
    assert snapshot.cooling == ("groq", "mistral")


def test_a_failure_without_attempts_takes_no_retry_back(clock: ManualClock) -> None:
    progress = Progress(clock, None)
    progress.finished(LLMResponse(error=LLMError("no instance")))
    assert progress.snapshot(0).retried == 0


def test_tokens_are_those_of_all_attempts(clock: ManualClock) -> None:
    """An answer that had to be made again was paid for twice."""
    progress = Progress(clock, None)
    progress.finished(LLMResponse("ok", usage=TokenUsage(total_tokens=5), attempts=(attempt(1, 7), attempt(2, 5))))
    progress.finished(LLMResponse("ok", usage=TokenUsage(3, 4)))
    progress.finished(FAILURE)
    assert progress.snapshot(0).tokens == 19


def test_tokens_and_cost_are_unknown_until_somebody_tells_them(clock: ManualClock) -> None:
    progress = Progress(clock, None)
    progress.finished(FAILURE)
    assert (progress.snapshot(0).tokens, progress.snapshot(0).cost) == (None, None)
    progress.finished(LLMResponse("ok", cost=0.25))
    progress.finished(LLMResponse("ok", cost=0.0))
    assert progress.snapshot(0).cost == 0.25


def test_recalled_responses_are_done_but_took_no_time_tokens_or_money(clock: ManualClock) -> None:
    progress = Progress(clock, 1000)
    for _ in range(500):
        progress.finished(LLMResponse("ok", attempts=(attempt(1), attempt(2)), cost=1.0), recalled=True)
    progress.finished(FAILURE, recalled=True)
    snapshot = progress.snapshot(0)
    assert (snapshot.done, snapshot.recalled, snapshot.failed, snapshot.retried) == (501, 501, 1, 0)
    assert (snapshot.rate, snapshot.eta, snapshot.tokens, snapshot.cost) == (0.0, None, None, None)


def test_time_spent_on_recalling_does_not_slow_the_rate(clock: ManualClock) -> None:
    progress = Progress(clock, 1000)
    clock.advance(100)
    run(progress, clock, 20, 10.0)
    assert progress.snapshot(0).rate == pytest.approx(2.0)
    assert progress.snapshot(0).elapsed == pytest.approx(110.0)


def test_the_rate_is_that_of_the_last_half_minute(clock: ManualClock) -> None:
    progress = Progress(clock, None)
    run(progress, clock, 6000, 60.0)
    assert progress.snapshot(0).rate == pytest.approx(100.0, rel=0.02)
    run(progress, clock, 60, 30.0)
    assert progress.snapshot(0).rate == pytest.approx(2.0, rel=0.05)
    clock.advance(31)
    assert progress.snapshot(0).rate == 0.0


def test_one_early_response_is_no_rate_of_a_thousand(clock: ManualClock) -> None:
    progress = Progress(clock, 1000)
    run(progress, clock, 1, 0.001)
    assert progress.snapshot(0).rate == 1.0


def test_the_end_is_foretold_from_the_present_pace(clock: ManualClock) -> None:
    progress = Progress(clock, 10_000)
    run(progress, clock, 6000, 60.0)
    run(progress, clock, 1000, 100.0)
    assert progress.snapshot(0).eta == pytest.approx(300.0, rel=0.05)


def test_slow_requests_have_a_steady_forecast(clock: ManualClock) -> None:
    """Four at a time, each of a minute: half of the time nothing came within the last half minute."""
    progress = Progress(clock, 100)
    progress.begun()
    for _ in range(5):
        clock.advance(60)
        for _ in range(4):
            progress.finished(ANSWER)
    for _ in range(6):
        eta = progress.snapshot(4).eta
        assert eta is not None
        assert eta == pytest.approx(1200, rel=0.2)
        clock.advance(9)


@pytest.mark.parametrize(("total", "eta"), [(None, None), (20, 0.0), (19, 0.0)])
def test_no_end_is_foretold_where_none_is_known_or_left(
    clock: ManualClock, total: int | None, eta: float | None
) -> None:
    progress = Progress(clock, total)
    run(progress, clock, 20, 5.0)
    assert progress.snapshot(0).eta == eta


def test_a_standstill_has_no_end(clock: ManualClock) -> None:
    progress = Progress(clock, 100)
    run(progress, clock, 20, 5.0)
    clock.advance(400)
    assert progress.snapshot(3).eta is None


def test_a_million_responses_leave_nothing_behind(clock: ManualClock) -> None:
    """The windows hold as many numbers as they have buckets."""
    progress = Progress(clock, 1_000_000)
    for _ in range(200_000):
        clock.now += 0.005
        progress.finished(ANSWER)
    assert progress.snapshot(0).done == 200_000
    assert all(len(window._buckets) <= BUCKETS for window in (progress._pace._recent, progress._pace._long))


def test_counts_are_right_from_any_thread(clock: ManualClock) -> None:
    progress = Progress(clock, None)

    def count() -> None:
        for _ in range(2000):
            progress.begun()
            progress.finished(ANSWER)

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (progress.snapshot(0).done, progress.snapshot(0).tokens) == (8000, 40_000)


def test_a_snapshot_pickles(clock: ManualClock) -> None:
    snapshot = Progress(clock, 3).snapshot(1, ("a",))
    assert pickle.loads(pickle.dumps(snapshot)) == snapshot
