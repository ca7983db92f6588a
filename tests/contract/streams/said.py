"""What one frame of a stream says, read off the documentation of each wire, for the plain reader."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Said:
    """What a frame says. `noticed`: there is text, reasoning or a tool call; `finished`: it has the finish reason."""

    text: str = ""
    noticed: bool = False
    finished: bool = False
    terminal: bool = False


def read(api: str, data: Any, lines: bool) -> Said:
    """Return what the JSON of a frame says; `lines` tells Ollama's API of this name from Cohere's."""
    if api == "chat":
        return _ollama(data) if lines else _cohere(data)
    return _READERS[api](data)


def _chat(data: Any) -> Said:
    text, noticed, finished = "", False, False
    for choice in data.get("choices", ())[:1]:
        delta = choice.get("delta") or {}
        content = delta.get("content") or delta.get("refusal") or ""
        if isinstance(content, list):  # Mistral's thoughts and texts
            noticed, content = bool(content), "".join(part.get("text", "") for part in content)
        text = content
        thought = delta.get("reasoning") or delta.get("reasoning_content")
        noticed = noticed or bool(text or thought or delta.get("tool_calls"))
        finished = bool(choice.get("finish_reason"))
    return Said(text, noticed, finished)


def _messages(data: Any) -> Said:
    kind, delta, block = data["type"], data.get("delta", {}), data.get("content_block", {})
    text = delta.get("text", "") if delta.get("type") == "text_delta" else block.get("text", "")
    thought = delta.get("thinking") or block.get("thinking")
    # What calls of the caller's tools look like; the arguments of others are no business of his.
    called = block.get("type") == "tool_use"
    finished = kind == "message_delta" and bool(delta.get("stop_reason"))
    return Said(text, bool(text or thought or called), finished, kind == "message_stop")


def _generate_content(data: Any) -> Said:
    candidate = (data.get("candidates") or [{}])[0]
    parts = candidate.get("content", {}).get("parts", ())
    text = "".join(part.get("text", "") for part in parts if not part.get("thought"))
    noticed = any(part.get("text") or "functionCall" in part for part in parts)
    return Said(text, noticed, bool(candidate.get("finishReason")))


def _responses(data: Any) -> Said:
    kind = data["type"]
    text = data["delta"] if kind in ("response.output_text.delta", "response.refusal.delta") else ""
    thought = data["delta"] if kind.startswith("response.reasoning") and kind.endswith(".delta") else ""
    over = kind in ("response.completed", "response.incomplete")
    return Said(text, bool(text or thought or over), over, over)


def _cohere(data: Any) -> Said:
    message = data.get("delta", {}).get("message", {})
    content = message.get("content") or {}
    text = content.get("text", "") if isinstance(content, dict) else ""
    thought = isinstance(content, dict) and content.get("thinking")
    noticed = bool(text or thought or message.get("tool_plan") or message.get("tool_calls"))
    over = data["type"] == "message-end"
    return Said(text, noticed, over, over)


def _ollama(data: Any) -> Said:
    message, over = data["message"], data["done"]
    noticed = any(message.get(name) for name in ("content", "thinking", "tool_calls"))
    return Said(message.get("content", ""), noticed, over, over)


_READERS: dict[str, Callable[[Any], Said]] = {
    "chat_completions": _chat,
    "messages": _messages,
    "generate_content": _generate_content,
    "responses": _responses,
}
