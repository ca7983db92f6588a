"""Counts what every attempt took and how every request ended, and reports it when asked."""

import threading
from collections.abc import Iterable
from typing import NamedTuple, Protocol

from flyllm._clock import Clock, SystemClock
from flyllm.errors import APIError, LLMError, RequestError
from flyllm.observability.events import AttemptEvent, RequestEvent
from flyllm.observability.usage.books import NOWHERE, Books, Outcome, Place
from flyllm.observability.usage.report import UsageReport
from flyllm.observability.usage.tally import Tally
from flyllm.types import Attempt, TokenUsage

_NO_TASK, _UNDEFINED = "default", "unknown"
_OUTCOMES: dict[str, Outcome] = {"success": "succeeded", "abandoned": "abandoned", "outrun": "outrun"}


class Priced(Protocol):
    """The price of an instance."""

    @property
    def source(self) -> str | None:
        """Where it comes from, None where it is not known."""


class _Instance(NamedTuple):
    name: str
    provider: str
    model: str
    price: Priced | None


class UsageLedger:
    """Sums what all attempts took, also those whose answer was thrown away: they are paid for as well.

    `tasks` are the names of the defined ones: others are counted together, as anybody may make any up.
    """

    def __init__(self, tasks: Iterable[str] = (), clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._tasks: dict[str | None, str] = {None: _NO_TASK, **{name: name for name in tasks}}
        self._lock = threading.Lock()  # guards what follows; nothing is called under it that takes another
        self._instances: dict[int, _Instance] = {}
        self._begin()

    def _begin(self) -> None:
        self._since = self._clock.wall()
        self._attempts: dict[tuple[int, str, Outcome], Tally] = {}
        self._requests: dict[tuple[int, str, bool], int] = {}

    def add(self, instance_id: int, name: str, provider: str, model: str, price: Priced) -> None:
        """Have an instance in the reports, also before its first attempt."""
        with self._lock:
            self._instances[instance_id] = _Instance(name, provider, model, price)

    def on_attempt(self, event: AttemptEvent) -> None:
        """Add what an attempt took."""
        attempt = event.attempt
        task = self._tasks.get(event.request.task, _UNDEFINED)
        key = (attempt.instance_id, task, _OUTCOMES.get(attempt.outcome, "failed"))
        free = event.error is not None and _took_nothing(event.error, attempt.usage)
        with self._lock:
            tally = self._attempts.get(key)
            if tally is None:
                tally = self._attempts[key] = Tally()
                self._instances.setdefault(attempt.instance_id, _instance(attempt))
            if free:
                tally.add_free()
            else:
                tally.add(attempt)

    def on_request(self, event: RequestEvent) -> None:
        """Count a request; what it took, its attempts have told."""
        response = event.response
        where = response.instance_id if response.instance_id is not None else NOWHERE
        key = (where, self._tasks.get(event.request.task, _UNDEFINED), response.error is None)
        with self._lock:
            self._requests[key] = self._requests.get(key, 0) + 1

    def of(self, instance_id: int) -> TokenUsage:
        """Return the tokens of one instance; zeros before its first answer."""
        return _sum(tally for (number, _, _), tally in self._books()[0].attempts.items() if number == instance_id)

    def total(self) -> TokenUsage:
        """Return the tokens of all instances."""
        return _sum(self._books()[0].attempts.values())

    def report(self) -> UsageReport:
        """Return all that was counted."""
        return _report(*self._books())

    def reset(self) -> UsageReport:
        """Begin to count anew, and return all that was counted until then; nothing is in both or in neither."""
        with self._lock:
            books, instances = Books(self._since, self._attempts, self._requests), dict(self._instances)
            self._begin()
        return _report(books, instances)

    def _books(self) -> tuple[Books, dict[int, _Instance]]:
        with self._lock:
            attempts = {key: tally.copy() for key, tally in self._attempts.items()}
            return Books(self._since, attempts, dict(self._requests)), dict(self._instances)


def _took_nothing(error: LLMError, usage: TokenUsage) -> bool:
    """Whether an attempt was refused, which no provider has paid for, or never sent; one that broke off was neither."""
    refused = isinstance(error, APIError) or (isinstance(error, RequestError) and not error.sent)
    return refused and usage.prompt_tokens is None and usage.completion_tokens is None


def _sum(tallies: Iterable[Tally]) -> TokenUsage:
    total = Tally()
    for tally in tallies:
        total.merge(tally)
    return total.tokens()


def _report(books: Books, instances: dict[int, _Instance]) -> UsageReport:
    # Outside of the lock: where a price comes from may be looked up only now.
    places = {
        number: Place(at.name, at.provider, at.model, at.price.source if at.price is not None else None)
        for number, at in instances.items()
    }
    return books.report(places)


def _instance(attempt: Attempt) -> _Instance:
    return _Instance(attempt.instance_name, attempt.provider, attempt.model, None)
