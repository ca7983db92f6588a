"""What a request must look like before anything is done with it. Takes any values; raises `ConfigError` only."""

import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from threading import TIMEOUT_MAX
from typing import Any, get_args

from flyllm.errors import ConfigError
from flyllm.providers.registry import REGISTRY
from flyllm.request import EmbeddingRequest, FailOn, GenerationRequest, OnInterrupt

ROLES = ("system", "developer", "user", "assistant", "tool")


def check_request(request: GenerationRequest) -> None:
    """Raise one `ConfigError` that names everything wrong with `request`."""
    given: Any = request  # its annotations are the caller's promise, not yet a fact
    faults: list[str] = []
    for name, default, check in _CHECKS:
        value = getattr(given, name)
        if value is not default:  # as most fields are, of most requests
            faults += check(name, value)
    faults += _texts_faults(given.texts) if isinstance(given, EmbeddingRequest) else _faults_together(given)
    if faults:
        raise ConfigError.from_faults(faults, "The request is not valid")


def seconds_faults(name: str, seconds: Any) -> Iterable[str]:
    """Return a fault unless `seconds` is a length of time that can be waited for, or None."""
    if seconds is None:
        return ()
    if not isinstance(seconds, int | float) or isinstance(seconds, bool):
        return (f"{name} must be a number of seconds, not {_type(seconds)}",)
    if 0 < seconds <= TIMEOUT_MAX or seconds == math.inf:
        return ()
    return (f"{name} must be a number of seconds above 0 and below {TIMEOUT_MAX:.0f}",)


def threads_faults(name: str, threads: Any) -> Iterator[str]:
    """Yield a fault unless `threads` is a number of threads, or None."""
    if threads is not None and (not isinstance(threads, int) or isinstance(threads, bool) or threads < 1):
        yield f"{name} must be a whole number of at least 1, not {threads!r:.40}"


def _switch_faults(name: str, value: Any) -> Iterator[str]:
    if not isinstance(value, bool):
        yield f"{name} must be True or False, not {_type(value)}"


def _way_faults(name: str, value: Any) -> Iterator[str]:
    return _word_faults(name, value, get_args(OnInterrupt))


def _word_faults(name: str, value: Any, words: Sequence[str]) -> Iterator[str]:
    if not isinstance(value, str) or value not in words:
        yield f"{name} must be one of {', '.join(map(repr, words))}, not {value!r:.40}"


def _fail_on_faults(name: str, kinds: Any) -> Iterator[str]:
    if isinstance(kinds, str) or not isinstance(kinds, Collection):
        yield f"{name} must be a set of words, not {_type(kinds)}"
        return
    for kind in kinds:
        yield from _word_faults(name, kind, get_args(FailOn))


def _times_faults(name: str, times: Any) -> Iterator[str]:
    if not isinstance(times, int) or isinstance(times, bool) or times < 0:
        yield f"{name} must be a whole number of at least 0, not {times!r:.40}"


def _texts_faults(texts: Sequence[Any]) -> Iterator[str]:
    if not texts:
        yield "there are no texts to embed"
    for n, text in enumerate(texts):
        yield from _text_faults(f"texts[{n}]", text)


def _faults_together(request: Any) -> list[str]:
    faults: list[str] = []
    prompt, times = request.prompt, request.retry_invalid
    if isinstance(prompt, str) and not prompt and _is_missing(request.messages) and _is_missing(request.images):
        faults.append("the request is empty: give a prompt or messages")
    if isinstance(times, int) and times > 0 and request.response_format is None:
        faults.append("retry_invalid needs a response_format: any text is valid without one")
    return faults


def _is_missing(values: Any) -> bool:
    return values is None or (_is_list(values) and not len(values))


def _choice_faults(name: str, choice: Any) -> Iterator[str]:
    if not isinstance(choice, str | Mapping | None):
        yield f"{name} must be text or a dict, not {_type(choice)}"


def _text_faults(name: str, text: Any) -> Iterator[str]:
    if not isinstance(text, str):
        yield f"{name} must be text, not {_type(text)}"
    elif not _encodable(text):
        yield f"{name} holds a lone surrogate, which has no encoding"


