"""Where an instance's requests go: from what a user may write to an API and a base URL.

A user may write a bare host, a base URL with or without its version part, or the full path (as FlyLLM for Rust took
it). A path prefix is kept. A full path selects the API it names and is used exactly as written.
"""

import re
from urllib.parse import urlsplit

from flyllm.providers.base import ApiSpec, ProviderSpec

_VERSION = re.compile(r"(/openai|/compatibility)?/v\d+(alpha|beta)?\d*$")


def resolve(spec: ProviderSpec, endpoint: str | None, api: str | None) -> tuple[ApiSpec, str]:
    """Return the API and the base URL (version part included) for an instance of `spec`.

    `endpoint` None means the provider's public host, `api` None the one the endpoint names or the default.
    Raises ValueError, with a text for the user, for an endpoint that is no http(s) URL or an unknown `api`.
    """
    if api is not None and api not in spec.api_names:
        raise ValueError(f"Unknown api '{api}' of {spec.name}. Valid: {', '.join(spec.api_names)}")
    url = _normal(endpoint) if endpoint else spec.root
    for candidate in spec.apis:
        named = re.search(f"(?:{candidate.suffix or re.escape(candidate.path)})$", url)
        if named and api in (None, candidate.name):
            return candidate, url[: named.start()]
    chosen = spec.api(api or spec.api_names[0])
    whole = url.endswith(chosen.version) or _VERSION.search(url)
    return chosen, url if whole else url + chosen.version


def _normal(endpoint: str) -> str:
    text = endpoint.strip()
    if "://" not in text:
        text = "http://" + text
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or re.search(r"\s", text):
        raise ValueError(f"Endpoint '{endpoint}' is not an http(s) URL. Example: http://localhost:1234/v1")
    if parts.query or parts.fragment or parts.username:
        raise ValueError(f"Endpoint of host '{parts.hostname}' must not have a user, query or fragment")
    _ = parts.port  # raises ValueError where it is no number
    return f"{parts.scheme}://{parts.netloc}{parts.path}".rstrip("/")
