"""Where one request may still go: its task, what it has tried, and what is ruled out for it."""

from collections.abc import Collection

from flyllm._resilience.classification import Exclusion
from flyllm._routing.instance import Instance


class Route:
    """One request's view of the instances. Owned by the request's thread; the pool reads it while that thread waits."""

    __slots__ = ("_excluded", "_not_before", "last", "rounds", "task", "tried")

    def __init__(self, task: str | None) -> None:
        self.task = task
        self.tried: set[int] = set()
        self.last: int | None = None
        self.rounds = 0
        self._excluded: set[object] = set()
        self._not_before: dict[int, float] = {}

    def serves(self, instance: Instance) -> bool:
        """Whether `instance` supports the task; a request without one may go anywhere."""
        return self.task is None or self.task in instance.tasks

    def allows(self, instance: Instance) -> bool:
        """Whether nothing rules `instance` out for good."""
        return not self._excluded or self._excluded.isdisjoint(
            (instance.id, (instance.provider, instance.model), instance.provider)
        )

    def exclude(self, instance: Instance, what: Exclusion) -> None:
        """Rule out `instance`, its model or its provider for this request."""
        if what is Exclusion.INSTANCE:
            self._excluded.add(instance.id)
        elif what is Exclusion.MODEL:
            self._excluded.add((instance.provider, instance.model))
        elif what is Exclusion.PROVIDER:
            self._excluded.add(instance.provider)

    def mark_tried(self, instance: Instance, not_before: float | None) -> None:
        """Avoid `instance` until all others were tried, and until `not_before` if it asked for that."""
        self.last = instance.id
        self.tried.add(instance.id)
        if not_before is not None:
            self._not_before[instance.id] = not_before

    def start_over(self, eligible: Collection[int], now: float, pause: float) -> float:
        """Begin another round over the `eligible` ids; return the seconds to pause, at least `pause`.

        Instances that asked to be left alone for longer than the pause sit this round out; if all did, the pause
        lasts until the first of them is ready.
        """
        first = min((self._not_before.get(number, now) for number in eligible), default=now)
        begin = max(now + pause, first)
        self.tried = {number for number in self.tried if self._not_before.get(number, now) > begin}
        self.rounds += 1
        return begin - now
