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
from typing import Any, ClassVar, Self

from flyllm.providers.base import ProviderSettings
from flyllm.providers.bounded_http import PACKINGS, Address, address_of
from flyllm.providers.http11 import Headers
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

    key_header: ClassVar[str] = "authorization"

    def __init__(self, httpx: ModuleType, settings: ProviderSettings, stand_in: bytes, connections: int) -> None:
        self._httpx, self._settings, self._stand_in = httpx, settings, stand_in
        self._transport = http_transport(httpx, connections)
        self._addresses: dict[str, Address] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def handle_request(self, request: Any) -> Any:
        """Send `request` with the current `Outgoing`; keep the reply for `received()` and return what the SDK gets."""
        outgoing: Outgoing = _outgoing.value
        expected = request.headers.get("accept", "")
        reply = self._transport.send(
            request.method,
            self._address(outgoing.path) if outgoing.path else address_of(request.url),
            self._headers(request.headers.raw, outgoing),
            request.stream if outgoing.content is None else outgoing.content,
            {**request.extensions, "timeout": timeout(self._httpx, outgoing.timeout).as_dict()},
        )
        if reply.is_success:
            remember(reply)
            body = self._stand_in if outgoing.stand_in is None else outgoing.stand_in
            return self._httpx.Response(200, headers={"content-type": expected}, content=body)
        response = self._transport.response(reply)
        response.request = request
        remember(response)
        with closing(response):
            response.read()
        return response

    def close(self) -> None:
        """Close all connections."""
        self._transport.close()

    def signature(self, key: str) -> str:
        """Return the value of the `key_header` for `key`."""
        return f"Bearer {key}"

    def _headers(self, theirs: Headers, outgoing: Outgoing) -> Headers:
        """Return the SDK's headers with ours in place of those of the same names."""
        key, pinned = self._settings.api_key.reveal(), {"accept": outgoing.accept, "accept-encoding": PACKINGS}
        if key:
            pinned[self.key_header] = self.signature(key)
        if outgoing.content is not None:
            pinned["content-length"] = str(len(outgoing.content))
        pinned |= {name.lower(): value for name, value in self._settings.headers.items()}
        ours = [(name.encode("ascii"), value.encode("ascii")) for name, value in pinned.items()]
        dropped = {self.key_header.encode(), *(name for name, _ in ours)}
        return [header for header in theirs if header[0].lower() not in dropped] + ours

    def _address(self, path: str) -> Address:
        if path not in self._addresses:
            self._addresses[path] = address_of(self._httpx.URL(self._settings.base_url + path))
        return self._addresses[path]


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
