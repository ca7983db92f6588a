"""Requests of OpenAI's batch files: `custom_id`, `method`, `url`, and in `body` what chat completions take.

The body's `model` is left aside: the configuration and the task decide who answers.
"""

from typing import Any

from flyllm.config.wording import found, hint
from flyllm.errors import ConfigError
from flyllm.request import GenerationRequest

URL = "/v1/chat/completions"

_KEYS = ("custom_id", "method", "url", "body")
_OWN = frozenset({"messages", "tools", "tool_choice", "response_format"})
_LEFT_ASIDE = frozenset({"model", "n", "stream", "stream_options"})


def is_openai(told: Any) -> bool:
    """Whether a line is of this shape, or meant to be."""
    return isinstance(told, dict) and not {"body", "url", "method"}.isdisjoint(told)


def read_openai(told: dict[str, Any]) -> GenerationRequest:
    """Return the request of a line. Raises ConfigError that names everything wrong with it."""
    body = told.get("body")
    faults = [f"unknown key {key[:40]!r}{hint(key, _KEYS)}" for key in told if key not in _KEYS]
    if told.get("method", "POST") != "POST":
        faults.append(f"method must be POST, found {found(told['method'])}")
    if told.get("url", URL) != URL:
        faults.append(f"url must be {URL}, found {found(told['url'])}")
    if not isinstance(body, dict):
        faults.append(f"body must be an object with messages, found {found(body)}")
    else:
        faults += _body_faults(body)
    if not isinstance(body, dict) or faults:
        raise ConfigError.from_faults(faults)
    params = {_param(key): value for key, value in body.items() if key not in _OWN | _LEFT_ASIDE}
    own = {key: body[key] for key in _OWN if key in body}
    return GenerationRequest(custom_id=told.get("custom_id"), params=params or None, **own)


def _body_faults(body: dict[str, Any]) -> list[str]:
    faults = []
    if "messages" not in body:
        faults.append(f"body has no messages{_instead(body)}")
    if body.get("stream"):
        faults.append("body.stream: a batch does not stream")
    if body.get("n") not in (None, 1):
        faults.append("body.n: a request has one answer")
    return faults


def _instead(body: dict[str, Any]) -> str:
    near = [key for key in body if hint(key, ("messages",))]
    return f": is '{near[0]}' meant to be?" if near else ""


def _param(key: str) -> str:
    # OpenAI's newer name; under the common one it is translated for every provider.
    return "max_tokens" if key == "max_completion_tokens" else key
