"""Conversations made into ones that a server of the chat-completions shape takes, with all that they say, in order."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from flyllm.providers.chat_rules import ChatRules
from flyllm.providers.messages import Part, calls, parts

Message = Mapping[str, Any]

BETWEEN = "\n\n"
"""Between texts that were messages or parts of their own."""


def fitted(messages: Sequence[Message], rules: ChatRules) -> list[Message]:
    """Return `messages` as a server with these `rules` takes them.

    Left out are an assistant's messages that say nothing, and others where those are refused.
    """
    told = [_plain(message, rules) for message in results_apart(messages) if not _left_out(message, rules)]
    return _alternating(told) if rules.alternating else told


def results_apart(messages: Iterable[Message]) -> Iterator[Message]:
    """Yield `messages`, the images of tool results in a message of the user's after the results.

    "Image URLs are only allowed for messages with role 'user', but this message with role 'tool' contains an image
    URL." (OpenAI; OpenHands/OpenHands issue 7700)
    """
    shown: list[Part] = []
    for message in messages:
        if shown and message.get("role") != "tool":
            yield {"role": "user", "content": shown}
            shown = []
        images = _images(message) if message.get("role") == "tool" else []
        shown += images
        yield {**message, "content": _texts(message) or ""} if images else message
    if shown:
        yield {"role": "user", "content": shown}


def says_nothing(message: Message) -> bool:
    """Tell whether a message has neither content nor anything else that matters."""
    besides = (value for name, value in message.items() if name not in ("role", "name", "content"))
    return not any(besides) and not parts(message.get("content"))


def _left_out(message: Message, rules: ChatRules) -> bool:
    return (not rules.empty or message.get("role") == "assistant") and says_nothing(message)


def _images(message: Message) -> list[Part]:
    return [part for part in parts(message.get("content")) if part.get("type") == "image_url"]


def _texts(message: Message) -> list[Part]:
    return [part for part in parts(message.get("content")) if part.get("type") != "image_url"]


def _plain(message: Message, rules: ChatRules) -> Message:
    role, content = message.get("role"), message.get("content")
    if role == "developer" and not rules.developer:
        message = {**message, "role": "system"}
    if any(_idle(*field) for field in message.items()):
        message = {name: value for name, value in message.items() if not _idle(name, value)}
    if content is None or isinstance(content, str):
        return message
    said = parts(content)
    if rules.plain and role != "user":
        return {**message, "content": _joined(said, "" if role == "assistant" else BETWEEN)}
    return message if len(said) == len(content) else {**message, "content": said or ""}


def _idle(name: str, value: Any) -> bool:
    # `refusal` and `annotations` of another server's message, say: "property 'annotations' is unsupported" (Groq).
    return name not in ("role", "content") and (value is None or value == [])


def _joined(said: Sequence[Part], between: str) -> str | list[Part]:
    """Return texts as one: an assistant's were one before they came in parts."""
    if any(part.get("type") != "text" for part in said):
        return list(said)
    return between.join(str(part["text"]) for part in said)


def _alternating(messages: Sequence[Message]) -> list[Message]:
    system = [message for message in messages if message.get("role") == "system"]
    turns: list[Message] = []
    for message in messages:
        if message.get("role") == "system":
            continue
        if turns and _one_turn(turns[-1], message):
            turns[-1] = _merged(turns[-1], message)
        else:
            turns.append(message)
    if not system:
        return turns
    first = system[0]
    for message in system[1:]:
        first = _merged(first, message)
    return [first, *turns] if turns else [{**first, "role": "user"}]  # nobody else speaks, and somebody must


def _one_turn(one: Message, other: Message) -> bool:
    return one.get("role") == other.get("role") and one.get("role") != "tool" and not calls(one)


def _merged(one: Message, other: Message) -> Message:
    return {**one, **other, "content": _both(one.get("content"), other.get("content"))}


def _both(one: Any, other: Any) -> Any:
    if not one or not other:
        return one or other
    if isinstance(one, str) and isinstance(other, str):
        return one + BETWEEN + other
    return parts(one) + parts(other)
