"""What Anthropic refuses in the contents of messages, in its own words: texts that say nothing, images of other kinds.

Sources: issues 8184, 23440 and 59812 of anthropics/claude-code, 167208 of home-assistant/core, pull request 156 of
glowingjade/obsidian-smart-composer.
"""

import binascii
from collections.abc import Iterator
from typing import Any

from flyllm.testing.wires.base import BadRequest, Json

_MEDIA = {
    "image/jpeg": b"\xff\xd8\xff",
    "image/png": b"\x89PNG\r\n\x1a\n",
    "image/gif": b"GIF8",
    "image/webp": b"RIFF",
}
_FOREIGN = ("image_url", "input_text", "input_image", "input_audio", "file")


def check_contents(body: Json) -> None:
    """Raise `BadRequest` where the Messages API answers 400."""
    _check_texts("system", _blocks(body.get("system")))
    messages = body["messages"]
    for number, message in enumerate(messages):
        content, where = message["content"], f"messages.{number}"
        if not content and number < len(messages) - 1:
            told = "all messages must have non-empty content except for the optional final assistant message"
            raise BadRequest(f"{where}: {told}")
        if isinstance(content, str) and content.isspace():
            raise BadRequest("messages: text content blocks must contain non-whitespace text")
        blocks = list(_all_blocks(content, f"{where}.content"))
        _check_texts("messages", [block for _, block in blocks])
        for place, block in blocks:
            _check_block(place, block)


def _check_texts(where: str, blocks: list[Json]) -> None:
    for text in (block.get("text") for block in blocks if block.get("type") == "text"):
        if not text:
            raise BadRequest(f"{where}: text content blocks must be non-empty")
        if isinstance(text, str) and text.isspace():
            raise BadRequest(f"{where}: text content blocks must contain non-whitespace text")


def _check_block(place: str, block: Json) -> None:
    kind = block.get("type")
    if kind in _FOREIGN:
        told = f"Input tag '{kind}' found using 'type' does not match any of the expected tags"
        raise BadRequest(f"{place}: {told}: 'document', 'image', 'text', 'thinking', 'tool_result', 'tool_use'")
    source = block.get("source")
    if kind == "image" and isinstance(source, dict) and source.get("type") == "base64":
        _check_image(f"{place}.image.source.base64", source)


def _check_image(place: str, source: Json) -> None:
    media = source.get("media_type")
    if media not in _MEDIA:
        *most, last = (f"'{known}'" for known in _MEDIA)
        raise BadRequest(f"{place}.media_type: Input should be {', '.join(most)} or {last}")
    try:
        data = binascii.a2b_base64(str(source.get("data")), strict_mode=True)
    except ValueError:
        raise BadRequest(f"{place}: invalid base64 data") from None
    seen = next((known for known, magic in _MEDIA.items() if data.startswith(magic)), None)
    if seen is None:
        raise BadRequest("Could not process image")
    if seen != media:
        told = f"The image was specified using the {media} media type, but the image appears to be a {seen} image"
        raise BadRequest(f"{place}: {told}")


def _all_blocks(content: Any, where: str) -> Iterator[tuple[str, Json]]:
    """Yield all blocks with their places, those within results too."""
    for number, block in enumerate(_blocks(content)):
        yield f"{where}.{number}", block
        if block.get("type") == "tool_result":
            yield from _all_blocks(block.get("content"), f"{where}.{number}.tool_result.content")


def _blocks(content: Any) -> list[Json]:
    return [block for block in content if isinstance(block, dict)] if isinstance(content, list) else []
