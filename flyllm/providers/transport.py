"""The boundary to the SDKs: HTTP clients as flyllm needs them, and every SDK exception turned into ours.

Each adapter owns its HTTP clients, built on first use, dropped after a fork (sockets shared with the parent would
deliver its answers), with one TLS context for the process. No SDK exception passes: they hold requests with keys in
their headers, so the error raised instead has neither cause nor context, only redacted text.
"""

import functools
import os
import ssl
import threading
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any, Generic, TypeVar
from urllib.parse import urlsplit

from flyllm._fork import imports
from flyllm._secret import redact
from flyllm.errors import InvalidRequestError, LLMError, ParseError, RequestError
from flyllm.providers.base import ProviderSettings
from flyllm.providers.bounded_http import PACKINGS, BoundedTransport
from flyllm.providers.failures import api_error
from flyllm.providers.payload import decode
from flyllm.providers.sockets import OURS

T = TypeVar("T")

CONNECT_TIMEOUT = 5.0
KEEPALIVE = 30.0
"""Seconds an idle connection is kept; the SDKs' 5 s would cost nearly every call a new TLS handshake."""

_received = threading.local()


@functools.cache
def tls_context() -> ssl.SSLContext:
    """Return the process's one TLS context: system roots and certifi's (building it takes about 20 ms)."""
    import certifi

    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    context.set_alpn_protocols(["http/1.1"])
    return context


def http_client(httpx: ModuleType, connections: int) -> Any:
    """Return a client of `httpx` (or httpx2) that follows nothing, trusts no environment and remembers replies."""
    return httpx.Client(
        transport=http_transport(httpx, connections),
        headers={"accept-encoding": PACKINGS},
        trust_env=False,
        follow_redirects=False,
        timeout=httpx.Timeout(60.0, connect=CONNECT_TIMEOUT),
        event_hooks={"response": [remember]},
    )


def http_transport(httpx: ModuleType, connections: int) -> BoundedTransport:
    """Return what is below such a client, for an SDK that must have a client of its own."""
    return BoundedTransport(httpx, tls_context(), connections, KEEPALIVE)


def timeout(httpx: ModuleType, seconds: float) -> Any:
    """Return a timeout for one attempt: `seconds` for all of it, which `BoundedTransport` sees to, 5 s to connect."""
    return httpx.Timeout(seconds, connect=min(CONNECT_TIMEOUT, seconds))


def remember(response: Any) -> None:
    """Keep the reply for this thread; SDKs hide headers, bodies or both."""
    _received.response = response


def received() -> Any:
    """Return the HTTP reply that this thread got last within `exchange`, None if there was none."""
    return getattr(_received, "response", None)


class Client(Generic[T]):
    """The SDK client of one adapter, made on first use, and anew in a forked child.

    `build` makes it over what `connect` opened, which keeps so many `connections`: an HTTP client or a transport.
    """

    def __init__(
        self,
        build: Callable[[Any], T],
        httpx: ModuleType,
        connections: int,
        connect: Callable[[ModuleType, int], Any] = http_client,
    ) -> None:
        self._build, self._httpx, self._connections, self._connect = build, httpx, connections, connect
        self._lock = threading.Lock()  # guards _made
        self._made: tuple[int, T, Any] | None = None

    def get(self) -> T:
        """Return the SDK client."""
        made = self._made
        if made is not None and made[0] == os.getpid():
            return made[1]
        with imports, self._lock:  # what a client is built of is imported here
            if self._made is None or self._made[0] != os.getpid():
                http = self._connect(self._httpx, self._connections)
                self._made = (os.getpid(), self._build(http), http)
            return self._made[1]

    def close(self) -> None:
        """Close all connections; the next `get` starts anew."""
        with self._lock:
            made, self._made = self._made, None
        if made is not None:
            made[2].close()


