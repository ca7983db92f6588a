"""What the adapters share whose SDKs do not decode: one call of the SDK through the relay, the reply read here."""

import json
from collections.abc import Mapping
from contextlib import closing
from types import ModuleType
from typing import Any, ClassVar

from flyllm.providers.base import Completion, DeltaStream, ProviderRequest, ProviderSettings
from flyllm.providers.failures import in_band_error
from flyllm.providers.payload import decode
from flyllm.providers.relay import Outgoing, Relay, relayed
from flyllm.providers.transport import Client, exchange
from flyllm.types import ModelInfo

_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode


class UndecodedAdapter:
    """Base of these adapters; a subclass names its SDK, calls it and translates bodies.

    Class attributes: `httpx` is what the SDK runs on, `stand_in` the body that satisfies its decoder,
    `stream_type` the media type of its streams.
    """

    httpx: ClassVar[ModuleType]
    stand_in: ClassVar[bytes]
    stream_type: ClassVar[str] = "text/event-stream"

    def __init__(self, settings: ProviderSettings) -> None:
        self.settings = settings
        self._client = Client(self.new_client, self.httpx, settings.connections, self._connect)

    def new_client(self, relay: Relay) -> Any:
        """Return an SDK client that sends through `relay`, without retries."""
        raise NotImplementedError

    def body(self, request: ProviderRequest) -> dict[str, Any]:
        """Return the body of a call, without what says whether it streams."""
        raise NotImplementedError

    def content(self, body: dict[str, Any]) -> bytes | None:
        """Return the bytes to send in place of the SDK's; None where the SDK's say all that `body` says."""
        return None

    def call(self, body: dict[str, Any]) -> None:
        """Have the SDK send `body` as one request."""
        raise NotImplementedError

    def read(self, data: dict[str, Any], headers: Mapping[str, str]) -> Completion:
        """Return the answer in a whole reply's JSON."""
        raise NotImplementedError

    def open_stream(self, reply: Any) -> DeltaStream:
        """Return the deltas of an open reply."""
        raise NotImplementedError

    def models(self, timeout: float) -> list[ModelInfo]:
        """Have the SDK ask for the models and read the replies."""
        raise NotImplementedError

    def generate(self, request: ProviderRequest) -> Completion:
        """Send one request and read the whole answer."""

        def send() -> Completion:
            reply = self._open(request, stream=False)
            return self.read(answer(reply), reply.headers)

        return exchange(self.settings, send)

    def stream(self, request: ProviderRequest) -> DeltaStream:
        """Send one request and return once the reply's headers are there."""
        return self.open_stream(exchange(self.settings, lambda: self._open(request, stream=True)))

    def list_models(self, timeout: float) -> list[ModelInfo]:
        """Return the models of the provider's model list."""
        return exchange(self.settings, lambda: self.models(timeout))

    def close(self) -> None:
        """Release all connections."""
        self._client.close()

    def _open(self, request: ProviderRequest, *, stream: bool) -> Any:
        body = {**self.body(request), "stream": stream}
        outgoing = Outgoing(
            timeout=request.timeout,
            path=self.settings.api.path,
            accept=self.stream_type if stream else "application/json",
            content=self.content(body),
        )
        return relayed(outgoing, lambda: self.call(body))

    def _connect(self, httpx: ModuleType, connections: int) -> Relay:
        return Relay(httpx, self.settings, self.stand_in, connections)


def answer(reply: Any) -> dict[str, Any]:
    """Read a reply to its end and return its JSON; raise the error that stands in it."""
    with closing(reply):
        data = decode(reply.read(), reply.headers.get("content-type", ""))
    told = "error" in (data.get("object"), data.get("type")) or isinstance(data.get("message"), str)
    if data.get("error") or told:
        raise in_band_error(data, reply.headers)
    return data


def encode(body: Mapping[str, Any]) -> bytes:
    """Return `body` as JSON; ValueError for NaN, infinity and lone surrogates, which JSON cannot say."""
    return _json(body).encode()