def _encodable(text: str) -> bool:
    try:
        return text.isascii() or bool(text.encode())
    except UnicodeEncodeError:
        return False


def _message_faults(name: str, messages: Any) -> Iterator[str]:
    yield from _list_faults(name, messages, "a dict with role and content")
    if _is_list(messages):
        for n, message in enumerate(messages):
            if isinstance(message, Mapping):
                yield from _role_faults(f"{name}[{n}]", message.get("role"))
                yield from _content_faults(f"{name}[{n}].content", message.get("content"), message.get("role"))


def _role_faults(where: str, role: Any) -> Iterator[str]:
    if not isinstance(role, str):
        yield f"{where} needs a role. Valid roles: {', '.join(ROLES)}"
    elif role not in ROLES:
        yield f"{where} has role {role[:40]!r}. Valid roles: {', '.join(ROLES)}"


def _content_faults(where: str, content: Any, role: Any) -> Iterator[str]:
    if isinstance(content, str):
        yield from _text_faults(where, content)
    elif content is None:
        if not (isinstance(role, str) and role == "assistant"):  # which may have called tools instead
            yield f"{where} must be text or a list of parts, not NoneType"
    elif not _is_list(content):
        yield f"{where} must be text or a list of parts, not {_type(content)}"


def _list_faults(name: str, values: Any, what: str = "a dict") -> Iterator[str]:
    if values is None:
        return
    if not _is_list(values):
        yield f"{name} must be a list of dicts, not {_type(values)}"
        return
    for n, value in enumerate(values):
        if not isinstance(value, Mapping):
            yield f"{name}[{n}] must be {what}, not {_type(value)}"


def _tool_faults(name: str, tools: Any) -> Iterator[str]:
    if not _is_list(tools):
        yield f"{name} must be a list of functions or dicts, not {_type(tools)}"
        return
    for n, tool in enumerate(tools):
        if not (isinstance(tool, Mapping) or callable(tool)):
            yield f"{name}[{n}] must be a function or a dict, not {_type(tool)}"


def _is_list(values: Any) -> bool:
    return isinstance(values, Sequence) and not isinstance(values, str | bytes | bytearray)


def _table_faults(name: str, table: Any) -> Iterator[str]:
    if not isinstance(table, Mapping):
        yield f"{name} must be a dict, not {_type(table)}"
    elif not all(isinstance(key, str) for key in table):
        yield f"{name} must have names as keys, not {_type(next(key for key in table if not isinstance(key, str)))}"


def _provider_faults(name: str, tables: Any) -> Iterator[str]:
    faults = list(_table_faults(name, tables))
    yield from faults
    if faults:
        return
    for provider, table in tables.items():
        if provider.lower() not in REGISTRY:
            yield f"{name} names no provider: {provider[:40]!r}. Valid names: {', '.join(REGISTRY)}"
        yield from _table_faults(f"{name}[{provider[:40]!r}]", table)


def _type(value: object) -> str:
    return type(value).__name__


_DEFAULTS = {field.name: field.default for field in fields(GenerationRequest)}
_CHECKS: tuple[tuple[str, Any, Callable[[str, Any], Iterable[str]]], ...] = tuple(
    (name, _DEFAULTS[name], check)
    for name, check in {
        "prompt": _text_faults,
        "system": _text_faults,
        "task": _text_faults,
        "messages": _message_faults,
        "params": _table_faults,
        "provider_params": _provider_faults,
        "tools": _tool_faults,
        "tool_choice": _choice_faults,
        "custom_id": _text_faults,
        "metadata": _table_faults,
        "timeout": seconds_faults,
        "first_content_timeout": seconds_faults,
        "idle_timeout": seconds_faults,
        "on_interrupt": _way_faults,
        "hedge": _switch_faults,
        "fail_on": _fail_on_faults,
        "retry_invalid": _times_faults,
    }.items()
)
"""By whom each field is checked that is not at its default. `images` and `response_format` are as they are read."""