def exchange(settings: ProviderSettings, send: Callable[[], T]) -> T:
    """Run `send`, which makes one SDK call, and raise an `LLMError` for whatever it raises."""
    _received.response = None
    try:
        return send()
    except Exception as exc:
        response = received()
        error = _translate(exc, response) or (_unsendable(exc) if response is None else _unreadable(exc))
    # Raised outside the handler: the SDK's exception must not become its context.
    raise _finish(error, settings)


def guard(settings: ProviderSettings, pieces: Iterator[T]) -> Iterator[T]:
    """Yield from `pieces`, which read from an SDK or a socket, raising an `LLMError` for whatever they raise."""
    try:
        yield from pieces
        return
    except Exception as exc:
        error = _translate(exc, None) or _unreadable(exc)
    raise _finish(error, settings)


def _finish(error: LLMError, settings: ProviderSettings) -> LLMError:
    text = str(error)
    if isinstance(error, RequestError) and not error.sent and not error.local:
        text = f"{urlsplit(settings.base_url).hostname}: {text}"  # of this, the address is most often the cause
    error.args = (redact(text, settings.api_key),)
    error.__cause__ = error.__context__ = error.__traceback__ = None
    return error.located(provider=settings.spec.name)


def _translate(exc: Exception, response: Any) -> LLMError | None:
    if response is not None and not 200 <= response.status_code < 300:
        return _status_error(response)
    # Our own may come from below the SDK, which wraps it.
    ours = next((link for link in _chain(exc) if isinstance(link, LLMError)), None)
    return ours or _transport_error(exc)


def _unreadable(exc: Exception) -> ParseError:
    return ParseError(f"the answer cannot be read: {_name(exc)}: {exc}")


def _unsendable(exc: Exception) -> InvalidRequestError:
    return InvalidRequestError(f"the request cannot be sent: {_name(exc)}: {exc}")


def _status_error(response: Any) -> LLMError:
    try:
        content = response.read()
    except Exception:
        content = b""  # the body broke off; status and headers still tell the class
    try:
        body: Any = decode(content)
    except ParseError:
        body = _plain(content, response.headers.get("content-type", ""))
    return api_error(response.status_code, response.headers, body)


def _plain(content: bytes, content_type: str) -> Any:
    text = content.decode("utf-8", "replace").strip()
    if text.startswith("["):
        try:
            return decode(text[1:].rstrip().removesuffix("]"))
        except ParseError:
            return text[:200]
    return "an HTML page" if "html" in content_type or text.startswith("<") else text[:200]


def _transport_error(exc: BaseException) -> RequestError | None:
    chain = list(_chain(exc))
    names = {_name(link) for link in chain}
    root = f"{_name(chain[-1])}: {chain[-1]}" if str(chain[-1]) else _name(chain[-1])
    numbers = {link.errno for link in chain if isinstance(link, OSError)}
    if numbers & OURS:
        return RequestError(f"this process has no free file or port: {root}", sent=False, local=True)
    if "ConnectTimeout" in names:
        return RequestError(f"connecting took longer than {CONNECT_TIMEOUT:g} s", sent=False)
    if "ConnectError" in names or (type(exc) is ConnectionError and not exc.__cause__):
        return RequestError(f"no connection: {root}", sent=False)
    if names & {"ReadTimeout", "WriteTimeout", "TimeoutException"}:
        return RequestError("no answer within the attempt's timeout")
    if names & {
        "ReadError",
        "WriteError",
        "CloseError",
        "RemoteProtocolError",
        "ProtocolError",
        "DecodingError",
    }:
        return RequestError(f"the connection broke: {root}")
    if any(isinstance(link, OSError) for link in chain):
        return RequestError(f"the connection failed: {root}")
    return None


def _chain(exc: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while exc is not None and id(exc) not in seen:
        seen.add(id(exc))
        yield exc
        exc = exc.__cause__ or exc.__context__


def _name(exc: BaseException) -> str:
    return type(exc).__name__
