"""What callers hand in, as a request."""

from dataclasses import fields, replace
from typing import Any

from flyllm.errors import ConfigError
from flyllm.request import EmbeddingRequest, GenerationRequest

_FIELDS = frozenset(field.name for field in fields(GenerationRequest))


def as_request(given: Any) -> GenerationRequest:
    """Return `given` as a request; text is a prompt. Raises `ConfigError` for anything else."""
    if isinstance(given, EmbeddingRequest):
        raise ConfigError("an EmbeddingRequest cannot be answered: embed(texts) embeds texts")
    if isinstance(given, GenerationRequest):
        return given
    if isinstance(given, str):
        return GenerationRequest(given)
    raise ConfigError(f"a request must be a GenerationRequest or text, not {type(given).__name__}")


def asked(given: Any, task: str | None, options: dict[str, Any]) -> GenerationRequest:
    """Return the request with `options`: fields of `GenerationRequest` by their names, all others as parameters."""
    request = as_request(given)
    if task is None and not options:
        return request
    changes = {name: value for name, value in options.items() if name in _FIELDS}
    params = {name: value for name, value in options.items() if name not in _FIELDS}
    if params:
        changes["params"] = {**(changes.get("params") or request.params or {}), **params}
    if task is not None:
        changes["task"] = task
    return replace(request, **changes)
