"""What an `LLMManager` can do with many requests."""

import os
from collections.abc import Iterable, Iterator, Sized
from concurrent.futures import Executor

from flyllm._batch.batch import BatchManager, OnResult, collect_batch, run_batch
from flyllm._batch.display import OnProgress
from flyllm._batch.options import BatchOptions
from flyllm.observability.budget import Budget
from flyllm.request import GenerationRequest
from flyllm.types import LLMResponse


class BatchMethods:
    """The part of a manager that answers many requests at once."""

    def _for_batches(self) -> BatchManager:
        raise NotImplementedError

    def batch_generate(
        self,
        requests: Iterable[GenerationRequest | str],
        *,
        max_workers: int | None = None,
        deadline: float | None = None,
        on_result: OnResult | None = None,
        progress: bool | OnProgress | None = None,
        journal: str | os.PathLike[str] | None = None,
        max_failures: int | None = None,
        budget: Budget | None = None,
        executor: Executor | None = None,
    ) -> list[LLMResponse]:
        """Answer requests in parallel; return one response per request, in order. Failures are responses.

        Where the batch is stopped, the responses of requests never sent carry `BatchStoppedError`, or
        `DeadlineExceededError`. Ctrl-C and `SystemExit` carry what was finished as `flyllm_results`, a list with None
        in the other places.

        Args:
            on_result: called in this thread with (index, response) as responses come. What it raises is logged
                and costs no response.
            max_workers, deadline, progress, journal, max_failures, budget, executor: as in `batch_iter`.
        """
        given = list(requests)
        options = BatchOptions(
            max_workers=max_workers,
            window=max(1, len(given)),
            deadline=deadline,
            journal=journal,
            progress=progress,
            max_failures=max_failures,
            budget=budget,
            executor=executor,
        )
        options.check()
        return collect_batch(self._for_batches(), given, options, on_result)

    def batch_iter(
        self,
        requests: Iterable[GenerationRequest | str],
        *,
        ordered: bool = False,
        window: int | None = None,
        max_workers: int | None = None,
        deadline: float | None = None,
        progress: bool | OnProgress | None = None,
        journal: str | os.PathLike[str] | None = None,
        max_failures: int | None = None,
        budget: Budget | None = None,
        executor: Executor | None = None,
    ) -> Iterator[LLMResponse]:
        """Answer any number of requests in parallel; yield responses as they come. Failures are responses.

        `response.index` is the request's place. Requests are read in this thread, only as far ahead as the window
        reaches, so memory stays flat; what reading them raises comes after the responses of those that were read.
        Leaving the loop cuts what is in flight; Ctrl-C carries what was not handed over yet as `flyllm_results`.

        Args:
            ordered: yield in the order of the requests.
            window: requests read ahead of the responses at most; None means four per thread, 1024 at least.
            max_workers: threads at most; None: the configuration's, then what the instances can bear, up to 256.
            deadline: seconds for the whole batch; None means none. Requests without a timeout have no other limit.
            progress: True shows a bar or lines on stderr; a function is called with a `BatchProgress` now and then.
            journal: a file to which every response is written before its thread begins another request; with it
                again, only requests without an answer there are sent. They are known by `custom_id`, or by content.
            max_failures: stop when more requests than this have failed; None means never.
            budget: stop when so much is spent.
            executor: where to work instead of threads of this process. For other processes the manager must pickle:
                its keys given as "${NAME}" or by file. What they have begun cannot be cut.

        Raises ConfigError at once for arguments that are wrong, and at the end `DeadlineExceededError` or
        `BatchStoppedError` where not all requests were sent.
        """
        options = BatchOptions(
            ordered=ordered,
            window=window,
            max_workers=max_workers,
            deadline=deadline,
            progress=progress,
            journal=journal,
            max_failures=max_failures,
            budget=budget,
            executor=executor,
        )
        options.check()
        total = len(requests) if isinstance(requests, Sized) else None
        return run_batch(self._for_batches(), requests, options, total)
