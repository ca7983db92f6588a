"""The façade: one `LLMManager` over all instances. It checks what it is given and delegates the rest."""

import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from flyllm._assembly import Runtime, assemble
from flyllm._batch.batch import BatchManager, default_workers
from flyllm._batch.executors import RemoteAnswer
from flyllm._batch.methods import BatchMethods
from flyllm._batch.threads import Answer
from flyllm._execution.asking import as_request, asked
from flyllm._execution.attempt import unforeseen
from flyllm._execution.closing import GRACE
from flyllm._execution.embed_methods import EmbedMethods
from flyllm._execution.stream import ResponseStream
from flyllm._execution.tool_methods import ToolMethods
from flyllm._execution.tool_rounds import ToolRounds
from flyllm._fork import after_fork
from flyllm._resilience.deadline import Deadline
from flyllm._resilience.retry import retrying
from flyllm._routing.instance import InstanceSnapshot
from flyllm.builder import ManagerBuilder
from flyllm.config.model import ManagerConfig
from flyllm.config.portable import Portable, packed, unpacked
from flyllm.config.toml_file import config_from_dict, config_from_file, config_from_toml
from flyllm.config.validate import validated
from flyllm.errors import ConfigError, LLMError, ManagerClosedError
from flyllm.observability.budget import Budget
from flyllm.observability.usage import UsageLedger, UsageMethods, UsageReport
from flyllm.request import EmbeddingRequest, GenerationRequest
from flyllm.types import EmbeddingResponse, LLMResponse, ModelInfo, ProviderType

MODEL_LIST_TIMEOUT = 30.0
"""Seconds for one provider's model list."""


