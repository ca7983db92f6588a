"""Model lists in the shape OpenAI gave them, and the variations of those who followed."""

from typing import Any

from flyllm.errors import ParseError
from flyllm.providers.payload import count, decode, dicts, text_of
from flyllm.types import ModelInfo


def read_models(response: Any, provider: str) -> list[ModelInfo]:
    """Return the models in a reply: `{"data": [...]}`, or a bare list as Together sends it."""
    content = response.content
    if content.lstrip().startswith(b"["):
        content = b'{"data":' + content + b"}"
    data = decode(content, response.headers.get("content-type", ""))
    if not isinstance(data.get("data"), list):
        raise ParseError("the model list has no data")
    return [model_info(entry, provider) for entry in dicts(data["data"]) if text_of(entry.get("id"))]


def model_info(entry: dict[str, Any], provider: str) -> ModelInfo:
    """Return one entry of a model list."""
    windows = (count(entry, name) for name in ("context_window", "context_length", "max_context_length"))
    return ModelInfo(
        id=entry["id"],
        provider=provider,
        owned_by=text_of(entry.get("owned_by")) or text_of(entry.get("organization")) or None,
        context_window=next((window for window in windows if window), None),
        raw=entry,
    )
