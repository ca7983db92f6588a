"""Requests and answers in the words of OpenTelemetry's GenAI semantic conventions.

https://github.com/open-telemetry/semantic-conventions-genai, 2026-11, which are in development. What they have no
word for is called `flyllm.*`. No text of a prompt or an answer is among it: see `content.py`.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from flyllm.observability.events import AttemptEvent, RequestEvent
from flyllm.request import EmbeddingRequest, GenerationRequest
from flyllm.types import Attempt, LLMResponse

Value = str | int | float | bool | list[str]
Attributes = dict[str, Value]

CHAT, EMBEDDINGS = "chat", "embeddings"
"""What the two things that flyllm does are called there."""

_PROVIDERS = {"google": "gcp.gemini", "mistral": "mistral_ai"}
"""Where the conventions have another name than flyllm."""

_NUMBERS = {
    "max_tokens": "gen_ai.request.max_tokens",
    "temperature": "gen_ai.request.temperature",
    "top_p": "gen_ai.request.top_p",
    "top_k": "gen_ai.request.top_k",
    "seed": "gen_ai.request.seed",
    "presence_penalty": "gen_ai.request.presence_penalty",
    "frequency_penalty": "gen_ai.request.frequency_penalty",
}

_TOKENS = {
    "prompt_tokens": "gen_ai.usage.input_tokens",
    "completion_tokens": "gen_ai.usage.output_tokens",
    "cached_tokens": "gen_ai.usage.cache_read.input_tokens",
    "reasoning_tokens": "gen_ai.usage.reasoning.output_tokens",
}

_NO_ERROR = ("success", "abandoned", "outrun")


def operation(request: GenerationRequest) -> str:
    """Return what a request asks for."""
    return EMBEDDINGS if isinstance(request, EmbeddingRequest) else CHAT


def of_place(provider: str, model: str, asked: str = CHAT) -> Attributes:
    """Return what says where a request went, and what it asked for."""
    return {
        "gen_ai.operation.name": asked,
        "gen_ai.provider.name": _PROVIDERS.get(provider, provider),
        "gen_ai.request.model": model,
    }


def of_params(event: AttemptEvent) -> Attributes:
    """Return the parameters an attempt was sent with."""
    params = event.params
    found: Attributes = {name: params[key] for key, name in _NUMBERS.items() if _is_number(params.get(key))}
    stop = params.get("stop")
    if isinstance(stop, str):
        found["gen_ai.request.stop_sequences"] = [stop]
    elif isinstance(stop, list | tuple) and all(isinstance(text, str) for text in stop):
        found["gen_ai.request.stop_sequences"] = list(stop)
    if isinstance(params.get("n"), int) and params["n"] != 1:
        found["gen_ai.request.choice.count"] = params["n"]
    shape = event.request.response_format
    if shape is not None:  # a type or a dict
        plain = isinstance(shape, Mapping) and shape.get("type") == "text"
        found["gen_ai.output.type"] = "text" if plain else "json"
    return found


def of_attempt(attempt: Attempt, *, streamed: bool) -> Attributes:
    """Return what an attempt came to."""
    known: dict[str, Value | None] = {
        "flyllm.instance.id": attempt.instance_id,
        "flyllm.instance.name": attempt.instance_name,
        "flyllm.attempt.number": attempt.number,
        "flyllm.attempt.outcome": "error" if error_of(attempt) else attempt.outcome,
        "flyllm.attempt.reason": attempt.chosen_because or None,
        "flyllm.attempt.waited": attempt.waited,
        "flyllm.attempt.retry_after": attempt.retry_after,
        "flyllm.attempt.request_id": attempt.request_id,
        "flyllm.attempt.cost": attempt.cost,
        "flyllm.usage.estimated": sorted(_TOKENS[name] for name in attempt.usage.estimated if name in _TOKENS) or None,
        "http.response.status_code": attempt.status_code,
        "error.type": error_of(attempt),
        "gen_ai.request.stream": True if streamed else None,
        "gen_ai.response.time_to_first_chunk": attempt.first_content,
        **{name: getattr(attempt.usage, key) for key, name in _TOKENS.items()},
    }
    return _without_none(known)


def of_answer(response: LLMResponse) -> Attributes:
    """Return what an attempt that brought the answer says besides."""
    return _without_none(
        {
            "gen_ai.response.model": response.model,
            "gen_ai.response.id": _id_in(response.raw),
            "gen_ai.response.finish_reasons": [response.finish_reason] if response.finish_reason else None,
        }
    )


def of_request(event: RequestEvent) -> Attributes:
    """Return what a request came to as a whole. Its tokens are its attempts', and must not count twice."""
    response = event.response
    return _without_none(
        {
            "flyllm.request.id": event.id or None,
            "flyllm.task": event.request.task,
            "flyllm.attempts": len(response.attempts),
            "flyllm.failovers": _failovers(response.attempts),
            "error.type": type(response.error).__name__ if response.error is not None else None,
        }
    )


def error_of(attempt: Attempt) -> str | None:
    """Return the class of error an attempt ended in, None where it did not."""
    return None if attempt.outcome in _NO_ERROR else attempt.outcome


def _failovers(attempts: Sequence[Attempt]) -> int:
    in_turn = [attempt for attempt in attempts if attempt.chosen_because != "hedge"]
    return sum(one.instance_id != other.instance_id and not one.success for one, other in pairwise(in_turn))


def _id_in(raw: Any) -> str | None:
    found = raw.get("id") or raw.get("responseId") if isinstance(raw, Mapping) else None
    return found if isinstance(found, str) else None


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _without_none(known: Mapping[str, Value | None]) -> Attributes:
    return {name: value for name, value in known.items() if value is not None}
