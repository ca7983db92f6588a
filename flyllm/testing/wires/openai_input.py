"""What OpenAI's Responses API refuses in the content of input items, in its own words."""

from collections.abc import Iterator
from typing import Any

from flyllm.testing.wires.base import BadRequest, Json
from flyllm.testing.wires.message_parts import data_of, is_data
from flyllm.testing.wires.openai_messages import MAGIC, UNSUPPORTED

_PARTS = ("input_text", "input_image", "output_text", "refusal", "input_file", "computer_screenshot", "summary_text")
_ROLES = ("assistant", "system", "developer", "user")


def check_contents(items: Any) -> None:
    """Raise `BadRequest` where the roles or parts of `items` are answered with 400."""
    for number, item in enumerate(items if isinstance(items, list) else ()):
        role = item.get("role", "user")
        if role not in _ROLES:
            raise BadRequest(_supported(str(role), _ROLES), f"input[{number}].role")
        for place, part in _parts(f"input[{number}]", item):
            _check_part(place, role, part)


def _check_part(place: str, role: str, part: Json) -> None:
    kind = part.get("type")
    if kind not in _PARTS or (role == "assistant" and kind in ("input_text", "input_image")):
        raise BadRequest(_supported(str(kind), ("output_text", "refusal") if role == "assistant" else _PARTS), place)
    url = part.get("image_url")
    if kind != "input_image" or url is None:
        return
    if not isinstance(url, str):
        raise BadRequest(
            f"Invalid type for '{place}.image_url': expected an image URL, but got an object instead.", place
        )
    if is_data(url) and not data_of(url).startswith(MAGIC):
        raise BadRequest(UNSUPPORTED)


def _parts(where: str, item: Json) -> Iterator[tuple[str, Json]]:
    for name in ("content", "output"):
        parts = item.get(name)
        for number, part in enumerate(parts if isinstance(parts, list) else ()):
            if isinstance(part, dict):
                yield f"{where}.{name}[{number}]", part


def _supported(given: str, known: tuple[str, ...]) -> str:
    *most, last = (f"'{word}'" for word in known)
    return f"Invalid value: '{given}'. Supported values are: {', '.join(most)}, and {last}."
