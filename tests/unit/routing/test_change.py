"""What an attempt's end does to its instance is told once, when it happens."""

from flyllm.errors import RateLimitError, RequestError, ServerError
from flyllm.observability.events import InstanceEvent
from tests.unit.fakes import FakeProvider, ManualClock, core, instance


def test_an_outage_is_told_at_its_beginning_and_its_end() -> None:
    """Failed probes between say nothing new."""
    adapter = FakeProvider(otherwise=RequestError("refused", sent=False))
    running = core(instance(0, adapter), max_retries=0)
    for _ in range(8):
        running.run(timeout=1.0)
        running.clock.advance(40.0)
    adapter._otherwise = FakeProvider()._otherwise
    running.run()
    told = running.recorder.instances
    assert [event.change for event in told] == ["ejected", "recovered"]
    assert told[0].seconds is not None
    assert 1.0 <= told[0].seconds <= 1.2
    assert isinstance(told[0].error, RequestError)
    assert told[1] == InstanceEvent(0, "i0", "openai", "m0", "recovered")


def test_a_rest_is_told_when_it_begins() -> None:
    """Refusals during it prolong it, and are no news."""
    running = core(
        instance(0, FakeProvider(RateLimitError("429", retry_after=9.0), RateLimitError("429", retry_after=9.0)))
    )
    assert running.run(timeout=60.0).success
    assert [event.change for event in running.recorder.instances] == ["cooling", "cooling"]
    assert all(event.seconds is not None and event.seconds >= 9.0 for event in running.recorder.instances)


def test_an_ordinary_failure_changes_nothing() -> None:
    """One error more is the attempt's news, not the instance's."""
    running = core(instance(0, FakeProvider(ServerError("x"))), clock=ManualClock())
    assert running.run().success
    assert running.recorder.instances == []
