"""The rules of one instance, beyond the kinds of its values. Each takes it and where it stands, and returns faults."""

import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from flyllm._secret import redact
from flyllm.config.environment import EnvironmentText
from flyllm.config.kinds import sendable
from flyllm.config.model import InstanceConfig
from flyllm.config.wording import hint, noun
from flyllm.providers.base import ProviderSpec
from flyllm.providers.endpoint import resolve
from flyllm.providers.registry import REGISTRY

_KEY = re.compile(r"[!-~]*")
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, 5.6.2
_HEADER_VALUE = re.compile(r"[\t -~]*")  # the HTTP clients encode headers as ASCII
_SECRET_PARTS = frozenset("@?#")

Rule = Callable[[InstanceConfig, str], list[str]]


def row_of(instance: InstanceConfig) -> ProviderSpec | None:
    """Return the registry's row of the instance's provider, None if there is none."""
    return REGISTRY.get(instance.provider.strip().lower())


def _known_provider(instance: InstanceConfig, where: str) -> list[str]:
    if row_of(instance):
        return []
    name, near = redact(f"{instance.provider}"), hint(instance.provider, REGISTRY)
    return [f"Unknown provider type '{name}' in {where}{near}\n  → Valid types: {', '.join(REGISTRY)}"]


def _known_api(instance: InstanceConfig, where: str) -> list[str]:
    row = row_of(instance)
    try:
        if row is not None:
            resolve(row, None, instance.api or None)
    except ValueError as exc:
        return [f"{exc}\n  → In {where}.api"]
    return []


def _usable_endpoint(instance: InstanceConfig, where: str) -> list[str]:
    row, endpoint = row_of(instance), instance.endpoint or ""
    try:
        if row is not None:
            resolve(row, endpoint, None)
    except ValueError as exc:
        # The reason quotes from the endpoint, which may hold a password, a token or a variable's value.
        private = isinstance(endpoint, EnvironmentText) or not _SECRET_PARTS.isdisjoint(endpoint)
        reason = "The endpoint is not an http(s) URL without user, query and fragment" if private else exc
        return [f"{reason}\n  → In {where}.endpoint"]
    return []


def _key(instance: InstanceConfig) -> str:
    return instance.api_key.reveal().strip()


def _key_given(instance: InstanceConfig, where: str) -> list[str]:
    row = row_of(instance)
    if row is None or not row.needs_key or _key(instance) or not _is_public(row, instance.endpoint):
        return []
    return [
        f"Empty api_key for provider '{row.name}' in {where}\n"
        f'  → Set it, in a file for example with api_key = "${{{row.key_variable}}}"'
    ]


def _is_public(row: ProviderSpec, endpoint: str | None) -> bool:
    if not endpoint:
        return True
    try:
        host = urlsplit(resolve(row, endpoint, None)[1]).hostname
    except ValueError:  # not a URL, which `_usable_endpoint` reports
        return False
    return host == urlsplit(row.root).hostname


def _key_clean(instance: InstanceConfig, where: str) -> list[str]:
    if _KEY.fullmatch(_key(instance)):
        return []
    return [f"The api_key in {where} holds a blank, a line break or a character outside ASCII\n  → Copy the key again"]


def _headers_clean(instance: InstanceConfig, where: str) -> list[str]:
    faults = []
    headers: Mapping[str, object] = instance.headers
    for name, value in headers.items():
        if not _HEADER_NAME.fullmatch(name):
            faults.append(f"Header name {name!r} in {where}.headers is not allowed in HTTP")
        if not isinstance(value, str):
            faults.append(f"Header '{name}' in {where}.headers must be a string, found {noun(value)}")
        elif not _HEADER_VALUE.fullmatch(value.strip()):
            faults.append(f"Header '{name}' in {where}.headers holds a line break or a character outside ASCII")
    return faults


def params_sendable(params: Mapping[str, Any], where: str) -> list[str]:
    """Return a fault for every parameter that no provider could be sent."""
    faults = []
    for name, value in params.items():
        try:
            sendable(value)
        except (TypeError, ValueError, RecursionError):
            faults.append(
                f"Parameter '{name}' in {where} cannot be sent as JSON, found {noun(value)}\n"
                f"  → Use strings, finite numbers, booleans, lists and tables of these"
            )
    return faults


def _params_sendable(instance: InstanceConfig, where: str) -> list[str]:
    return params_sendable(instance.params, f"{where}.params")


RULES: tuple[tuple[frozenset[str], Rule], ...] = (
    (frozenset({"provider"}), _known_provider),
    (frozenset({"provider", "api"}), _known_api),
    (frozenset({"provider", "endpoint"}), _usable_endpoint),
    (frozenset({"provider", "endpoint", "api_key"}), _key_given),
    (frozenset({"api_key"}), _key_clean),
    (frozenset({"headers"}), _headers_clean),
    (frozenset({"params"}), _params_sendable),
)
"""Each rule with the fields it reads; it is asked only when these are of their kinds."""
