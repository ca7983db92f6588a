"""An instance as its connections see it: everything here runs in the server's thread."""

from flyllm._clock import SystemClock
from flyllm.testing.answering import Answerer, Request
from flyllm.testing.behaviour import Behaviour
from flyllm.testing.connection import Connection
from flyllm.testing.faults import Fault
from flyllm.testing.journal import Journal
from flyllm.testing.records import RecordedRequest
from flyllm.testing.script import Script
from flyllm.testing.transmission import Answer


class Served:
    """The instance as its connections see it, in the server's thread."""

    def __init__(
        self,
        script: Script,
        journal: Journal,
        answerer: Answerer,
        connections: set[Connection],
        clock: SystemClock,
    ) -> None:
        self._script, self._journal, self._answerer = script, journal, answerer
        self._connections, self._clock = connections, clock

    def connected(self, connection: Connection) -> int:
        """Register an open connection and return its number."""
        self._connections.add(connection)
        return self._journal.connected()

    def disconnected(self, connection: Connection) -> None:
        """Forget a connection."""
        self._connections.discard(connection)
        self._journal.touched()

    def at_accept(self) -> Fault | None:
        """Return the fault that meets a connection as soon as it is accepted."""
        return self._script.at_accept()

    def begin(self, request: Request, raw: bytes, connection: int) -> tuple[Answer, Behaviour, float]:
        """Record a request and return its answer, its behaviour and the seconds before the first byte."""
        route = self._answerer.route(request)
        record = RecordedRequest(
            number=request.number,
            method=request.method,
            path=request.path,
            headers=request.headers,
            body=None if request.body is ... else request.body,
            raw=raw,
            key=route[0].key(request.headers),
            time=self._clock.wall(),
            connection=connection,
        )
        self._journal.begun(record)
        busy, now = self._journal.in_flight, self._clock.monotonic()
        return self._answerer.answer(request, route, self._script.next, busy, now)

    def end(self, number: int, *, disconnected: bool) -> None:
        """Note that a request is over."""
        self._journal.ended(number, disconnected=disconnected)

    @property
    def next_number(self) -> int:
        """Number of the next request."""
        return self._journal.next_number()

    @property
    def idle_timeout(self) -> float | None:
        """Seconds after which an idle connection is closed."""
        return self._answerer.policy.idle_timeout
