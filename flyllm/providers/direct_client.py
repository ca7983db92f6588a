"""The HTTP client of an SDK that sends through a `Relay`: one of httpx's or httpx2's, without its detours.

Their own merges defaults into each request and looks for a proxy, credentials, cookies and a redirect, of which there
are none here: a relay pins what goes out, and answers at once with a reply that is already read.
"""

import functools
from collections.abc import Mapping
from types import ModuleType
from typing import Any

from flyllm.providers.relay import Relay

_URLS = 256
"""So many are kept parsed; a model of Google's has one of its own."""


def direct_client(
    httpx: ModuleType, relay: Relay, *, base_url: str = "", headers: Mapping[str, str] | None = None
) -> Any:
    """Return a client of `httpx` (or httpx2) that hands each request to `relay` and its reply back.

    `base_url` stands before each URL, `headers` go with each request but for those that it has itself.
    """
    client = _client_class(httpx)(transport=relay, trust_env=False)
    client.relay, client.prefix, client.common = relay, base_url, headers or {}
    return client


@functools.cache
def _client_class(httpx: ModuleType) -> type[Any]:
    # The SDKs check the class, and there are two of them.
    url_of = functools.lru_cache(_URLS)(httpx.URL)
    return type("DirectClient", (_Direct, httpx.Client), {"made": httpx.Request, "url_of": staticmethod(url_of)})


class _Direct:
    made: Any
    url_of: Any
    relay: Relay
    prefix: str
    common: Mapping[str, str]

    def build_request(
        self, method: str, url: str, *, params: Any = None, headers: Any = None, timeout: Any = None, **said: Any
    ) -> Any:
        """Return a request that says what is given; the relay has the timeout."""
        sent = {**self.common, **headers} if headers else self.common
        return self.made(method, self.url_of(self.prefix + url), params=params or None, headers=sent, **said)

    def send(self, request: Any, **_: Any) -> Any:
        """Send `request` once; the reply is that of the relay."""
        response = self.relay.handle_request(request)
        response.request = request
        return response
