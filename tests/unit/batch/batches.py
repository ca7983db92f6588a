"""Batches over functions in place of a manager."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from typing import Any

from flyllm._batch.batch import BatchManager, OnResult, collect_batch, run_batch
from flyllm._batch.executors import RemoteAnswer
from flyllm._batch.options import BatchOptions
from flyllm._clock import SystemClock
from flyllm.request import GenerationRequest
from flyllm.types import LLMResponse

Answering = Callable[[GenerationRequest], LLMResponse]

HANG = 20.0


def echo(request: GenerationRequest) -> LLMResponse:
    return LLMResponse(request.prompt)


def manager(answer: Answering = echo, workers: int = 4, clock: Any = None) -> BatchManager:
    """A manager whose requests are answered by `answer`."""

    def answer_in(request: GenerationRequest, waits: AbstractContextManager[None]) -> LLMResponse:
        return answer(request)

    return BatchManager(clock or SystemClock(), lambda deadline: answer_in, RemoteAnswer(answer), workers, list)


def collected(
    requests: Iterable[Any], answer: Answering = echo, *, on_result: OnResult | None = None, **options: Any
) -> list[LLMResponse]:
    """What `batch_generate` returns."""
    given = list(requests)
    chosen = BatchOptions(window=max(1, len(given)), **options)
    return collect_batch(manager(answer), given, chosen, on_result)


def iterated(requests: Iterable[Any], answer: Answering = echo, **options: Any) -> Iterator[LLMResponse]:
    """What `batch_iter` returns."""
    return run_batch(manager(answer), requests, BatchOptions(**options))
