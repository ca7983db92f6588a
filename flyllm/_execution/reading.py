"""A stream being read: chunks out, and in the end the whole answer or what is missing."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, NoReturn

from flyllm._clock import Clock
from flyllm._execution.acceptance import accepted
from flyllm._execution.assembler import Assembler
from flyllm._execution.attempt import unforeseen
from flyllm._execution.opening import Opened, close
from flyllm._execution.responses import answer, failure
from flyllm._execution.resumption import Resumption
from flyllm._fork import after_fork
from flyllm._scope import CalledOff, Scope
from flyllm.errors import LLMError, ProviderError, StreamInterruptedError
from flyllm.observability.events import Emitter, RequestEvent
from flyllm.providers.base import Completion
from flyllm.types import LLMResponse, StreamChunk


class Reading:
    """One thread reads; any may `abandon`. It does not know its `ResponseStream`, so that dropping that ends it."""

    def __init__(self, opened: Opened, resumption: Resumption, clock: Clock, emitter: Emitter, scope: Scope) -> None:
        self._resumption = resumption
        self._clock, self._emitter, self._scope = clock, emitter, scope
        self._begin(opened, Assembler())
        self.response: LLMResponse | None = None
        self._given_up = False
        self.inherited = False
        """Whether it was opened before this process was forked: it is the parent's, and so are its locks."""
        after_fork(self, Reading._inherit)

    def _inherit(self) -> None:
        self.inherited = True

    def join(self) -> None:
        """Let the manager end this stream when it closes; raise if it has."""
        try:
            self._scope.join(self)
        except BaseException:
            self.abandon()
            raise

    def cut(self, error: BaseException) -> None:
        """End the call early; a thread that reads meanwhile gets `error` from the connection, which is cut first."""
        self.abandon()

    def chunks(self) -> Iterator[StreamChunk]:
        """Yield the answer's chunks, the last one with the finish reason, or raise what interrupted it."""
        while True:
            try:
                yield from self._first
                for delta in self._part.rest:
                    if (chunk := self.answer.take(delta)) is not None:
                        yield chunk
                if rest := self.answer.rest():
                    yield StreamChunk(rest)
                completion, parsed = self._whole()
            except LLMError as exc:
                error = exc
            except Exception as exc:
                error = unforeseen(exc, ProviderError)
            except (KeyboardInterrupt, SystemExit):
                self.abandon()
                raise
            else:
                yield self._finish(completion, parsed)
                return
            if self._go_on(error):
                yield StreamChunk(reset=True)

    def abandon(self) -> None:
        """End the call early: close the connection and book what was received."""
        if self.inherited:
            return
        self._given_up = True
        part = self._part
        if part.trial.ended or not self._give_up(part):
            self._resumption.call_off()  # the reader may be opening the next part

    def _begin(self, part: Opened, answer: Assembler) -> None:
        self._part, self.answer = part, answer
        self._first = [chunk for delta in part.held if (chunk := answer.take(delta)) is not None]

    def _give_up(self, part: Opened) -> bool:
        close(part.source)
        usage, text, trial = self.answer.usage_so_far(), self.answer.content, part.trial
        if not trial.abandon(usage, text):
            return False
        so_far = Completion(text, None, self.answer.whole_usage(usage), request_id=part.source.request_id)
        self._report(answer(trial, so_far))
        return True

    def _whole(self) -> tuple[Completion, Any]:
        source = self._part.source
        completion = self.answer.completion(source.headers, source.request_id)
        return completion, accepted(self._part.trial, completion)

    def _finish(self, completion: Completion, parsed: Any) -> StreamChunk:
        trial, source = self._part.trial, self._part.source
        if not trial.succeed(completion.usage, completion.request_id, completion.content, completion.headers):
            raise self._interruption(ProviderError("the stream was closed while it was read"))
        close(source)
        usage = self.answer.whole_usage(completion.usage)
        self.response = answer(trial, replace(completion, usage=usage), parsed)
        self._report(self.response)
        return StreamChunk(tool_calls=completion.tool_calls, finish_reason=completion.finish_reason, usage=usage)

    def _go_on(self, error: LLMError) -> bool:
        """Begin the next part of an answer that broke off with `error`; raise where there is none.

        Return whether the answer begins again with it.
        """
        part, interruption = self._part, self._interruption(error)
        close(part.source)
        if not part.trial.fail(error, self.answer.usage_so_far(), self.answer.content):
            _raise(interruption, error)  # given up in another thread, which has reported it
        following, opened = self._resumption.answer_after(self.answer, error), None
        try:
            if following is not None:
                opened = self._resumption.open(part.trial, error)
        except CalledOff:
            interruption.args = (f"{interruption}; it was closed before it went on",)
        except LLMError as exc:
            if exc is not error:
                interruption.args = (f"{interruption}; it could not go on: {exc}",)
        finally:
            if opened is None:
                interruption.attempts = part.trial.job.attempts
                self._report(failure(part.trial.job, interruption, self._clock))
        if following is None or opened is None:
            _raise(interruption, error)
        anew = not following.content
        self._begin(opened, following)
        if self._given_up:
            self.abandon()
            _raise(interruption, error)
        return anew

    def _interruption(self, error: LLMError) -> LLMError:
        """Return what is raised for `error`: itself where the answer is whole and only not taken."""
        trial, text = self._part.trial, self.answer.content
        error.located(provider=trial.instance.provider, model=trial.instance.model, instance=trial.instance.name)
        if error.answer is not None:
            return error
        interruption = StreamInterruptedError(
            f"the stream broke off after {len(text)} characters: {error}",
            partial=text,
            usage=self.answer.whole_usage(self.answer.usage_so_far()),
            cause=error,
            attempts=trial.job.attempts,
            status_code=error.status_code,
            request_id=error.request_id or self._part.source.request_id,
        )
        return interruption.located(provider=error.provider, model=error.model, instance=error.instance)

    def _report(self, response: LLMResponse) -> None:
        self._scope.leave(self)
        job = self._part.trial.job
        self._emitter.request(RequestEvent(job.request, response, streamed=True, id=job.id))


def _raise(interruption: LLMError, error: LLMError) -> NoReturn:
    if interruption is error:
        raise error
    raise interruption from error
