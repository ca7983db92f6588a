"""One simulated provider under one URL: what a test scripts, and what it finds out afterwards."""

import asyncio
from collections.abc import Callable
from dataclasses import fields, replace
from difflib import get_close_matches
from typing import Any, Self

from flyllm._clock import SystemClock
from flyllm.testing.answering import Answerer
from flyllm.testing.behaviour import Answering, Behaviour, Outcome
from flyllm.testing.connection import Connection
from flyllm.testing.journal import Journal
from flyllm.testing.limiter import RateLimiter
from flyllm.testing.policy import Policy
from flyllm.testing.records import RecordedRequest
from flyllm.testing.script import Script
from flyllm.testing.served import Served
from flyllm.testing.server import Listener, LoopThread
from flyllm.testing.wires.base import ErrorKind, Reply
from flyllm.testing.wires.registry import ROWS, wires

_BEHAVIOUR = frozenset(f.name for f in fields(Behaviour))
_POLICY = frozenset(f.name for f in fields(Policy))


class SimulatedProvider:
    """A handle on one simulated provider; made by `ProviderSimulator.add`. All of it may be used from any thread."""

    def __init__(
        self,
        provider: str,
        name: str,
        listener: tuple[str, int],
        seed: int,
        keep: int | None,
        settings: dict[str, Any],
        thread: LoopThread,
    ) -> None:
        _known(settings, _BEHAVIOUR | _POLICY)
        self.provider, self.name, self._settings = provider, name, settings
        self._thread, self._clock = thread, SystemClock()
        self._script, self._journal = Script(), Journal(keep)
        self._answerer = Answerer(name, seed, ROWS[provider], wires(provider), Policy())
        self._connections: set[Connection] = set()
        self._coming_up: asyncio.TimerHandle | None = None
        self._listener = Listener(*listener, lambda: Connection(self._served, thread.loop), thread)
        self._served = Served(self._script, self._journal, self._answerer, self._connections, self._clock)
        self.set(**settings)
        thread.run(self._listener.open())

    # ---- where it is

    @property
    def url(self) -> str:
        """The bare address, such as "http://127.0.0.1:43210"; paths below it are the real provider's."""
        host = f"[{self._listener.host}]" if ":" in self._listener.host else self._listener.host
        return f"http://{host}:{self.port}"

    @property
    def port(self) -> int:
        """The TCP port, the same for the whole life of the instance."""
        return self._listener.port

    # ---- what it does

    def reply(self, answer: Reply | str | Answering, times: int | None = None, **changes: Any) -> Self:
        """Answer with this text, `Reply` or function of the call: always, or the next `times` times."""
        return self._do(answer, times, changes)

    def fail(self, error: ErrorKind | int, times: int | None = 1, **changes: Any) -> Self:
        """Answer the next `times` requests with this error kind or HTTP status; None fails always.

        `changes` are fields of `Behaviour`, such as `retry_after=2` or `message="..."`.
        """
        return self._do(error, times, changes)

    def enqueue(self, outcome: Outcome, times: int = 1, **changes: Any) -> Self:
        """Queue a behaviour, answer, error or fault for the next `times` requests; then the default holds again."""
        return self._do(outcome, times, changes)

    def then(self, outcome: Outcome, times: int = 1, **changes: Any) -> Self:
        """Do the same as `enqueue`, for chains that read as a story: `fail(429).then("ok")`."""
        return self._do(outcome, times, changes)

    def always(self, outcome: Outcome, **changes: Any) -> Self:
        """Make a behaviour, answer, error or fault the default."""
        return self._do(outcome, None, changes)

    def _do(self, outcome: Outcome, times: int | None, changes: dict[str, Any]) -> Self:
        _known(changes, _BEHAVIOUR)
        if times is None:
            self._script.always(outcome, changes)
        else:
            self._script.enqueue(outcome, times, changes)
        return self

    def set(self, **changes: Any) -> Self:
        """Change fields of the default `Behaviour` (latency, error_rate, ...) or of the `Policy` (keys, rpm, ...)."""
        _known(changes, _BEHAVIOUR | _POLICY)
        rules = {k: v for k, v in changes.items() if k in _POLICY}
        if rules:
            self._thread.run(self._apply(replace(self._answerer.policy, **rules)))
        self._script.change({k: v for k, v in changes.items() if k in _BEHAVIOUR})
        return self

    async def _apply(self, policy: Policy) -> None:
        self._answerer.policy = policy
        limited = policy.rpm or policy.tpm
        now = self._clock.monotonic()
        self._answerer.limiter = RateLimiter(policy.rpm, policy.tpm, now) if limited else None

    def clear(self) -> Self:
        """Forget what is queued; the default stays."""
        self._script.clear(default=False)
        return self

    def reset(self) -> Self:
        """Return to the state in which `add` gave the instance out: its settings, no queue, no records, port open."""
        self._script.clear(default=True)
        self._thread.run(self._apply(Policy()))
        self._journal.forget()
        return self.set(**self._settings).up()

    def down(self, seconds: float | None = None) -> Self:
        """Close the port and reset all connections: clients are refused until `up()`, or for `seconds`."""
        self._thread.run(self._close(seconds))
        return self

    def up(self) -> Self:
        """Open the port again, under the same number."""
        self._thread.run(self._open())
        return self

    def disconnect(self) -> Self:
        """Reset all open connections, as a restarting load balancer does; the port stays open."""
        self._thread.run(self._abort_all())
        return self

    async def _open(self) -> None:
        self._keep_down()
        await self._listener.open()

    async def _close(self, seconds: float | None) -> None:
        self._keep_down()
        await self._listener.close()
        await self._abort_all()
        if seconds is not None:
            loop = self._thread.loop
            self._coming_up = loop.call_later(seconds, lambda: loop.create_task(self._open()))

    def _keep_down(self) -> None:
        if self._coming_up is not None:
            self._coming_up.cancel()
            self._coming_up = None

    async def _abort_all(self) -> None:
        for connection in tuple(self._connections):
            connection.abort()
        # One turn of the loop, in which the transports close their sockets.
        await asyncio.sleep(0)

    def close(self) -> None:
        """Close the port for good."""
        self._thread.run(self._close(None))
        self._listener.release()

    # ---- what happened

    @property
    def requests(self) -> list[RecordedRequest]:
        """The requests that were read completely, oldest first."""
        return self._journal.records()

    @property
    def count(self) -> int:
        """Number of requests that were read completely, failed ones included."""
        return self._journal.requests

    @property
    def connections(self) -> int:
        """Number of accepted connections."""
        return self._journal.connections

    @property
    def open_connections(self) -> int:
        """Number of connections open now."""
        return len(self._connections)

    @property
    def in_flight(self) -> int:
        """Requests read and not yet answered to the end."""
        return self._journal.in_flight

    @property
    def peak_in_flight(self) -> int:
        """The most requests there were in flight at once."""
        return self._journal.peak

    @property
    def pending(self) -> int:
        """Queued behaviours that no request has used yet."""
        return self._script.pending

    def wait_for(self, condition: Callable[["SimulatedProvider"], bool], timeout: float = 5.0) -> bool:
        """Wait until `condition(instance)` holds, at most `timeout` seconds; return whether it does."""
        return self._journal.wait_for(lambda: condition(self), timeout)

    def __repr__(self) -> str:
        return f"<SimulatedProvider {self.name!r} at {self.url}>"


def _known(changes: dict[str, Any], names: frozenset[str]) -> None:
    for name in changes:
        if name not in names:
            close = get_close_matches(name, names, 1)
            hint = f"; did you mean {close[0]!r}?" if close else f"; known are {', '.join(sorted(names))}"
            raise TypeError(f"unknown setting {name!r}{hint}")
