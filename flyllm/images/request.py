"""Images of a request: whatever users give for one becomes a chat-completions part, once, before anything is sent."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from flyllm.errors import ConfigError
from flyllm.images.source import is_web, url_of

if TYPE_CHECKING:
    from flyllm.request import GenerationRequest

_KINDS = ("image_url", "image", "input_image")  # of parts: the chat-completions one, and providers' own


def with_images(request: "GenerationRequest") -> "GenerationRequest":
    """Return `request` with nothing but JSON in its messages' parts and its `images`; itself where that is so already.

    Texts in a list of parts become parts too. Raises one `ConfigError` that names all that is wrong.
    """
    faults: list[str] = []
    images = _all(request.images, "images", _image, faults)
    messages = _messages(request.messages, faults)
    if faults:
        raise ConfigError.from_faults(faults, "The request is not valid")
    if images is request.images and messages is request.messages:
        return request
    return replace(request, images=images, messages=messages)


def prompt_content(request: "GenerationRequest") -> str | list[Any]:
    """Return what the prompt's message says; `request` is one that `with_images` has returned.

    The images come first: Claude answers best that way (platform.claude.com/docs/en/build-with-claude/vision), and no
    other provider wants them elsewhere.
    """
    if not request.images:
        return request.prompt
    text = [{"type": "text", "text": request.prompt}] if request.prompt else []
    return [*request.images, *text]


def has_images(request: "GenerationRequest") -> bool:
    """Tell whether there are images in a request that `with_images` has returned."""
    return any(True for _ in _parts(request))


def has_image_urls(request: "GenerationRequest") -> bool:
    """Tell whether a provider would have to fetch images of a request that `with_images` has returned."""
    return any(is_web(_known(part)) for part in _parts(request))


def _parts(request: "GenerationRequest") -> Iterator[Mapping[str, Any]]:
    images: Sequence[Any] = request.images or ()
    yield from images
    for message in request.messages or ():
        content = message.get("content")
        if content and not isinstance(content, str):
            yield from (part for part in content if part.get("type") in _KINDS)


def _known(part: Mapping[str, Any]) -> Any:
    image = part.get("image_url")
    return image.get("url") if isinstance(image, Mapping) else image


def _messages(messages: Any, faults: list[str]) -> Any:
    if not messages:
        return messages
    made = [_message(message, number, faults) for number, message in enumerate(messages)]
    return _same_or(messages, made)


def _message(message: Mapping[str, Any], number: int, faults: list[str]) -> Mapping[str, Any]:
    content = message.get("content")
    if content is None or isinstance(content, str):
        return message
    if isinstance(content, list) and all(isinstance(p, dict) and p.get("type") != "image_url" for p in content):
        return message
    parts = _all(content, f"messages[{number}].content", _part, faults)
    return message if parts is content else {**message, "content": parts}


def _all(items: Any, where: str, make: Callable[[Any], Any], faults: list[str]) -> Any:
    """Return `items` as `make` makes them, the very sequence where it changes none."""
    if items is None:
        return None
    if isinstance(items, str | bytes | bytearray | memoryview) or not isinstance(items, Sequence):
        faults.append(f"{where} must be a list, not {type(items).__name__}")
        return items
    made = []
    for number, item in enumerate(items):
        try:
            made.append(make(item))
        except ConfigError as error:
            faults.append(f"{where}[{number}]: {error}")
    return _same_or(items, made)


def _same_or(items: Sequence[Any], made: list[Any]) -> Sequence[Any]:
    same = len(items) == len(made) and all(new is old for new, old in zip(made, items, strict=True))
    return items if same else made


def _part(given: Any) -> Any:
    if isinstance(given, str):
        return {"type": "text", "text": given}
    if not isinstance(given, Mapping):
        return _image(given)
    return _image(given) if given.get("type") == "image_url" else given


def _image(given: Any) -> Mapping[str, Any]:
    """Return the part for an image: a URL, bytes, a path, or a part that holds one of these."""
    if not isinstance(given, Mapping):
        return {"type": "image_url", "image_url": {"url": url_of(given)}}
    known = _known(given)
    url, image = url_of(known), given.get("image_url")
    if url is known and isinstance(image, Mapping):
        return given
    return {**given, "image_url": {**(image if isinstance(image, Mapping) else {}), "url": url}}
