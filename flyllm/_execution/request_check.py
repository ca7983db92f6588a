"""What a request must look like before anything is done with it. Takes any values; raises `ConfigError` only."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from threading import TIMEOUT_MAX
from typing import Any, get_args

from flyllm.errors import ConfigError
from flyllm.providers.registry import REGISTRY
from flyllm.request import EmbeddingRequest, GenerationRequest, OnInterrupt

ROLES = ("system", "developer", "user", "assistant", "tool")


def check_request(request: GenerationRequest) -> None:
    """Raise one `ConfigError` that names everything wrong with `request`."""
    given: Any = request  # its annotations are the caller's promise, not yet a fact
    faults = [
        *_text_faults("prompt", given.prompt),
        *_text_faults("system", given.system, optional=True),
        *_text_faults("task", given.task, optional=True),
        *_message_faults(given.messages),
        *(_texts_faults(given.texts) if isinstance(given, EmbeddingRequest) else _emptiness(given)),
        *_table_faults("params", given.params),
        *_provider_faults(given.provider_params),
        *_tool_faults(given.tools),
        *_choice_faults(given.tool_choice),
        *_table_faults("response_format", given.response_format),
        *_text_faults("custom_id", given.custom_id, optional=True),
        *_table_faults("metadata", given.metadata),
        *seconds_faults("timeout", given.timeout),
        *seconds_faults("first_content_timeout", given.first_content_timeout),
        *seconds_faults("idle_timeout", given.idle_timeout),
        *_word_faults("on_interrupt", given.on_interrupt, get_args(OnInterrupt)),
        *_switch_faults("hedge", given.hedge),
        *_switch_faults("fallback_when_filtered", given.fallback_when_filtered),
    ]
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


def _word_faults(name: str, value: Any, words: Sequence[str]) -> Iterator[str]:
    if not isinstance(value, str) or value not in words:
        yield f"{name} must be one of {', '.join(map(repr, words))}, not {value!r:.40}"


def _texts_faults(texts: Sequence[Any]) -> Iterator[str]:
    if not texts:
        yield "there are no texts to embed"
    for n, text in enumerate(texts):
        yield from _text_faults(f"texts[{n}]", text)


def _emptiness(request: Any) -> Iterator[str]:
    prompt, messages = request.prompt, request.messages
    if isinstance(prompt, str) and not prompt and (messages is None or (_is_list(messages) and not len(messages))):
        yield "the request is empty: give a prompt or messages"


def _choice_faults(choice: Any) -> Iterator[str]:
    if not isinstance(choice, str | Mapping | None):
        yield f"tool_choice must be text or a dict, not {_type(choice)}"


def _text_faults(name: str, text: Any, *, optional: bool = False) -> Iterator[str]:
    if text is None and optional:
        return
    if not isinstance(text, str):
        yield f"{name} must be text, not {_type(text)}"
    elif not _encodable(text):
        yield f"{name} holds a lone surrogate, which has no encoding"


def _encodable(text: str) -> bool:
    try:
        return text.isascii() or bool(text.encode())
    except UnicodeEncodeError:
        return False


def _message_faults(messages: Any) -> Iterator[str]:
    yield from _list_faults("messages", messages, "a dict with role and content")
    if _is_list(messages):
        for n, message in enumerate(messages):
            if isinstance(message, Mapping):
                yield from _role_faults(f"messages[{n}]", message.get("role"))
                yield from _content_faults(f"messages[{n}].content", message.get("content"), message.get("role"))


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


def _tool_faults(tools: Any) -> Iterator[str]:
    if tools is not None and not _is_list(tools):
        yield f"tools must be a list of functions or dicts, not {_type(tools)}"
    elif tools is not None:
        for n, tool in enumerate(tools):
            if not (isinstance(tool, Mapping) or callable(tool)):
                yield f"tools[{n}] must be a function or a dict, not {_type(tool)}"


def _is_list(values: Any) -> bool:
    return isinstance(values, Sequence) and not isinstance(values, str | bytes | bytearray)


def _table_faults(name: str, table: Any) -> Iterator[str]:
    if table is None:
        return
    if not isinstance(table, Mapping):
        yield f"{name} must be a dict, not {_type(table)}"
    elif not all(isinstance(key, str) for key in table):
        yield f"{name} must have names as keys, not {_type(next(key for key in table if not isinstance(key, str)))}"


def _provider_faults(tables: Any) -> Iterator[str]:
    faults = list(_table_faults("provider_params", tables))
    yield from faults
    if faults or tables is None:
        return
    for provider, table in tables.items():
        if provider.lower() not in REGISTRY:
            yield f"provider_params names no provider: {provider[:40]!r}. Valid names: {', '.join(REGISTRY)}"
        name = f"provider_params[{provider[:40]!r}]"
        yield from _table_faults(name, table) if table is not None else (f"{name} must be a dict, not NoneType",)


def _type(value: object) -> str:
    return type(value).__name__
