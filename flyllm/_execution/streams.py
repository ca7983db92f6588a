"""A streamed call: the same loop as a plain one's until the first content, then a stream."""

from functools import partial

from flyllm._clock import Clock
from flyllm._execution.job import Job
from flyllm._execution.loop import AttemptLoop
from flyllm._execution.opening import open_stream
from flyllm._execution.patience import StreamLimits
from flyllm._execution.reading import Reading
from flyllm._execution.reaper import Reaper
from flyllm._execution.responses import failure
from flyllm._execution.resumption import Resumption
from flyllm._execution.stream import ResponseStream
from flyllm._scope import Scope
from flyllm.errors import LLMError
from flyllm.observability.events import Emitter, RequestEvent


class Streams:
    """Opens streams. Those still open when `scope` is called off are ended."""

    def __init__(
        self,
        loop: AttemptLoop,
        clock: Clock,
        emitter: Emitter,
        reaper: Reaper,
        scope: Scope,
        limits: StreamLimits,
    ) -> None:
        self._loop, self._clock, self._emitter, self._reaper, self._scope = loop, clock, emitter, reaper, scope
        self._limits = limits

    def open(self, job: Job) -> "ResponseStream":
        """Return a stream that has its first content; until there every failure fails over like a call's."""
        self._reaper.start()
        steps, send = self._loop.steps(job), partial(open_stream, limits=self._limits.of(job.request))
        try:
            opened = self._loop.run(steps, send)
        except LLMError as error:
            response = failure(job, error, self._clock)
            self._emitter.request(RequestEvent(job.request, response, streamed=True, id=job.id))
            raise
        reading = Reading(opened, Resumption(self._loop, steps, send), self._clock, self._emitter, self._scope)
        reading.join()
        return ResponseStream(reading, self._reaper)
