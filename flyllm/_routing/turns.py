"""Taking turns smoothly by weight among candidates that stay the same: the smooth weighted round robin of nginx.

Everyone's score grows by its weight, the highest is chosen and pays all. Over the sum of the weights everyone is chosen
exactly as often as its weight says.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import add, attrgetter
from typing import Generic, TypeVar

from flyllm._routing.instance import InstanceView

View = TypeVar("View", bound=InstanceView)


class Turns(Generic[View]):
    """The turns of `candidates`, from the `scores` that they have, 0 where they have none."""

    __slots__ = ("_order", "_scores", "_sum", "_weights", "candidates")

    def __init__(
        self, candidates: Sequence[View], scores: Mapping[int, float], weight: Callable[[View], float]
    ) -> None:
        self.candidates = candidates
        # The least recently selected first, so that of equal scores the first is the one to take.
        self._order = sorted(candidates, key=attrgetter("last_selected"))
        self._scores = [scores.get(candidate.id, 0.0) for candidate in self._order]
        self._weights = [weight(candidate) for candidate in self._order]
        self._sum = sum(self._weights)

    def next(self) -> View:
        """Return the candidate whose turn it is, among equals the least recently selected."""
        scores = self._scores = list(map(add, self._scores, self._weights))
        at = scores.index(max(scores))
        scores.append(scores.pop(at) - self._sum)
        self._weights.append(self._weights.pop(at))
        chosen = self._order.pop(at)
        self._order.append(chosen)
        return chosen

    def scores(self) -> Iterable[tuple[int, float]]:
        """Return the scores as they are now, by id."""
        return zip((candidate.id for candidate in self._order), self._scores, strict=True)
