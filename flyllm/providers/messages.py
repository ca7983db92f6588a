"""Reading conversations in the chat-completions shape, for the wires that have a shape of their own."""

import json
import re
from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import unquote_to_bytes

from flyllm.errors import InvalidRequestError
from flyllm.providers.payload import dicts, mapping, text_of

Part = Mapping[str, Any]

_DATA_URL = re.compile(r"data:([^;,]*)[^,]*?(;base64)?,(.*)", re.DOTALL | re.IGNORECASE)
_SYSTEM = ("system", "developer")


def system_parts(messages: Iterable[Mapping[str, Any]]) -> list[Part]:
    """Return the parts of all system messages, wherever they stand."""
    return [part for message in messages if message.get("role") in _SYSTEM for part in parts(message.get("content"))]


def conversation(messages: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the messages that are not for the system; raise `InvalidRequestError` for an unknown role."""
    found = [message for message in messages if message.get("role") not in _SYSTEM]
    for message in found:
        if message.get("role") not in ("user", "assistant", "tool"):
            raise InvalidRequestError(f"messages must not have the role {message.get('role')!r}")
    return found


def spoken(messages: Sequence[Mapping[str, Any]]) -> tuple[list[Part], list[Mapping[str, Any]]]:
    """Return the parts of all system messages and the messages of the others, for APIs that keep them apart.

    Where nobody else speaks, the user says what the system would: these APIs answer no one but the user.
    """
    system, others = system_parts(messages), conversation(messages)
    return (system, others) if others or not system else ([], [{"role": "user", "content": system}])


def parts(content: Any) -> list[Part]:
    """Return message content as parts; texts without a character are left out, as providers refuse them."""
    items = content if isinstance(content, Sequence) and not isinstance(content, str) else [content or ""]
    found = [{"type": "text", "text": item} if isinstance(item, str) else item for item in items]
    return [part for part in found if part.get("type") != "text" or part.get("text")]


def calls(message: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the tool calls of an assistant message."""
    return dicts(message.get("tool_calls"))


def own_extra(holder: Mapping[str, Any], provider: str) -> dict[str, Any]:
    """Return what `provider` wants back with a message or call: of its `extra_content` what is under its name."""
    return {name: value for name, value in mapping(holder.get("extra_content")).items() if name == provider}


def function_name(call: Mapping[str, Any]) -> str:
    """Return the name of a called function."""
    return text_of(mapping(call.get("function")).get("name"))


def call_arguments(call: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of a tool call as the object that they must be here."""
    given = mapping(call.get("function")).get("arguments")
    if isinstance(given, dict):
        return given
    try:
        found = json.loads(given or "{}")
    except (TypeError, ValueError):
        found = None
    if not isinstance(found, dict):
        raise InvalidRequestError(f"the arguments of tool call {call.get('id')!r} are not a JSON object")
    return found


def image_url(part: Part) -> str:
    """Return the URL in an image part."""
    image = part.get("image_url")
    url = text_of(image if isinstance(image, str) else mapping(image).get("url"))
    if not url:
        raise InvalidRequestError("an image_url part has no url")
    return url


def data_url(url: str) -> tuple[str, str] | None:
    """Return media type and base64 data of a `data:` URL, None for any other URL."""
    if url[:5].lower() != "data:":
        return None
    match = _DATA_URL.fullmatch(url)
    if match is None:
        raise InvalidRequestError("a data: URL has no data")
    media_type, base64, data = match.groups()
    return media_type or "text/plain", data if base64 else b64encode(unquote_to_bytes(data)).decode()


def response_schema(response_format: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """Return the JSON Schema in a `response_format`, with the description beside it; None where it asks for none."""
    given = response_format or {}
    if given.get("type") != "json_schema":
        return None
    inner = mapping(given.get("json_schema")) or given
    schema = inner.get("schema")
    if not isinstance(schema, Mapping):
        raise InvalidRequestError("response_format of type json_schema has no schema")
    described = inner.get("description")
    return {"description": described, **schema} if described else schema
