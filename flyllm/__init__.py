"""flyllm: many LLM requests to many providers from ordinary blocking code.

Map of the package, from what users touch down to what it stands on:

    cli             the `flyllm` command
    testing         the provider simulator: a local server that speaks all ten wires, for tests of applications
    manager         `LLMManager`, the façade
    sse             a stream as server-sent events, for web applications
    builder, config how a manager is described: fluently, or in TOML
    _execution      the attempt loop, and the calls, streams and batches that run it
    _routing        instances, strategies, and the pool that leases instances to requests
    providers       one adapter per API over the official SDKs, and the registry of all providers
    _resilience     what a failure means; backoff, deadlines, tenacity
    observability   events and their sinks: usage and cost, logs, metrics, traces, debug files
    tools           Python functions as tools of a model
    request, types, tasks, errors   the values users hand in and get back

Importing the package imports none of this: names load on first use, an SDK when its first instance is used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from flyllm._version import __version__

if TYPE_CHECKING:
    from flyllm._batch.snapshot import BatchProgress
    from flyllm._execution.stream import ResponseStream
    from flyllm._routing.instance import InstanceSnapshot
    from flyllm.builder import ManagerBuilder
    from flyllm.errors import (
        APIError,
        AuthenticationError,
        BatchStoppedError,
        BudgetExceededError,
        ConfigError,
        ContentFilterError,
        ContextLengthError,
        DeadlineExceededError,
        EmptyAnswerError,
        InvalidOutputError,
        InvalidRequestError,
        LLMError,
        ManagerClosedError,
        MissingDependencyError,
        ModelNotFoundError,
        NoInstanceError,
        OverloadedError,
        ParseError,
        ProviderError,
        QuotaExceededError,
        RateLimitError,
        RequestError,
        ServerError,
        StreamInterruptedError,
        ToolRoundsExceededError,
        TruncatedAnswerError,
        UnusableAnswerError,
    )
    from flyllm.manager import LLMManager
    from flyllm.observability.budget import Budget
    from flyllm.observability.console_log import use_logging
    from flyllm.observability.events import AttemptEvent, AttemptStart, InstanceEvent, Observer, RequestEvent
    from flyllm.observability.usage.report import AttemptCounts, RequestCounts, Spent, UsageEntry, UsageReport
    from flyllm.request import EmbeddingRequest, GenerationRequest, RequestBuilder
    from flyllm.tasks import TaskDefinition
    from flyllm.tools.run import ToolRun
    from flyllm.tools.tool import Tool, tool_schema
    from flyllm.types import (
        Attempt,
        EmbeddingResponse,
        FinishReason,
        LLMResponse,
        ModelInfo,
        ProviderType,
        StreamChunk,
        TokenUsage,
        ToolCall,
        ToolCallDelta,
    )

_HOMES = {
    "flyllm._batch.snapshot": ("BatchProgress",),
    "flyllm._execution.stream": ("ResponseStream",),
    "flyllm._routing.instance": ("InstanceSnapshot",),
    "flyllm.builder": ("ManagerBuilder",),
    "flyllm.errors": (
        "APIError",
        "AuthenticationError",
        "BatchStoppedError",
        "BudgetExceededError",
        "ConfigError",
        "ContentFilterError",
        "ContextLengthError",
        "DeadlineExceededError",
        "EmptyAnswerError",
        "InvalidOutputError",
        "InvalidRequestError",
        "LLMError",
        "ManagerClosedError",
        "MissingDependencyError",
        "ModelNotFoundError",
        "NoInstanceError",
        "OverloadedError",
        "ParseError",
        "ProviderError",
        "QuotaExceededError",
        "RateLimitError",
        "RequestError",
        "ServerError",
        "StreamInterruptedError",
        "ToolRoundsExceededError",
        "TruncatedAnswerError",
        "UnusableAnswerError",
    ),
    "flyllm.manager": ("LLMManager",),
    "flyllm.observability.budget": ("Budget",),
    "flyllm.observability.console_log": ("use_logging",),
    "flyllm.observability.events": ("AttemptEvent", "AttemptStart", "InstanceEvent", "Observer", "RequestEvent"),
    "flyllm.observability.usage.report": ("AttemptCounts", "RequestCounts", "Spent", "UsageEntry", "UsageReport"),
    "flyllm.request": ("EmbeddingRequest", "GenerationRequest", "RequestBuilder"),
    "flyllm.tasks": ("TaskDefinition",),
    "flyllm.tools.run": ("ToolRun",),
    "flyllm.tools.tool": ("Tool", "tool_schema"),
    "flyllm.types": (
        "Attempt",
        "EmbeddingResponse",
        "FinishReason",
        "LLMResponse",
        "ModelInfo",
        "ProviderType",
        "StreamChunk",
        "TokenUsage",
        "ToolCall",
        "ToolCallDelta",
    ),
}
_EXTRA_HOMES = {
    "flyllm.observability.opentelemetry": ("OpenTelemetryObserver",),
    "flyllm.observability.prometheus": ("MetricsServer", "metrics_app", "start_metrics_server"),
}
"""Of names that need a package of an extra, and are therefore not in `__all__`: `import *` must do without."""

_HOME_OF = {name: home for homes in (_HOMES, _EXTRA_HOMES) for home, names in homes.items() for name in names}

__all__ = [
    "APIError",
    "Attempt",
    "AttemptCounts",
    "AttemptEvent",
    "AttemptStart",
    "AuthenticationError",
    "BatchProgress",
    "BatchStoppedError",
    "Budget",
    "BudgetExceededError",
    "ConfigError",
    "ContentFilterError",
    "ContextLengthError",
    "DeadlineExceededError",
    "EmbeddingRequest",
    "EmbeddingResponse",
    "EmptyAnswerError",
    "FinishReason",
    "GenerationRequest",
    "InstanceEvent",
    "InstanceSnapshot",
    "InvalidOutputError",
    "InvalidRequestError",
    "LLMError",
    "LLMManager",
    "LLMResponse",
    "ManagerBuilder",
    "ManagerClosedError",
    "MissingDependencyError",
    "ModelInfo",
    "ModelNotFoundError",
    "NoInstanceError",
    "Observer",
    "OverloadedError",
    "ParseError",
    "ProviderError",
    "ProviderType",
    "QuotaExceededError",
    "RateLimitError",
    "RequestBuilder",
    "RequestCounts",
    "RequestError",
    "RequestEvent",
    "ResponseStream",
    "ServerError",
    "Spent",
    "StreamChunk",
    "StreamInterruptedError",
    "TaskDefinition",
    "TokenUsage",
    "Tool",
    "ToolCall",
    "ToolCallDelta",
    "ToolRoundsExceededError",
    "ToolRun",
    "TruncatedAnswerError",
    "UnusableAnswerError",
    "UsageEntry",
    "UsageReport",
    "__version__",
    "tool_schema",
    "use_logging",
]


def __getattr__(name: str) -> Any:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module 'flyllm' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(home), name)
    return value


def __dir__() -> list[str]:
    return sorted([*__all__, *(name for names in _EXTRA_HOMES.values() for name in names)])
