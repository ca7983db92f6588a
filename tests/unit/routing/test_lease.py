"""Rules of leases."""

from contextlib import suppress

from flyllm._routing.lease import Lease, Outcome
from tests.unit.fakes import instance


def test_a_lease_gives_its_place_back_exactly_once() -> None:
    """Closing again does nothing, whatever the second outcome is."""
    given: list[tuple[object, Outcome, float]] = []
    place = instance(1)
    lease = Lease(place, "lru", lambda *what: given.append(what))
    lease.close(Outcome.SUCCESS, 1.5)
    lease.close(Outcome.FAILURE, 2.5)
    assert given == [(place, Outcome.SUCCESS, 1.5)]


def test_a_give_back_that_raises_is_not_repeated() -> None:
    """Also a close that was interrupted counts as the one close."""
    calls = []

    def give_back(*what: object) -> None:
        calls.append(what)
        raise KeyboardInterrupt

    lease = Lease(instance(1), "lru", give_back)
    for _ in range(2):
        with suppress(KeyboardInterrupt):
            lease.close(Outcome.IGNORED, 0.0)
    assert len(calls) == 1