class LLMManager(BatchMethods, EmbedMethods, UsageMethods, ToolMethods):
    """Spreads requests over instances (provider + model + key), with routing, retries and failover.

    Made by `LLMManager.builder()` or `from_config_file`, `from_config_str`, `from_config`. All methods may be called
    from many threads. A context manager: leaving it closes the manager.
    """

    def __init__(self, config: ManagerConfig, observers: Sequence[object] = ()) -> None:
        self._config, self._observers = config, observers
        self._closed = False
        self._changing = threading.RLock()  # guards _config and the making of _built
        self._built: Runtime | None = assemble(config, observers)
        after_fork(self, LLMManager._let_go)

    @classmethod
    def builder(cls, *observers: object) -> "ManagerBuilder[Self]":
        """Start a fluent configuration; its `build()` returns the manager.

        `observers` (see `Observer`) are told what happens, each in a thread of its own that lives while there is
        something to tell; `close()` waits until they have everything.
        """
        return ManagerBuilder(partial(cls, observers=observers))

    @classmethod
    def from_config_file(cls, path: str | Path) -> Self:
        """Build from a TOML file. Raises ConfigError that names every fault."""
        return cls(config_from_file(path))

    @classmethod
    def from_config_str(cls, text: str) -> Self:
        """Build from TOML text. Raises ConfigError that names every fault."""
        return cls(config_from_toml(text))

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Build from a dict of the TOML file's shape, as settings modules hold it."""
        return cls(config_from_dict(config))

    def generate(self, request: GenerationRequest | str, *, task: str | None = None, **params: Any) -> LLMResponse:
        """Answer one request, or a prompt: `generate("Hi", task="chat", max_tokens=50, system="Be brief")`.

        Names of `GenerationRequest`'s fields (system, timeout, ...) set those, all others are parameters.

        Raises the LLMError that its owner can act on best; `error.attempts` is the ledger of all attempts.
        """
        return self._run(asked(request, task, params)).raise_for_error()

    def generate_sequentially(self, requests: Iterable[GenerationRequest | str]) -> list[LLMResponse]:
        """Answer requests one after the other. Failures are responses with `error`, never raised."""
        return [self._respond(request) for request in requests]

    def generate_stream(
        self, request: GenerationRequest | str, *, task: str | None = None, **params: Any
    ) -> ResponseStream:
        """Answer one request as a stream of chunks: `with manager.generate_stream(...) as stream: for chunk in stream`.

        Returns once the first content is there; failures before that fail over like a call's.
        """
        request = asked(request, task, params)
        self._refuse_if_closed()
        return self._runtime.streams.open(self._runtime.jobs.single(request))

    @property
    def instances(self) -> list[InstanceSnapshot]:
        """All instances as they are now, by id."""
        return self._runtime.pool.snapshots()

    def add_instance(
        self, provider: ProviderType | str, model: str, api_key: str = "", *, tasks: Sequence[str] = (), **options: Any
    ) -> int:
        """Add an instance while running; return its id.

        Takes what the builder's `add_instance` takes. Raises ConfigError, and then nothing has changed.
        """
        added, faults = ManagerBuilder(_unbuilt).add_instance(provider, model, api_key, tasks=tasks, **options).draft()
        del api_key  # a report of the error that shows local variables must not show it
        with self._changing:
            runtime = self._runtime
            config = replace(self._config, instances=(*self._config.instances, *added.instances))
            self._config = validated(config, faults)
            return runtime.add(self._config.instances[-1])

    def enable(self, instance: int | str) -> None:
        """Open an instance, by id or name, for further requests."""
        self._set_enabled(self._id(instance), enabled=True)

    def disable(self, instance: int | str) -> None:
        """Send nothing more to an instance, by id or name; what is under way is finished."""
        self._set_enabled(self._id(instance), enabled=False)

    def reset_usage(self) -> UsageReport:
        """Begin to count usage and budget anew, as for another month; return what was counted until now."""
        runtime = self._runtime
        runtime.spending.reset()
        return runtime.usage.reset()

    def set_budget(self, *, cost: float | None = None, tokens: int | None = None) -> None:
        """Put these limits in the place of the manager's; None lifts one. What was spent stays spent.

        Raises ConfigError for a limit that is none.
        """
        with self._changing:
            self._config = validated(replace(self._config, budget_cost=cost, budget_tokens=tokens))
            self._runtime.spending.allow(Budget(tokens, cost))

    def list_models(self, instance: int | str | None = None) -> list[ModelInfo]:
        """Return the models that the instances' keys can use, without duplicates.

        With `instance` (id or name) that one's. Raises LLMError where none of them can tell.
        """
        self._refuse_if_closed()
        chosen = [s.id for s in self.instances if s.enabled] if instance is None else [self._id(instance)]
        found: dict[tuple[str, str], ModelInfo] = {}
        failed: LLMError | None = None
        for number in chosen:
            try:
                models = self._runtime.adapters[number].list_models(MODEL_LIST_TIMEOUT)
            except LLMError as error:
                failed = error
            else:
                found.update({(model.provider, model.id): model for model in models})
        if failed is not None and not found:
            raise failed
        return list(found.values())

    def warm(self) -> None:
        """Import the SDKs and what retries need, make all adapters and look prices up now, ahead of traffic."""
        self.usage_report()
        retrying()
        for adapter in list(self._runtime.adapters.values()):
            adapter.warm()

    def close(self, grace: float = GRACE) -> None:
        """Refuse new requests, fail those that wait for an instance, and release all connections.

        Attempts in flight may go on for `grace` seconds, then they are cut and fail with ManagerClosedError. May be
        called again, from any thread and from callbacks.
        """
        self._closed = True
        self._runtime.close(grace)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        # On the way out of Ctrl-C or sys.exit() nobody wants to wait.
        self.close(GRACE if kind is None or issubclass(kind, Exception) else 0.0)

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[type[Self], Portable]]:
        """Pickle as the configuration, without keys: another process looks them up where this one found them."""
        return _unpickled, (type(self), packed(self._config))

    def __repr__(self) -> str:
        return f"<LLMManager with {len(self.instances)} instances>"

    @property
    def _runtime(self) -> Runtime:
        built = self._built
        return built if built is not None else self._rebuild()

    def _rebuild(self) -> Runtime:
        with self._changing:
            if self._built is None:
                built = assemble(self._config, self._observers)
                if self._closed:
                    built.close(0.0)
                self._built = built
            return self._built

    def _let_go(self) -> None:
        """Forget, in a forked child, what is the parent's: the next use begins with a runtime of the child's own."""
        self._changing, self._built = threading.RLock(), None

    def _set_enabled(self, number: int, *, enabled: bool) -> None:
        with self._changing:
            self._runtime.pool.set_enabled(number, enabled=enabled)
            instances = list(self._config.instances)
            instances[number] = replace(instances[number], enabled=enabled)
            self._config = replace(self._config, instances=tuple(instances))

    def _embed(self, request: EmbeddingRequest) -> EmbeddingResponse:
        self._refuse_if_closed()
        return self._runtime.embeddings.run(self._runtime.jobs.embedding(request))

    def _respond(self, request: GenerationRequest | str) -> LLMResponse:
        return _contained(lambda: self._run(as_request(request)))

    def _run(self, request: GenerationRequest) -> LLMResponse:
        self._refuse_if_closed()
        return self._runtime.call.run(self._runtime.jobs.single(request))

    def _ledger(self) -> UsageLedger:
        return self._runtime.usage

    def _for_tools(self) -> ToolRounds:
        self._refuse_if_closed()
        keys = [instance.api_key for instance in self._config.instances]
        return ToolRounds(self._runtime.jobs, self._runtime.call, keys)

    def _for_batches(self) -> BatchManager:
        return BatchManager(
            clock=self._runtime.clock,
            answer=self._answer_within,
            answerer=RemoteAnswer(self._respond_remotely),
            workers=self._workers(),
            cooling=lambda: [s.name for s in self.instances if s.enabled and (s.cooling > 0 or s.health == "open")],
        )

    def _workers(self) -> int:
        return self._config.max_workers or default_workers([s.max_concurrency for s in self.instances if s.enabled])

    def _answer_within(self, overall: Deadline) -> Answer:
        def answer(request: GenerationRequest, waits: AbstractContextManager[None]) -> LLMResponse:
            self._refuse_if_closed()
            return self._runtime.call.run(self._runtime.jobs.of_batch(request, overall, waits))

        return lambda request, waits: _contained(lambda: answer(request, waits))

    def _respond_remotely(self, request: GenerationRequest) -> LLMResponse:
        return self._answer_within(Deadline.after(self._runtime.clock, None))(request, nullcontext())

    def _refuse_if_closed(self) -> None:
        if self._runtime.closed.is_set():
            raise ManagerClosedError("the manager is closed")

    def _id(self, instance: int | str) -> int:
        found = [snapshot.id for snapshot in self.instances if instance in (snapshot.id, snapshot.name)]
        if len(found) == 1:
            return found[0]
        if found:
            ids = ", ".join(map(str, found))
            raise ConfigError(f"{len(found)} instances are called {instance!r}: use an id: {ids}")
        known = ", ".join(f"{s.id} ({s.name})" for s in self.instances)
        raise ConfigError(f"there is no instance {instance!r}. Instances: {known or 'none'}")


def _unpickled(kind: type[LLMManager], portable: Portable) -> LLMManager:
    return kind(unpacked(portable))


def _contained(answer: Callable[[], LLMResponse]) -> LLMResponse:
    try:
        return answer()
    except LLMError as error:
        return LLMResponse(error=error)
    except Exception as exc:  # a bug, ours or an adapter's, in one request must not cost the others' answers
        return LLMResponse(error=unforeseen(exc, LLMError))


def _unbuilt(config: ManagerConfig) -> ManagerConfig:
    return config
