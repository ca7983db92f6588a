"""What servers of the chat-completions shape refuse in messages, each in its own words."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from flyllm.testing.wires.base import BadRequest, Json
from flyllm.testing.wires.message_parts import data_of, is_data, parts_of, says_something, url_in

EMPTY_TEXT = (
    "Unable to submit request because it has an empty text parameter. Add a value to the parameter and try again. "
    "Learn more: https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/gemini"
)
"""Google's words for a text without a character (google-gemini/deprecated-generative-ai-python issue 697)."""

_ALTERNATING = "After the (optional) system message(s), user and assistant roles should be alternating."
_LAST = "Last message must have role `user`."
_EMPTY = "Message content must not be empty."  # in words of ours: that it is refused is all that is told
REFUSALS = (_ALTERNATING, _LAST, _EMPTY)
"""Perplexity's, of the type "invalid_message"."""


def check_perplexity(messages: Sequence[Json]) -> None:
    """Raise `BadRequest` where Sonar answers 400.

    perplexityai/api-discussion issue 265, BerriAI/litellm issue 3918, InfinitiBit/graphbit pull request 163.
    """
    roles = [message.get("role") for message in messages]
    turns = spoken(roles)
    if "system" in turns or any(one == other != "tool" for one, other in pairwise(turns)):
        raise BadRequest(_ALTERNATING)
    if roles[-1] not in ("user", "tool"):
        raise BadRequest(_LAST)
    if not all(says_something(message) or message.get("tool_calls") for message in messages):
        raise BadRequest(_EMPTY)


def check_groq(messages: Sequence[Json]) -> None:
    """Raise `BadRequest` where Groq answers 400 (livekit/agents issue 1790)."""
    for number, message in enumerate(messages):
        if message.get("role") == "system" and not isinstance(message.get("content"), str):
            why = f"('messages.{number}.content' : value must be a string)"
            raise BadRequest(f"'messages.{number}' : for 'role:system' the following must be satisfied[{why}]")


def check_together(messages: Sequence[Json]) -> None:
    """Raise `BadRequest` where Together's description of a request does not hold; in words of ours."""
    for number, message in enumerate(messages):
        content = message.get("content")
        if message.get("role") != "user" and not isinstance(content, str | None):
            raise BadRequest(f"Input validation error: messages[{number}].content: expected a string")


def check_ollama(messages: Sequence[Json]) -> None:
    """Raise `BadRequest` where Ollama's `/v1` answers 400 (github.com/ollama/ollama, openai/openai.go)."""
    for number, message in enumerate(messages):
        if message.get("content") is None and not message.get("tool_calls"):
            raise BadRequest("invalid message content type: <nil>")
        for _, part in parts_of(number, message):
            if part.get("type") == "image_url":
                _check_ollama_image(url_in(part))


def _check_ollama_image(url: str) -> None:
    if url.startswith(("http://", "https://")):
        raise BadRequest("image URLs are not currently supported, please use base64 encoded data instead")
    if not data_of(url):
        raise BadRequest("invalid image input")


def check_google(messages: Sequence[Json]) -> None:
    """Raise `BadRequest` where Google's `/v1beta/openai` answers 400: what its own API refuses, translated to it.

    BoundaryML/baml issue 1548 for URLs.
    """
    for number, message in enumerate(messages):
        if message.get("role") != "tool" and not message.get("tool_calls") and not says_something(message):
            raise BadRequest(EMPTY_TEXT)
        for _, part in parts_of(number, message):
            if part.get("type") == "text" and not part.get("text"):
                raise BadRequest(EMPTY_TEXT)
            if part.get("type") == "image_url" and not is_data(url_in(part)):
                raise BadRequest(f"Invalid or unsupported file uri: {url_in(part)}")


def spoken(roles: Sequence[Any]) -> list[Any]:
    """Return the roles that follow the leading system messages."""
    first = next((number for number, role in enumerate(roles) if role != "system"), len(roles))
    return list(roles[first:])
