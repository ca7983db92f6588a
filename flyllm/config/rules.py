"""The rules of one instance, beyond the kinds of its values. Each takes it and where it stands, and returns faults."""

import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from flyllm._secret import redact
from flyllm.config.environment import EnvironmentText
from flyllm.config.fault import Fault, Place
from flyllm.config.kind import TABLE
from flyllm.config.model import InstanceConfig
from flyllm.config.sendable import sendable
from flyllm.config.wording import found, hint, noun
from flyllm.providers.base import ProviderSpec
from flyllm.providers.capabilities import LOSSES
from flyllm.providers.endpoint import resolve
from flyllm.providers.registry import REGISTRY

_KEY = re.compile(r"[!-~]*")
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, 5.6.2
_HEADER_VALUE = re.compile(r"[\t -~]*")  # the HTTP clients encode headers as ASCII
_SECRET_PARTS = frozenset("@?#")

Rule = Callable[[InstanceConfig, Place], list[Fault]]


def row_of(instance: InstanceConfig) -> ProviderSpec | None:
    """Return the registry's row of the instance's provider, None if there is none."""
    return REGISTRY.get(instance.provider.strip().lower())


def _known_provider(instance: InstanceConfig, where: Place) -> list[Fault]:
    if row_of(instance):
        return []
    name, near = redact(f"{instance.provider}"), hint(instance.provider, REGISTRY)
    text = f"Unknown provider type {name!r} in {where}{near}\n  → Valid types: {', '.join(REGISTRY)}"
    return [Fault(text, where / "type")]


def _known_api(instance: InstanceConfig, where: Place) -> list[Fault]:
    row = row_of(instance)
    try:
        if row is not None:
            resolve(row, None, instance.api or None)
    except ValueError as exc:
        return [Fault(f"{exc}\n  → In {where}.api", where / "api")]
    return []


def _usable_endpoint(instance: InstanceConfig, where: Place) -> list[Fault]:
    row, endpoint = row_of(instance), instance.endpoint or ""
    try:
        if row is not None and not _is_web_address(resolve(row, endpoint, None)[1]):
            raise ValueError(f"Endpoint {endpoint!r} is not an http(s) URL. Example: http://localhost:1234/v1")
    except ValueError as exc:
        # The reason quotes from the endpoint, which may hold a password, a token or a variable's value.
        private = isinstance(endpoint, EnvironmentText) or not _SECRET_PARTS.isdisjoint(endpoint)
        reason = "The endpoint is not an http(s) URL without user, query and fragment" if private else exc
        return [Fault(f"{reason}\n  → In {where}.endpoint", where / "endpoint")]
    return []


def _is_web_address(url: str) -> bool:
    """Whether `url`, which has the right form, is meant: "http:/h" and "http//h" are read as a host called http."""
    return url.isprintable() and urlsplit(url).hostname not in ("http", "https")


def _key(instance: InstanceConfig) -> str:
    return instance.api_key.reveal().strip()


def _key_given(instance: InstanceConfig, where: Place) -> list[Fault]:
    row = row_of(instance)
    if row is None or not row.needs_key or _key(instance) or not _is_public(row, instance.endpoint):
        return []
    text = (
        f"Empty api_key for provider '{row.name}' in {where}\n"
        f'  → Set it, in a file for example with api_key = "${{{row.key_variable}}}"'
    )
    return [Fault(text, where / "api_key")]


def _is_public(row: ProviderSpec, endpoint: str | None) -> bool:
    if not endpoint:
        return True
    try:
        host = urlsplit(resolve(row, endpoint, None)[1]).hostname
    except ValueError:  # not a URL, which `_usable_endpoint` reports
        return False
    return host == urlsplit(row.root).hostname


def _key_clean(instance: InstanceConfig, where: Place) -> list[Fault]:
    if _KEY.fullmatch(_key(instance)):
        return []
    text = f"The api_key in {where} holds a blank, a line break or a character outside ASCII\n  → Copy the key again"
    return [Fault(text, where / "api_key")]


