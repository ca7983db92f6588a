"""Rules of leases."""

import contextlib

import pytest

from flyllm._resilience.classification import Signal, classify
from flyllm._routing.instance import Demand
from flyllm._routing.lease import GiveBack, Lease, Report
from flyllm._routing.limits import RateLimits
from flyllm.errors import RateLimitError, ServerError
from flyllm.types import TokenUsage
from tests.unit.fakes import GOOD, failed, instance


def lease_of(give_back: GiveBack) -> Lease:
    ticket = RateLimits(None, None).start(0, 0.0)
    return Lease(instance(1), "lru", 0.0, give_back, demand=Demand(), ticket=ticket, probe=False)


def test_a_lease_gives_its_place_back_exactly_once() -> None:
    """Closing again does nothing, whatever the second report is."""
    given: list[tuple[Lease, Report]] = []
    lease = lease_of(lambda *what: given.append(what))
    lease.close(GOOD)
    lease.close(failed(ServerError("x")))
    assert given == [(lease, GOOD)]


def test_a_give_back_that_raises_is_not_repeated() -> None:
    """Also a close that was interrupted counts as the one close."""
    calls = []

    def give_back(*what: object) -> None:
        calls.append(what)
        raise KeyboardInterrupt

    lease = lease_of(give_back)
    for _ in range(2):
        with contextlib.suppress(KeyboardInterrupt):
            lease.close(Report.unused())
    assert len(calls) == 1


def test_an_answer_is_a_good_sign() -> None:
    """A success tells seconds, tokens and headers, and asks for no retry."""
    report = Report.success(1.5, TokenUsage(1, 2, 3), {"a": "b"})
    assert (report.verdict.signal, report.verdict.retry, report.error) == (Signal.GOOD, False, None)
    assert (report.seconds, report.usage, report.told) == (1.5, TokenUsage(1, 2, 3), [])


@pytest.mark.parametrize("error", [ServerError("x"), RateLimitError("x", retry_after=1.0)])
def test_a_failure_is_judged_by_its_class(error: ServerError | RateLimitError) -> None:
    """The report of an error carries its verdict."""
    report = Report.failure(0.5, error)
    assert (report.verdict, report.error, report.seconds) == (classify(error), error, 0.5)


def test_what_was_given_up_says_nothing() -> None:
    """Neither good nor bad: the caller ended it."""
    verdict = Report.unused().verdict
    assert (verdict.signal, verdict.eject, verdict.overload) == (Signal.NONE, None, False)
