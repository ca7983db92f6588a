"""One attempt as an entry of a debug file: FlyLLM's fields under its names, and more beside them."""

from collections.abc import Callable, Mapping
from typing import Any

from flyllm.observability.events import AttemptEvent
from flyllm.observability.lenient_json import encoder
from flyllm.observability.shortened import shortened
from flyllm.request import EmbeddingRequest, GenerationRequest

_TOKENS = ("prompt_tokens", "completion_tokens", "total_tokens", "cached_tokens", "reasoning_tokens")
_ROLES = ("system", "developer", "user", "assistant", "tool", "function")

# A field per line, as it is read by people. The module's own `indent` would give up its encoder in C.
_json = encoder(separators=(",\n    ", ": "))
_compact = encoder(separators=(",", ":"))

Hide = Callable[[Any], Any]


def entry(event: AttemptEvent, *, prompts: bool) -> bytes:
    """Return the JSON object of an attempt. Its last line, and no other one, is a closing brace.

    Without `prompts` all text of the user's, the model's or the provider's is replaced by its length.
    """
    hide: Hide = _as_it_is if prompts else _length
    asked = _input(event) if prompts else _hidden_input(event)
    sections = {"metadata": _metadata(event), "input": asked, "output": _output(event, hide)}
    lines = ",\n".join(f'  "{name}": {_json(section)}' for name, section in sections.items())
    return f"{{\n{lines}\n}}".encode("utf-8", "replace")


def _metadata(event: AttemptEvent) -> dict[str, Any]:
    attempt = event.attempt
    return {
        "timestamp": int(attempt.started),
        "instance_id": attempt.instance_id,
        "instance_name": attempt.instance_name,
        "instance_model": attempt.model,
        "duration_ms": round(attempt.duration * 1000),
        "provider": attempt.provider,
        "id": event.id,
        "attempt": attempt.number,
        "outcome": attempt.outcome,
        "chosen_because": attempt.chosen_because,
        "waited": attempt.waited,
        "first_content": attempt.first_content,
        "status_code": attempt.status_code,
        "retry_after": attempt.retry_after,
        "request_id": attempt.request_id,
        "cost": attempt.cost,
    }


def _input(event: AttemptEvent) -> dict[str, Any]:
    request = event.request
    return {
        "prompt": request.prompt,
        "system": request.system,
        "messages": shortened(request.messages),
        **_images(request, shortened),
        "task": request.task,
        "parameters": event.params,
        "metadata": request.metadata,
        **_texts(request),
    }


def _hidden_input(event: AttemptEvent) -> dict[str, Any]:
    request = event.request
    return {
        "prompt": _length(request.prompt),
        "system": _length(request.system),
        "messages": request.messages and [_hidden_message(message) for message in request.messages],
        **_images(request, len),
        "task": request.task,
        "parameters": {name: _hidden_value(value) for name, value in event.params.items()},
        "metadata": _length(request.metadata),
        **_texts(request),
    }


def _images(request: GenerationRequest, shown: Callable[[Any], Any]) -> dict[str, Any]:
    """Return what is `shown` of a prompt's images, nothing where there are none."""
    return {"images": shown(request.images)} if request.images else {}


def _texts(request: GenerationRequest) -> dict[str, Any]:
    """Return how many texts were to be embedded: each of the calls for them has its own entry."""
    return {"texts": len(request.texts)} if isinstance(request, EmbeddingRequest) else {}


def _output(event: AttemptEvent, hide: Hide) -> dict[str, Any]:
    usage, attempt = event.attempt.usage, event.attempt
    output: dict[str, Any] = {
        "success": event.error is None and attempt.success,
        "content": hide(event.content),
        "usage": {name: getattr(usage, name) for name in _TOKENS}
        | {"source": {name: usage.source(name) for name in _TOKENS}},
    }
    if event.error is not None:  # its words may quote the prompt; its class is among the metadata
        output["error"] = hide(str(event.error))
    return output


def _hidden_message(message: Mapping[str, Any]) -> dict[str, Any]:
    role = message.get("role")
    return {"role": role if role in _ROLES else _length(role), "content": _length(message.get("content"))}


def _hidden_value(value: Any) -> Any:
    return value if value is None or isinstance(value, bool | int | float) else _length(value)


def _as_it_is(value: Any) -> Any:
    return value


def _length(value: Any) -> str | None:
    """Return how long a text is, or the JSON of what is none."""
    if value is None:
        return None
    return f"[{len(value if isinstance(value, str) else _compact(value))} characters]"
