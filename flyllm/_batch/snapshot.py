"""How far a batch is, as a value."""

from dataclasses import dataclass

from flyllm._batch import wording


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchProgress:
    """How far a batch is at one moment. Its text is one line that says it.

    Attributes:
        done: requests with a response, those that failed or were recalled included.
        failed: of these, the ones whose response is an error.
        recalled: of these, the ones whose response was in the journal of an earlier run.
        retried: attempts of this run beyond the first of their request.
        in_flight: requests handed to the workers and without a response.
        total: requests of the whole batch; None where that is not known.
        tokens: tokens that all attempts of this run are known to have used; None while none are.
        cost: what the answers of this run cost, in the currency of the instances' prices; None while no price is known.
        rate: responses of this run per second, over about the last 30 s.
        eta: seconds until the end at the present pace; None where that cannot be told.
        elapsed: seconds since the batch began.
        cooling: names of the instances that take no requests at the moment.
    """

    done: int
    failed: int = 0
    recalled: int = 0
    retried: int = 0
    in_flight: int = 0
    total: int | None = None
    tokens: int | None = None
    cost: float | None = None
    rate: float = 0.0
    eta: float | None = None
    elapsed: float = 0.0
    cooling: tuple[str, ...] = ()

    def __str__(self) -> str:
        return wording.line(wording.facts_under_way(self))
