"""A streamed reply up to its first content, until which a failure is unseen and fails over like a call's."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace

from flyllm._execution.acceptance import accepted
from flyllm._execution.assembler import Assembler
from flyllm._execution.attempt import Trial
from flyllm._execution.patience import StreamLimits, timely, until
from flyllm.errors import ParseError
from flyllm.providers.base import QUIET, Delta, DeltaStream

logger = logging.getLogger("flyllm.streams")

MAX_SILENT_EVENTS = 200
"""Events without content before the first one with content, held back so that a failure can still fail over."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A stream with its first events `held` back; `rest` yields those that follow, none where these were all."""

    trial: Trial
    source: DeltaStream
    held: list[Delta]
    rest: Iterator[Delta]

    def drop(self) -> None:
        """Close it unread."""
        close(self.source)
        self.trial.outrun()


def open_stream(trial: Trial, limits: StreamLimits) -> Opened:
    """Send the request of `trial` and read until the first content."""
    job, seconds = trial.job, min(trial.request.timeout, limits.first_content)
    source = trial.instance.adapter.stream(replace(trial.request, timeout=seconds))
    held: list[Delta] = []
    try:
        for delta in until(source, job.deadline):
            if delta is QUIET:
                continue
            held.append(delta)
            if delta.has_content:
                trial.brings()
                return Opened(trial, source, held, timely(source, job.deadline, limits.idle, trial.clock))
            if len(held) > MAX_SILENT_EVENTS:
                raise ParseError(f"the stream brought {len(held)} events without content")
        if not any(delta.finish_reason for delta in held):
            raise ParseError("the stream ended without content or a finish reason")
        _check(trial, source, held)
    except BaseException:
        close(source)
        raise
    return Opened(trial, source, held, iter(()))


def _check(trial: Trial, source: DeltaStream, deltas: list[Delta]) -> None:
    """Raise where an answer without content is not taken: nothing was handed over, so it may still fail over."""
    answer = Assembler()
    for delta in deltas:
        answer.take(delta)
    accepted(trial, answer.completion(source.headers, source.request_id))


def close(source: DeltaStream) -> None:
    """Close `source`; nothing that follows may be lost over it."""
    try:
        source.close()
    except Exception as exc:
        logger.warning("a stream's connection could not be closed: %s", type(exc).__name__)
