"""What the end of an attempt means for its instance: less load, a rest, ejection or trust. Under the pool's lock."""

from collections.abc import Iterable

from flyllm._clock import Clock
from flyllm._resilience.classification import Signal
from flyllm._routing.instance import InstanceState
from flyllm._routing.lease import Lease, Report
from flyllm.errors import AuthenticationError, ModelNotFoundError

DENIALS = 2
"""403s in a row, without a code that speaks of the key, after which it is taken for the key's fault."""

DENIED_FOR = 60.0
"""Seconds of the first ejection then."""


def slow_down(state: InstanceState, lease: Lease, report: Report, now: float, clock: Clock) -> None:
    """Give an instance less that refused for load: no more at once than it still has, and perhaps a rest."""
    if lease.probe:
        state.ceiling.restart()
    cool = state.ceiling.refused(state.in_flight, lease.began, now, clock)
    if report.error is None or report.error.retry_after is None:  # its own word on that goes before a guess
        state.cool(cool, now)


def judge(state: InstanceState, everyone: Iterable[InstanceState], lease: Lease, report: Report, now: float) -> None:
    """Let the breaker see how an attempt ended; where that closes it, others that are down are tried again soon."""
    verdict, error, breaker = report.verdict, report.error, state.breaker
    doubtful = isinstance(error, AuthenticationError) and verdict.eject is None
    unable = report.aside and (doubtful or isinstance(error, ModelNotFoundError))
    if not unable:
        state.denied = state.denied + 1 if doubtful else 0
    if error is not None and not unable and (verdict.eject is not None or state.denied >= DENIALS):
        breaker.eject(lease.began, now, verdict.eject or DENIED_FOR, error, probe=lease.probe)
    elif verdict.signal in (Signal.SOFT, Signal.HARD):
        breaker.failed(
            verdict.signal,
            lease.began,
            now,
            probe=lease.probe,
            peers=lambda: _outcomes(everyone, state, lease.began, now),
            under_way=[other.began for other in state.leases],
        )
    elif breaker.answered(verdict.signal, lease.began, now, probe=lease.probe):
        for other in everyone:
            other.breaker.hurry(now)


def _outcomes(everyone: Iterable[InstanceState], besides: InstanceState, began: float, now: float) -> tuple[int, int]:
    """Return attempts and failures of the others; what was sent there before `began` and has not ended did not fail."""
    others = [s for s in everyone if s is not besides and s.breaker.closed]
    counts = [s.breaker.window.counts(now) for s in others]
    under_way = sum(lease.began < began for s in others for lease in s.leases)
    return sum(count[0] for count in counts) + under_way, sum(count[1] for count in counts)
