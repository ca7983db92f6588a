"""Rules of the latency average."""

import math

from hypothesis import given
from hypothesis import strategies as st

from flyllm._routing.stats import FAILURE_FLOOR, TAU, Latency

SECONDS = st.floats(0.001, 600)


def test_a_slower_answer_counts_at_once() -> None:
    """A sample above the average becomes the average."""
    latency = Latency()
    latency.record(1.0, 0.0, success=True)
    latency.record(9.0, 0.1, success=True)
    assert latency.value == 9.0


def test_a_faster_answer_counts_gradually() -> None:
    """After TAU seconds an old value keeps the weight 1/e."""
    latency = Latency()
    latency.record(9.0, 0.0, success=True)
    latency.record(1.0, TAU, success=True)
    assert latency.value is not None
    assert math.isclose(latency.value, 9 / math.e + 1 * (1 - 1 / math.e))


def test_failing_fast_is_not_being_fast() -> None:
    """A failure counts as FAILURE_FLOOR seconds at least, a slow one as long as it took."""
    latency = Latency()
    latency.record(0.001, 0.0, success=False)
    assert latency.value == FAILURE_FLOOR
    latency.record(60.0, 0.0, success=False)
    assert latency.value == 60.0


@given(st.lists(st.tuples(SECONDS, st.floats(0, 100), st.booleans()), min_size=1, max_size=30))
def test_the_average_stays_among_its_samples(samples: list[tuple[float, float, bool]]) -> None:
    """However samples come, the value lies between the least and the greatest of them."""
    latency, now, seen = Latency(), 0.0, []
    for seconds, gap, success in samples:
        now += gap
        latency.record(seconds, now, success=success)
        seen.append(seconds if success else max(seconds, FAILURE_FLOOR))
        assert latency.value is not None
        assert min(seen) * 0.999999 <= latency.value <= max(seen) * 1.000001
