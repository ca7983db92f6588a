"""Adapter for Google: generateContent of the Gemini API through the google-genai SDK.

The SDK finds the address and raises for refusals. Bodies are made and read here: with the SDK's models of them a call
takes half as much CPU time again, a chunk of a stream seven times as much.
"""

import re
from collections.abc import Callable
from types import ModuleType
from typing import Any

import httpx2
from google import genai
from google.genai import types
from google.genai.client import DebugConfig

from flyllm.errors import ParseError
from flyllm.providers import embedding_call, google_body, google_embedding, google_wire
from flyllm.providers.base import Completion, DeltaStream, Embedded, ProviderRequest, ProviderSettings
from flyllm.providers.direct_client import direct_client
from flyllm.providers.payload import count, dicts, text_of
from flyllm.providers.relay import Outgoing, Relay, relayed
from flyllm.providers.streaming import EventStream
from flyllm.providers.transport import Client, exchange, tls_context
from flyllm.providers.undecoded import answer, encode
from flyllm.types import ModelInfo

PAGE = 1000
_VERSION = re.compile(r"/(v\d\w*)$")
# Never sent; the SDK refuses to be given no contents, and walks over what a part could hold.
_CONTENTS = types.Content()


class GoogleGenerateContent:
    """The Gemini API.

    What the SDK does by default after an answer (continue it, call Python functions) needs an answer or functions,
    and it gets neither: every method here is one request.
    """

    def __init__(self, settings: ProviderSettings) -> None:
        self.settings = settings
        self._client = Client(self.new_client, httpx2, settings.connections, self._connect)

    def new_client(self, relay: Relay) -> genai.Client:
        """Return a client whose host, version and kind no environment variable can change."""
        base_url = self.settings.base_url
        named = _VERSION.search(base_url)
        return genai.Client(
            api_key="none",  # the relay has the key; an empty one would make the SDK look for one elsewhere
            vertexai=False,
            # Given, so that GOOGLE_GENAI_CLIENT_MODE cannot replace the client by one that replays files.
            debug_config=DebugConfig(client_mode=None, replays_directory=None, replay_id=None),
            http_options=types.HttpOptions(
                base_url=base_url[: named.start()] if named else base_url,
                api_version=named[1] if named else "",
                retry_options=types.HttpRetryOptions(attempts=1),
                httpx_client=direct_client(httpx2, relay),
                # Never used; given, they spare two TLS contexts of 20 ms, which SSL_CERT_FILE could break besides.
                httpx_async_client=httpx2.AsyncClient(verify=tls_context(), trust_env=False),
                async_client_args={"ssl": tls_context()},
            ),
        )

    def generate(self, request: ProviderRequest) -> Completion:
        """Send one request and read the whole answer."""

        def send() -> Completion:
            models = self._client.get().models
            outgoing = self._outgoing(request, "application/json")
            reply = relayed(outgoing, lambda: models.generate_content(model=request.model, contents=_CONTENTS))
            return google_wire.read(answer(reply), reply.headers)

        return exchange(self.settings, send)

    def stream(self, request: ProviderRequest) -> DeltaStream:
        """Send one request and return once the reply's headers are there."""

        def send() -> Any:
            chunks = self._client.get().models.generate_content_stream(model=request.model, contents=_CONTENTS)
            # The SDK sends when asked for a chunk.
            return relayed(self._outgoing(request, "text/event-stream"), lambda: next(chunks, None))

        return EventStream(self.settings, exchange(self.settings, send), google_wire.read_events)

    def embed(self, request: ProviderRequest) -> Embedded:
        """Send texts as one call and return their vectors."""

        def call() -> object:
            return self._client.get().models.embed_content(model=request.model, contents=_CONTENTS)

        wire = google_embedding
        return embedding_call.embed(self.settings, request, wire.body, call, wire.read, b"")

    def list_models(self, timeout: float) -> list[ModelInfo]:
        """Return the models of the provider's model list, all pages of it."""
        return exchange(self.settings, lambda: self._all_models(timeout))

    def close(self) -> None:
        """Release all connections."""
        self._client.close()

    def _connect(self, httpx: ModuleType, connections: int) -> Relay:
        return _GoogleRelay(httpx, self.settings, b"", connections)

    def _outgoing(self, request: ProviderRequest, accept: str) -> Outgoing:
        body = google_body.body(request, self.settings.api)
        return Outgoing(request.timeout, accept=accept, content=encode(body))

    def _all_models(self, seconds: float) -> list[ModelInfo]:
        found: list[ModelInfo] = []
        token = ""
        while True:
            page = answer(relayed(Outgoing(seconds), self._page(token)))
            if not isinstance(page.get("models"), list):
                raise ParseError("the model list has no models")
            found += [self._model(entry) for entry in dicts(page["models"]) if text_of(entry.get("name"))]
            before, token = token, text_of(page.get("nextPageToken"))
            if not token:
                return found
            if token == before:
                raise ParseError("the model list goes on with the page just read")

    def _page(self, token: str) -> Callable[[], object]:
        models, config = self._client.get().models, types.ListModelsConfig(page_size=PAGE, page_token=token or None)
        return lambda: models.list(config=config)

    def _model(self, entry: dict[str, Any]) -> ModelInfo:
        name, window = entry["name"].removeprefix("models/"), count(entry, "inputTokenLimit")
        return ModelInfo(name, self.settings.spec.name, "google", window or None, entry)


class _GoogleRelay(Relay):
    key_header = "x-goog-api-key"

    def signature(self, key: str) -> str:
        return key
