"""The default behaviour and the queue before it."""

from random import Random

from flyllm.testing import Behaviour, ErrorKind, Fault
from flyllm.testing.script import Script


def test_the_queue_goes_before_the_default() -> None:
    """Queued behaviours hold once each and in order; then the default holds."""
    script = Script()
    script.always("default", {})
    script.enqueue("first", 2, {})
    script.enqueue("second", 1, {})
    assert [script.next().reply for _ in range(5)] == ["first", "first", "second", "default", "default"]
    assert script.pending == 0


def test_only_faults_of_accepting_are_taken_at_accept() -> None:
    """A new connection uses up a queued reset or blackhole, and nothing else."""
    script = Script()
    script.enqueue(Fault.RESET_ON_ACCEPT, 1, {})
    script.enqueue(Fault.RESET, 1, {})
    assert script.at_accept() is Fault.RESET_ON_ACCEPT
    assert script.at_accept() is None
    assert script.next().fault is Fault.RESET
    script.always(Fault.BLACKHOLE, {})
    assert script.at_accept() is script.at_accept() is Fault.BLACKHOLE


def test_scripted_answers_do_not_fail_by_chance() -> None:
    """What is queued happens as queued, whatever the error rate of the default; a default answer keeps the rate."""
    script = Script()
    script.change({"error_rate": 1.0, "error": ErrorKind.OVERLOADED})
    script.enqueue("certain", 1, {})
    script.enqueue(Behaviour("by chance", error_rate=1.0), 1, {})
    script.always("usual", {})
    certain, chance, usual = (script.next().erring(Random(1)) for _ in range(3))
    assert certain is None
    assert chance is ErrorKind.SERVER_ERROR
    assert usual is ErrorKind.OVERLOADED


def test_clear_keeps_the_default_unless_told() -> None:
    """Clearing drops the queue; the default goes only with it where asked."""
    script = Script()
    script.always("default", {})
    script.enqueue("queued", 3, {})
    script.clear(default=False)
    assert script.next() == Behaviour("default")
    script.clear(default=True)
    assert script.next() == Behaviour()
