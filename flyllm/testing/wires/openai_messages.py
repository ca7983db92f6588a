"""What OpenAI refuses in messages of chat completions, in its own words."""

from collections.abc import Sequence
from typing import Any

from flyllm.testing.wires.base import BadRequest, Json
from flyllm.testing.wires.message_parts import data_of, is_data, parts_of
from flyllm.testing.wires.tool_turns import check_chat

_PARTS = ("text", "image_url", "input_audio", "refusal", "audio", "file")
_SPEAKS = ("tool_calls", "function_call", "refusal", "audio")
MAGIC = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF8", b"RIFF")
UNSUPPORTED = (
    "You uploaded an unsupported image. Please make sure your image has of one the following formats: "
    "['png', 'jpeg', 'gif', 'webp']."
)


def check_openai(messages: Sequence[Json]) -> None:
    """Raise `BadRequest` where OpenAI answers 400.

    openai/openai-node issue 1030, STranslate/STranslate issue 277, run-llama/llama_index pull request 17921.
    """
    check_chat(list(messages))
    for number, message in enumerate(messages):
        _check_content(number, message)
        for place, part in parts_of(number, message):
            _check_kind(place, part.get("type"))
            if part["type"] == "image_url":
                _check_image(place, number, message["role"], part.get("image_url"))


def _check_content(number: int, message: Json) -> None:
    content = message.get("content")
    if content is None and not any(message.get(name) for name in _SPEAKS):
        raise BadRequest("Invalid value for 'content': expected a string, got null.", f"messages.[{number}].content")
    if content == []:
        place = f"messages[{number}].content"
        expected = "Expected an array with minimum length 1, but got an empty array instead."
        raise BadRequest(f"Invalid '{place}': empty array. {expected}", place)


def _check_kind(place: str, kind: Any) -> None:
    if kind not in _PARTS:
        known = ", ".join(f"'{word}'" for word in _PARTS[:-1])
        raise BadRequest(f"Invalid value: '{kind}'. Supported values are: {known}, and '{_PARTS[-1]}'.", place)


def _check_image(place: str, number: int, role: str, image: Any) -> None:
    if role != "user":
        raise BadRequest(
            f"Invalid 'messages[{number}]'. Image URLs are only allowed for messages with role 'user', but this "
            f"message with role '{role}' contains an image URL.",
            f"messages[{number}]",
        )
    if not isinstance(image, dict):
        given = "a string" if isinstance(image, str) else "null"
        raise BadRequest(f"Invalid type for '{place}.image_url': expected an object, but got {given} instead.", place)
    if is_data(image.get("url")) and not data_of(image["url"]).startswith(MAGIC):
        raise BadRequest(UNSUPPORTED)
