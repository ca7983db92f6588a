"""Batches whose requests are answered by a function: the engine, the threads and nothing below them."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

from flyllm import GenerationRequest, LLMResponse
from flyllm._batch.batch import BatchManager
from flyllm._batch.executors import RemoteAnswer
from flyllm._batch.methods import BatchMethods
from flyllm._clock import SystemClock

Answering = Callable[[GenerationRequest], LLMResponse]


class FunctionManager(BatchMethods):
    """The batch methods of an `LLMManager`, over a function in place of instances and their network."""

    def __init__(self, answer: Answering, threads: int) -> None:
        self._answer, self._threads = answer, threads

    def _for_batches(self) -> BatchManager:
        def answer(request: GenerationRequest, waits: AbstractContextManager[None]) -> LLMResponse:
            return self._answer(request)

        return BatchManager(SystemClock(), lambda _: answer, RemoteAnswer(self._answer), self._threads, list)


def echo(request: GenerationRequest) -> LLMResponse:
    """Answer at once, with a text of its own."""
    return LLMResponse(f"The answer to: {request.prompt}")


def requests(count: int) -> Iterator[GenerationRequest]:
    """Make requests as they are asked for."""
    return (GenerationRequest(f"Summarize document {number}.") for number in range(count))
