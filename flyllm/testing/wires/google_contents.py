"""What Google refuses in the contents of a conversation, in its own words: their order, empty texts, files and images.

Sources: google-gemini/gemini-cli issues 6379 and 26486, google-gemini/deprecated-generative-ai-python issue 697,
LibreChat-AI/agents pull request 323 (which models), lbjlaq/Antigravity-Manager issue 1640 (addresses),
musistudio/claude-code-router issue 845 (data). Turns need not alternate (router-for-me/CLIProxyAPI issue 5354).
"""

import binascii
import json
import re
from collections.abc import Iterator
from typing import Any

from flyllm.testing.wires.base import BadRequest, Json
from flyllm.testing.wires.chat_messages import EMPTY_TEXT

_NO_PREFILL = re.compile(r"gemini-(3\.5-flash-lite|3\.[6-9]|3\.\d\d|[4-9])")


def check_turns(model: str, contents: list[Json]) -> None:
    """Raise `BadRequest` where the order of turns is refused."""
    called: list[Json] = []
    for number, content in enumerate(contents):
        calls, answers = _named(content, "functionCall"), _named(content, "functionResponse")
        if calls and (not number or _role(contents[number - 1]) == "model"):
            raise BadRequest(
                "Please ensure that function call turn comes immediately after a user turn or after a function "
                "response turn."
            )
        if answers and not called:
            raise BadRequest("Please ensure that function response turn comes immediately after a function call turn.")
        if len(answers) != len(called):
            raise BadRequest(
                "Please ensure that the number of function response parts is equal to the number of function call "
                "parts of the function call turn."
            )
        called = calls
    if contents and _role(contents[-1]) == "model" and _NO_PREFILL.match(model):
        raise BadRequest("Requests ending with a model turn are not supported.")


def contents_of(body: Json) -> list[Json]:
    """Return the contents of a request, one by itself in a list."""
    contents = body["contents"]
    return contents if isinstance(contents, list) else [contents]


def check_part(where: str, part: Json) -> None:
    """Raise `BadRequest` where a part is refused; `where` is its place among the contents."""
    if "type" in part:
        raise BadRequest(f"Invalid JSON payload received. Unknown name \"type\" at '{where}': Cannot find field.")
    if part.get("text") == "":
        raise BadRequest(EMPTY_TEXT)
    for place, data in _inline(where, part):
        _check_data(place, data)
    file = _either(part, "fileData", "file_data")
    if file:
        _check_address(str(_either(file, "fileUri", "file_uri")))


def _check_data(where: str, data: Any) -> None:
    try:
        binascii.a2b_base64(str(data), strict_mode=True)
    except ValueError:
        told = f"Base64 decoding failed for {json.dumps(str(data)[:50])}"
        raise BadRequest(f"Invalid value at '{where}.inline_data.data' (TYPE_BYTES), {told}", where) from None


def _check_address(uri: str) -> None:
    if not uri.startswith(("https://", "gs://")):
        raise BadRequest(
            f"Unsupported file URI type: {uri}. File URI must be a File API (e.g. "
            "https://generativelanguage.googleapis.com/files/<id>), Youtube (e.g. "
            "https://www.youtube.com/watch?v=<id>), or HTTPS (e.g. https://path/to/file).), or Cloud Storage (e.g. gs://bucket/object"
        )


def _inline(where: str, part: Json) -> Iterator[tuple[str, Any]]:
    within = _either(part, "functionResponse", "function_response").get("parts") or ()
    for piece in (part, *within):
        if inline := _either(piece, "inlineData", "inline_data"):
            yield where, inline.get("data")


def _named(content: Json, name: str) -> list[Json]:
    parts = content.get("parts")
    snake = re.sub("([A-Z])", r"_\1", name).lower()
    return [part for part in parts if name in part or snake in part] if isinstance(parts, list) else []


def _role(content: Json) -> str:
    return str(content.get("role", "user"))


def _either(holder: Json, camel: str, snake: str) -> Any:
    return holder.get(camel) or holder.get(snake) or {}