def _headers_clean(instance: InstanceConfig, where: Place) -> list[Fault]:
    faults = []
    headers: Mapping[str, object] = instance.headers
    for name, value in headers.items():
        place = where / "headers" / name
        if not _HEADER_NAME.fullmatch(name):
            faults.append(Fault(f"Header name {name!r} in {where}.headers is not allowed in HTTP", place))
        if not isinstance(value, str):
            faults.append(Fault(f"Header {name!r} in {where}.headers must be a string, found {noun(value)}", place))
        elif not _HEADER_VALUE.fullmatch(value.strip()):
            text = f"Header {name!r} in {where}.headers holds a line break or a character outside ASCII"
            faults.append(Fault(text, place))
    return faults


def params_sendable(params: Mapping[str, Any], where: Place) -> list[Fault]:
    """Return a fault for every parameter that no provider could be sent."""
    faults = []
    for name, value in params.items():
        try:
            sendable(value)
        except (TypeError, ValueError, RecursionError):
            text = (
                f"Parameter {name!r} in {where} cannot be sent as JSON, found {noun(value)}\n"
                f"  → Use strings, finite numbers, booleans, lists and tables of these"
            )
            faults.append(Fault(text, where / name))
    return faults


def provider_params_sound(tables: Mapping[str, object], where: Place) -> list[Fault]:
    """Return the faults of a task's parameters per provider: names that are none, parameters that cannot be sent."""
    faults = []
    for provider, params in tables.items():
        place = where / provider
        if provider.strip().lower() not in REGISTRY:
            near = hint(provider, REGISTRY)
            text = f"Unknown provider {provider!r} in {where}{near}\n  → Valid names: {', '.join(REGISTRY)}"
            faults.append(Fault(text, place))
        if TABLE.accepts(params):
            faults += params_sendable(params, place)  # type: ignore[arg-type]
        else:
            faults.append(Fault(f"{place} must be {TABLE.noun}, found {found(params)}", place))
    return faults


def _params_sendable(instance: InstanceConfig, where: Place) -> list[Fault]:
    return params_sendable(instance.params, where / "params")


def _whole_price(instance: InstanceConfig, where: Place) -> list[Fault]:
    prices = {"input_cost": instance.input_cost, "output_cost": instance.output_cost}
    missing = [name for name, price in prices.items() if price is None]
    given = [
        name for name, price in {**prices, "cached_input_cost": instance.cached_input_cost}.items() if price is not None
    ]
    if not given or not missing:
        return []
    lack = " and ".join(missing)
    text = f"{given[0]} in {where} tells nothing without {lack}\n  → Give both, 0 where nothing is charged"
    return [Fault(text, where / given[0])]


def _known_lacks(instance: InstanceConfig, where: Place) -> list[Fault]:
    place, faults = where / "cannot", []
    for number, word in enumerate(instance.cannot):
        if word.strip().lower() not in LOSSES:
            text = f"Unknown word {redact(word)!r} in {place}{hint(word, LOSSES)}\n  → Valid words: {', '.join(LOSSES)}"
            faults.append(Fault(text, place / number))
    return faults


RULES: tuple[tuple[frozenset[str], Rule], ...] = (
    (frozenset({"provider"}), _known_provider),
    (frozenset({"provider", "api"}), _known_api),
    (frozenset({"provider", "endpoint"}), _usable_endpoint),
    (frozenset({"provider", "endpoint", "api_key"}), _key_given),
    (frozenset({"api_key"}), _key_clean),
    (frozenset({"headers"}), _headers_clean),
    (frozenset({"params"}), _params_sendable),
    (frozenset({"cannot"}), _known_lacks),
    (frozenset({"input_cost", "output_cost", "cached_input_cost"}), _whole_price),
)
"""Each rule with the fields it reads; it is asked only when these are of their kinds."""
