"""The way to the wire for SDKs that decode every reply into models and have no documented way around it.

mistralai, cohere and ollama lose what their models do not know, fail on answers of gateways, hide headers and
swallow errors within streams. Each of them takes an HTTP client or transport of the user's, so they are given one
that answers in place of a good reply with an empty one, while the adapter gets the real one, open and unread.
Replies that are no success reach the SDK as they are.
"""

import re
import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Self

from flyllm.providers.base import ProviderSettings
from flyllm.providers.bounded_http import PACKINGS
from flyllm.providers.transport import http_transport, received, remember, timeout

_VERSION = re.compile(r"/v\d+(alpha|beta)?\d*$")
_outgoing = threading.local()


@dataclass(frozen=True, slots=True)
class Outgoing:
    """What goes out in place of what the SDK would send.

    Attributes:
        timeout: seconds for the attempt.
        path: follows the base URL; "" leaves the SDK's own URL.
        accept: the media type asked for.
        content: the request's body; None leaves the SDK's own.
        stand_in: what the SDK gets in place of a good reply; None takes the relay's.
    """

    timeout: float
    path: str = ""
    accept: str = "application/json"
    content: bytes | None = None
    stand_in: bytes | None = None


class Relay:
    """An HTTP transport (the `transport` of an httpx or httpx2 client) for one SDK client.

    It also pins what environment variables could otherwise set: URL, key and headers are those of the settings.
    The SDK never holds the key. `stand_in` is the body of the reply that the SDK gets.
    """

    def __init__(self, httpx: ModuleType, settings: ProviderSettings, stand_in: bytes, connections: int) -> None:
        self._httpx, self._settings, self._stand_in = httpx, settings, stand_in
        self._transport = http_transport(httpx, connections)
        self._urls: dict[str, Any] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def handle_request(self, request: Any) -> Any:
        """Send `request` with the current `Outgoing`; keep the reply for `received()` and return what the SDK gets."""
        outgoing: Outgoing = _outgoing.value
        expected = request.headers.get("accept", "")
        reply = self._transport.handle_request(self._pinned(request, outgoing))
        reply.request = request
        remember(reply)
        if reply.is_success:
            body = self._stand_in if outgoing.stand_in is None else outgoing.stand_in
            return self._httpx.Response(200, headers={"content-type": expected}, content=body)
        with closing(reply):
            reply.read()
        return reply

    def close(self) -> None:
        """Close all connections."""
        self._transport.close()

    def sign(self, headers: Any, key: str) -> None:
        """Put `key` into `headers` in place of what the SDK has there; "" is no key."""
        if key:
            headers["authorization"] = f"Bearer {key}"
        else:
            headers.pop("authorization", None)

    def _pinned(self, request: Any, outgoing: Outgoing) -> Any:
        headers = request.headers
        self.sign(headers, self._settings.api_key.reveal())
        headers["accept"], headers["accept-encoding"] = outgoing.accept, PACKINGS
        headers.update(self._settings.headers)
        if outgoing.path:
            request.url = self._url(outgoing.path)
        request.extensions["timeout"] = timeout(self._httpx, outgoing.timeout).as_dict()
        if outgoing.content is None:
            return request
        del headers["content-length"]
        return self._httpx.Request(
            request.method, request.url, headers=headers, content=outgoing.content, extensions=request.extensions
        )

    def _url(self, path: str) -> Any:
        if path not in self._urls:
            self._urls[path] = self._httpx.URL(self._settings.base_url + path)
        return self._urls[path]


def relayed(outgoing: Outgoing, call: Callable[[], object]) -> Any:
    """Make one SDK `call` that sends `outgoing`, and return the open reply."""
    _outgoing.value = outgoing
    try:
        call()
    except BaseException:
        reply = received()
        if reply is not None:
            reply.close()
        raise
    finally:
        del _outgoing.value
    return received()


def unversioned(base_url: str) -> str:
    """Return `base_url` without its version part, which these SDKs add themselves."""
    return _VERSION.sub("", base_url)
