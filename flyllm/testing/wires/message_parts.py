"""Reading messages of the chat-completions shape: their parts, and the data in URLs."""

import binascii
from collections.abc import Iterator
from typing import Any

from flyllm.testing.wires.base import Json


def is_data(url: Any) -> bool:
    """Tell whether a URL carries its data in itself."""
    return isinstance(url, str) and url[:5].lower() == "data:"


def data_of(url: str) -> bytes:
    """Return the data in a URL, none where it is not base64."""
    head, _, data = url.partition(",")
    try:
        return binascii.a2b_base64(data, strict_mode=True) if head.endswith(";base64") else b""
    except ValueError:
        return b""


def parts_of(number: int, message: Json) -> Iterator[tuple[str, Json]]:
    """Yield the parts of a message's content, each after its place in OpenAI's manner."""
    content = message.get("content")
    for place, part in enumerate(content if isinstance(content, list) else ()):
        if isinstance(part, dict):
            yield f"messages[{number}].content[{place}]", part


def says_something(message: Json) -> bool:
    """Tell whether a message has content."""
    content = message.get("content")
    if isinstance(content, list):
        return any(part.get("type") != "text" or part.get("text") for part in content)
    return bool(content)


def url_in(part: Json) -> str:
    """Return the URL in an image's part, which may be an object or stand by itself."""
    image = part.get("image_url")
    return str(image.get("url") if isinstance(image, dict) else image)
