"""One simulated provider: decides what each request meets. The connection and the bytes are the product's."""

import asyncio
import math
from collections import deque
from dataclasses import replace
from time import monotonic
from typing import Any

from benchmarks.goodput.server.answers import Answers, answer_text
from benchmarks.goodput.server.rates import rate_of
from benchmarks.goodput.server.tally import Tally
from benchmarks.goodput.world import REFUSAL_SECONDS, Outage, Provider, World, fails
from flyllm.testing.answering import Request
from flyllm.testing.behaviour import Behaviour
from flyllm.testing.connection import Connection
from flyllm.testing.faults import Fault
from flyllm.testing.server import Listener, LoopThread
from flyllm.testing.transmission import Answer

_HOST = "127.0.0.1"
_WARM_SECONDS = 0.02
"""Real seconds an answer takes before the run begins."""
_JITTER = 0.05
"""Real seconds that a sliding window is shorter than its name: on the wire the first request of a minute may be late
and the first after it not, which in a world that runs faster would look like a client that cannot count."""
_UNREAD = 0.2
"""Real seconds within which an answer is taken to be lost with its connection when that is reset."""
_SILENT = Behaviour(fault=Fault.SILENCE)
_PLAIN = Behaviour()


class ServedProvider:
    """A port, and the rules of what happens there. All methods but the constructor run in the server's thread."""

    next_number = 0  # numbers are given at `begin`; nothing here follows from them
    idle_timeout = None

    def __init__(
        self, script: Provider, world: World, times: list[float], answers: Answers, thread: LoopThread
    ) -> None:
        self._script, self._world, self._times = script, world, times
        self._answers, self._thread = answers, thread
        self._tally: Tally | None = None  # None while warming up
        self._began = 0.0
        self._in_flight = 0
        self._rate = rate_of(script.rate, _JITTER * world.speed) if script.rate else None
        self._connections: set[Connection] = set()
        self._timers: list[asyncio.TimerHandle] = []
        self._open: dict[int, tuple[int, float]] = {}
        self._given: deque[tuple[int, float]] = deque(maxlen=200)
        self._listener = Listener(_HOST, 0, lambda: Connection(self, thread.loop), thread)
        self.url = f"http://{_HOST}:{self._listener.port}"

    async def listen(self) -> None:
        """Open the port."""
        await self._listener.open()

    async def start(self, tally: Tally, began: float) -> None:
        """Begin the run: clocks at zero, faults and limits in force."""
        self._tally, self._began = tally, began
        for outage in self._script.outages:
            if outage.kind == "refuse":
                self._at(outage.begin, self._refuse)
                self._at(outage.end, self._listener.open)

    async def close(self) -> None:
        """Close everything for good."""
        self._tally = None
        for timer in self._timers:
            timer.cancel()
        await self._refuse()
        self._listener.release()

    def _at(self, instant: float, act: Any) -> None:
        if instant < math.inf:
            delay = self._began + instant / self._world.speed - monotonic()
            loop = self._thread.loop
            self._timers.append(loop.call_later(max(0.0, delay), lambda: loop.create_task(act())))

    async def _refuse(self) -> None:
        await self._listener.close()
        self._lose_answers()
        for connection in tuple(self._connections):
            connection.abort()
        await asyncio.sleep(0)

    def _lose_answers(self) -> None:
        """Count as not given what a reset takes back: it discards what the client has not read yet."""
        while self._tally is not None and self._given:
            index, instant = self._given.pop()
            if instant > monotonic() - _UNREAD:
                self._tally.answers[index] -= 1

    # ---- what a connection asks

    def connected(self, connection: Connection) -> int:
        """Register an open connection."""
        self._connections.add(connection)
        return 0

    def disconnected(self, connection: Connection) -> None:
        """Forget a connection."""
        self._connections.discard(connection)

    def at_accept(self) -> Fault | None:
        """Return None: what happens here happens to requests."""
        return None

    def begin(self, request: Request, raw: bytes, connection: int) -> tuple[Answer, Behaviour, float]:
        """Return the answer, its behaviour and the real seconds before its first byte."""
        self.next_number += 1
        prompt = request.body["messages"][-1]["content"]
        tally = self._tally
        if tally is None:
            return self._answers.right(prompt), _PLAIN, _WARM_SECONDS
        return self._measured(tally, int(prompt), request.number)

    def end(self, number: int, *, disconnected: bool) -> None:
        """Take the request out of what is in flight; an answer sent to the end is counted."""
        index, due = self._open.pop(number, (-1, 0.0))
        if index < 0 or self._tally is None:
            return
        self._in_flight -= 1
        # While the port is closed an answer goes to a connection that has been reset, even where nobody knows yet.
        if not disconnected and self._listener.listening:
            now = monotonic()
            self._tally.answers[index] += 1
            self._tally.lateness.append(now - due)
            self._given.append((index, now))

    # ---- what happens

    def _measured(self, tally: Tally, index: int, number: int) -> tuple[Answer, Behaviour, float]:
        now = (monotonic() - self._began) * self._world.speed
        attempt = tally.attempts[index]
        tally.attempts[index] += 1
        kind = self._meets(now, index, attempt)
        tally.kinds[kind] += 1
        refusal = REFUSAL_SECONDS / self._world.speed
        if kind == "hang":
            return self._answers.failed, _SILENT, 0.0
        if kind != "answer":
            return (self._answers.limited if kind == "reject" else self._answers.failed), _PLAIN, refusal
        return self._answer(tally, index, number, now)

    def _meets(self, now: float, index: int, attempt: int) -> str:
        outage = self._outage(now)
        if outage is not None:
            return outage.kind
        if self._rate is not None and not self._rate.admit(now):
            return "reject"
        if self._script.ceiling is not None and self._in_flight >= self._script.ceiling:
            return "reject"
        return "fault" if fails(self._world.seed, index, attempt, self._script.error_rate) else "answer"

    def _outage(self, now: float) -> Outage | None:
        # A request that a closing port let through is an error like any other.
        here = next((each for each in self._script.outages if each.begin <= now < each.end), None)
        return replace(here, kind="error") if here is not None and here.kind == "refuse" else here

    def _answer(self, tally: Tally, index: int, number: int, now: float) -> tuple[Answer, Behaviour, float]:
        seconds = self._times[index] * self._script.service / self._world.speed
        self._in_flight += 1
        tally.peak = max(tally.peak, self._in_flight)
        self._open[number] = (index, monotonic() + seconds)
        over = max((each.end for each in self._script.outages), default=math.inf)
        if tally.recovered is None and now >= over:
            tally.recovered = now
        return self._answers.right(answer_text(index)), _PLAIN, seconds
