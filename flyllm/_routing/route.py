"""Where one request may still go: its task, what it has tried, and what is ruled out for it."""

from contextlib import AbstractContextManager

from flyllm._resilience.classification import Exclusion
from flyllm._routing.instance import Demand, Instance

_UNKNOWN = Demand()


class Route:
    """One request's view of the instances. Owned by the request's thread; the pool reads it while that thread waits.

    Attributes:
        tried: ids of the instances tried in this round.
        avoided: the provider to leave aside while others are to be had: it is overloaded as a whole.
        attempts: attempts made so far.
        not_before: when the next attempt may begin, on the monotonic clock.
        prefilled: whether it goes on from an answer's beginning, which not every API takes.
        waits: a context that the request is in while it waits for a place, pauses of its own excepted; None for none.
        pays: whether the next attempt costs a token of the retry budget.
        demand: what it takes of limits on tokens.
        needs: what an instance must be able to do, beside answering, to be of use.
        only: provider and model to stay with; None for any.
    """

    __slots__ = (
        "_bound",
        "_excluded",
        "_window",
        "attempts",
        "avoided",
        "demand",
        "last",
        "needs",
        "not_before",
        "only",
        "pays",
        "prefilled",
        "rounds",
        "task",
        "tried",
        "waits",
    )

    def __init__(
        self,
        task: str | None,
        demand: Demand = _UNKNOWN,
        waits: AbstractContextManager[None] | None = None,
        *,
        needs: frozenset[str] = frozenset(),
        only: tuple[str, str] | None = None,
    ) -> None:
        self.task, self.demand, self.waits = task, demand, waits
        self.needs, self.only, self._bound = needs, only, bool(needs) or only is not None
        self.tried: set[int] = set()
        self.last: int | None = None
        self.avoided: str | None = None
        self.attempts = self.rounds = 0
        self.not_before = 0.0
        self.pays = self.prefilled = False
        self._excluded: set[object] = set()
        self._window = 0

    def serves(self, instance: Instance) -> bool:
        """Whether `instance` supports the task; a request without one may go anywhere."""
        return self.task is None or self.task in instance.tasks

    def suits(self, instance: Instance) -> bool:
        """Whether `instance` can do what is needed."""
        return self.needs <= instance.can

    def allows(self, instance: Instance) -> bool:
        """Whether nothing rules `instance` out for good."""
        if self._bound and not (self.suits(instance) and self.only in (None, (instance.provider, instance.model))):
            return False
        if self._window and (instance.context_window or 0) <= self._window:
            return False
        if self.prefilled and instance.api.prefill is None:
            return False
        return not self._excluded or self._excluded.isdisjoint(
            (instance.id, (instance.provider, instance.model), instance.provider)
        )

    @property
    def restricted(self) -> bool:
        """Whether anything at all is ruled out for good."""
        return bool(self._excluded) or self._window > 0 or self.prefilled or self._bound

    def exclude(self, instance: Instance, what: Exclusion) -> None:
        """Rule out `instance`, its model or its provider for this request."""
        if what is Exclusion.INSTANCE:
            self._excluded.add(instance.id)
        elif what is Exclusion.MODEL:
            self._excluded.add((instance.provider, instance.model))
        elif what is Exclusion.PROVIDER:
            self._excluded.add(instance.provider)

    def outgrew(self, instance: Instance) -> None:
        """Allow only instances whose declared context window is larger than that of `instance`."""
        unknown = 2**63  # larger than any: without a number there is nothing to compare
        self._window = max(self._window, instance.context_window or unknown)

    def mark_tried(self, instance: Instance, *, again: bool) -> None:
        """Count an attempt, and avoid `instance` until all others were tried, unless it may be used `again` at once."""
        self.last = instance.id
        self.attempts += 1
        if not again:
            self.tried.add(instance.id)

    def start_over(self) -> None:
        """Begin another round: what was tried may be tried again."""
        self.tried.clear()
        self.rounds += 1
