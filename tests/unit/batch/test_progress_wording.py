"""How a batch's progress reads."""

from dataclasses import replace

import pytest

from flyllm._batch.snapshot import BatchProgress
from flyllm._batch.wording import compact, duration, facts_at_end, line, some

UNDER_WAY = BatchProgress(
    done=1200,
    failed=3,
    retried=41,
    in_flight=64,
    total=5000,
    tokens=182_400,
    rate=38.1,
    eta=100.0,
    elapsed=30.0,
    cooling=("groq/llama",),
)


def test_a_snapshot_reads_as_a_line() -> None:
    assert str(UNDER_WAY) == (
        "1,200 of 5,000 done (24 %), 3 failed, 41 retried, 64 in flight, 182k tokens, 38.1/s, 1m 40s left; "
        "cooling: groq/llama"
    )


def test_what_is_not_known_is_not_said() -> None:
    bare = replace(UNDER_WAY, total=None, tokens=None, eta=None, cooling=())
    assert str(bare) == "1,200 done, 3 failed, 41 retried, 64 in flight, 38.1/s"


def test_an_interrupted_batch_says_what_was_broken_off_and_how_fast_it_was_in_all() -> None:
    ended = replace(UNDER_WAY, recalled=600, cost=0.42)
    assert line(facts_at_end(ended)) == (
        "1,200 of 5,000 done (24 %), 600 recalled, 3 failed, 41 retried, 64 broken off, 182k tokens, $0.42, "
        "20.0/s, in 30s"
    )


@pytest.mark.parametrize(("done", "percent"), [(0, "(0 %)"), (4999, "(99 %)"), (5000, "(100 %)")])
def test_a_hundred_per_cent_means_all(done: int, percent: str) -> None:
    assert percent in str(replace(UNDER_WAY, done=done))


def test_an_empty_batch_has_no_percentage() -> None:
    assert line(facts_at_end(BatchProgress(done=0, total=0))) == "0 done, 0 failed, 0 retried, in 0s"


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"),
        (999, "999"),
        (1000, "1.0k"),
        (9951, "10k"),
        (182_400, "182k"),
        (999_499, "999k"),
        (999_500, "1.0M"),
        (1_234_567, "1.2M"),
        (7_100_000_000, "7.1B"),
        (10**15, "1,000T"),
    ],
)
def test_large_numbers_have_three_digits(number: int, text: str) -> None:
    assert compact(number) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.2, "0s"), (45, "45s"), (59.6, "1m 0s"), (100, "1m 40s"), (7500, "2h 5m"), (273_600, "3d 4h")],
)
def test_durations_have_the_two_units_that_matter(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("rate", "text"), [(0.0, "0/s"), (0.05, "3.0/min"), (1.0, "1.0/s"), (38.14, "38.1/s"), (1234.5, "1,234/s")]
)
def test_slow_batches_have_a_rate_per_minute(rate: float, text: str) -> None:
    assert f", {text}, " in str(replace(UNDER_WAY, rate=rate))


@pytest.mark.parametrize(
    ("cost", "text"), [(0.0, "$0.00"), (0.0042, "$0.0042"), (0.42, "$0.42"), (1234.5, "$1,234.50")]
)
def test_small_costs_have_more_digits(cost: float, text: str) -> None:
    assert f", {text}, " in str(replace(UNDER_WAY, cost=cost))


@pytest.mark.parametrize(
    ("names", "text"), [(["a"], "a"), (["a", "b"], "a, b"), (["a", "b", "c", "d", "e"], "a, b, +3")]
)
def test_a_few_cooling_instances_are_named(names: list[str], text: str) -> None:
    assert some(names) == text
