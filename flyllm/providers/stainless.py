"""What the openai, anthropic and groq SDKs share: one generator made them, with one documented way around models.

`client.post(path, cast_to=Response)` (their README's way to call any endpoint) keeps the SDK's authentication,
headers, timeouts and errors but builds no pydantic models, about 40 % of a typed call's CPU time.
"""

import os
from collections.abc import Mapping
from typing import Any, ClassVar

from flyllm.providers.base import Completion, DeltaStream, ProviderRequest, ProviderSettings
from flyllm.providers.bounded_http import headers_of
from flyllm.providers.failures import in_band_error
from flyllm.providers.payload import decode
from flyllm.providers.streaming import EventReader, EventStream
from flyllm.providers.transport import Client, exchange, timeout
from flyllm.types import ModelInfo

TELEMETRY = tuple(
    f"X-Stainless-{name}" for name in ("Lang", "Package-Version", "OS", "Arch", "Runtime", "Runtime-Version", "Async")
)
"""Headers that these SDKs tell about the machine, as they spell them. Left out: nothing depends on them, and each
layer of the HTTP libraries looks at each header."""


class StainlessAdapter:
    """Base of the adapters over these SDKs; a subclass names its SDK and translates bodies."""

    httpx: ClassVar[Any]
    stream_class: ClassVar[Any]

    def __init__(self, settings: ProviderSettings) -> None:
        self.settings = settings
        self._client = Client(self._ready_client, self.httpx, settings.connections)

    def new_client(self, http: Any) -> Any:
        """Return an SDK client that sends through `http`, with retries off and its key pinned."""
        raise NotImplementedError

    def body(self, request: ProviderRequest) -> dict[str, Any]:
        """Return the wire body of `request`."""
        raise NotImplementedError

    def stream_extras(self) -> Mapping[str, Any]:
        """Return what the body of a streamed call has besides."""
        return {"stream": True}

    def read(self, data: dict[str, Any], headers: Mapping[str, str]) -> Completion:
        """Return the answer in a whole reply's JSON."""
        raise NotImplementedError

    def reader(self, response: Any) -> EventReader:
        """Return the generator that reads one streamed reply."""
        raise NotImplementedError

    def generate(self, request: ProviderRequest) -> Completion:
        """Send one request and read the whole answer."""

        def send() -> Completion:
            response = self._post(self.settings.api.path, self.body(request), request.timeout)
            return self.read(self._answer(response), headers_of(response))

        return exchange(self.settings, send)

    def stream(self, request: ProviderRequest) -> DeltaStream:
        """Send one request and return once the reply's headers are there."""

        def send() -> Any:
            body = {**self.body(request), **self.stream_extras()}
            return self._post(self.settings.api.path, body, request.timeout, stream=True)

        response = exchange(self.settings, send)
        return EventStream(self.settings, response, self.reader(response))

    def list_models(self, timeout: float) -> list[ModelInfo]:
        """Return the models of the provider's model list."""

        def send() -> list[ModelInfo]:
            response = self._client.get().get("/models", cast_to=self.httpx.Response, options=self.options(timeout))
            return self.read_models(response)

        return exchange(self.settings, send)

    def read_models(self, response: Any) -> list[ModelInfo]:
        """Return the models in the reply to a model list request."""
        raise NotImplementedError

    def options(self, seconds: float) -> dict[str, Any]:
        """Return the SDK's options of one request."""
        return {"timeout": timeout(self.httpx, seconds)}

    def close(self) -> None:
        """Release all connections."""
        self._client.close()

    def _ready_client(self, http: Any) -> Any:
        client = self.new_client(http)
        # Asks the system, once per process, under a lock that a child forked meanwhile would wait for.
        client.platform_headers()
        return client

    def _post(self, path: str, body: Mapping[str, Any], seconds: float, *, stream: bool = False) -> Any:
        return self._client.get().post(
            path,
            cast_to=self.httpx.Response,
            body=body,
            options=self.options(seconds),
            stream=stream,
            stream_cls=self.stream_class if stream else None,
        )

    @staticmethod
    def _answer(response: Any) -> dict[str, Any]:
        headers = headers_of(response)
        data = decode(response.content, headers.get("content-type", ""))
        if data.get("error") or data.get("type") == "error":
            raise in_band_error(data, headers)
        return data


def environment_headers(variable: str) -> tuple[str, ...]:
    """Return the names of the headers that an SDK would take from environment variable `variable`, as spelt there."""
    lines = os.environ.get(variable, "").split("\n")
    return tuple(line.partition(":")[0].strip() for line in lines if ":" in line)


def pinned_headers(settings: ProviderSettings, variable: str, omit: Any) -> dict[str, Any]:
    """Return default headers that the SDK's environment `variable` of headers cannot add to or change.

    `omit` is the SDK's word for no such header. An Authorization of the settings takes the place of the key.
    """
    key, own = settings.api_key, {name.lower() for name in settings.headers}
    bearer = f"Bearer {key.reveal()}" if key and "authorization" not in own else omit
    pinned = dict.fromkeys((*TELEMETRY, *environment_headers(variable)), omit)
    for name, value in {"Authorization": bearer, **settings.headers}.items():
        # To the end: openai lets the last of several spellings win, groq sends them all.
        pinned.pop(name, None)
        pinned[name] = value
    return pinned
