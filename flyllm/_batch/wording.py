"""The words and numbers in which people read how far a batch is."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flyllm._batch.snapshot import BatchProgress

NAMED = 2
"""Cooling instances that are named; the others are counted."""


def facts_under_way(snapshot: "BatchProgress") -> dict[str, str]:
    """Return what is worth saying of a batch that goes on, by field and in the order to say it."""
    return _said(
        done=_done(snapshot),
        recalled=f"{snapshot.recalled:,} recalled" if snapshot.recalled else "",
        failed=f"{snapshot.failed:,} failed",
        retried=f"{snapshot.retried:,} retried",
        in_flight=f"{snapshot.in_flight:,} in flight",
        tokens=_tokens(snapshot.tokens),
        cost=_cost(snapshot.cost),
        rate=_rate(snapshot.rate),
        eta=f"{duration(snapshot.eta)} left" if snapshot.eta is not None else "",
        cooling=f"cooling: {some(snapshot.cooling)}" if snapshot.cooling else "",
    )


def facts_at_end(snapshot: "BatchProgress") -> dict[str, str]:
    """Return what is worth saying of a batch that is over; its rate is that of the whole run."""
    fresh, seconds = snapshot.done - snapshot.recalled, snapshot.elapsed
    return _said(
        done=_done(snapshot),
        recalled=f"{snapshot.recalled:,} recalled" if snapshot.recalled else "",
        failed=f"{snapshot.failed:,} failed",
        retried=f"{snapshot.retried:,} retried",
        in_flight=f"{snapshot.in_flight:,} broken off" if snapshot.in_flight else "",
        tokens=_tokens(snapshot.tokens),
        cost=_cost(snapshot.cost),
        rate=_rate(fresh / seconds) if fresh and seconds > 0 else "",
        elapsed=f"in {duration(seconds)}",
    )


def line(facts: Mapping[str, str]) -> str:
    """Return `facts` as one line of text."""
    rest = ", ".join(text for name, text in facts.items() if name != "cooling")
    return f"{rest}; {facts['cooling']}" if "cooling" in facts else rest


def _said(**facts: str) -> dict[str, str]:
    return {name: text for name, text in facts.items() if text}


def _done(snapshot: "BatchProgress") -> str:
    if not snapshot.total:
        return f"{snapshot.done:,} done"
    # Rounded down: 100 % means all.
    return f"{snapshot.done:,} of {snapshot.total:,} done ({100 * snapshot.done // snapshot.total} %)"


def _tokens(tokens: int | None) -> str:
    return "" if tokens is None else f"{compact(tokens)} tokens"


def _cost(cost: float | None) -> str:
    if cost is None:
        return ""
    return f"${cost:,.2f}" if cost >= 0.1 or not cost else f"${cost:.4f}"


def _rate(rate: float) -> str:
    if rate >= 1 or not rate:
        return f"{rate:,.0f}/s" if rate >= 100 or not rate else f"{rate:.1f}/s"
    return f"{60 * rate:.1f}/min"


def compact(number: int) -> str:
    """Return `number` in about three digits: 999, 182k, 1.2M."""
    if number < 1000:
        return str(number)
    size, units = number / 1000, iter("kMBT")
    unit = next(units)
    while size >= 999.5 and unit != "T":
        size, unit = size / 1000, next(units)
    return f"{size:.1f}{unit}" if size < 9.95 else f"{size:,.0f}{unit}"


def duration(seconds: float) -> str:
    """Return `seconds` in the two units that matter: 45s, 1m 40s, 2h 5m, 3d 4h."""
    whole = round(seconds)
    days, hours, minutes = whole // 86400, whole // 3600 % 24, whole // 60 % 60
    if days:
        return f"{days}d {hours}h"
    if hours:
        return f"{hours}h {minutes}m"
    return f"{minutes}m {whole % 60}s" if minutes else f"{whole}s"


def some(names: Sequence[str]) -> str:
    """Return the first of `names`, and how many more there are."""
    surplus = len(names) - NAMED
    return ", ".join([*names[:NAMED], *([f"+{surplus}"] if surplus > 0 else [])])
