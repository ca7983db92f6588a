"""Adapter for Ollama's own API through the ollama SDK.

The SDK finds the address, sends, and raises for refusals. Bodies are made here: its models of them lose nested
properties and `anyOf` of tool schemas and empty content, and read an image from disk where its text names a file.
"""

from collections.abc import Mapping
from functools import partial
from types import ModuleType
from typing import Any, ClassVar

import httpx
import ollama

from flyllm.errors import ParseError
from flyllm.providers import embedding_call, ollama_embedding, ollama_wire
from flyllm.providers.base import Completion, DeltaStream, Embedded, ProviderRequest
from flyllm.providers.direct_client import direct_client
from flyllm.providers.payload import dicts, text_of
from flyllm.providers.relay import Outgoing, Relay, relayed
from flyllm.providers.sse import lines
from flyllm.providers.streaming import EventStream, drain
from flyllm.providers.undecoded import UndecodedAdapter, answer, encode
from flyllm.types import ModelInfo


class OllamaChat(UndecodedAdapter):
    """Chat at Ollama."""

    httpx: ClassVar[ModuleType] = httpx
    stand_in: ClassVar[bytes] = b'{"message":{"role":"assistant"},"models":[]}'
    stream_type = "application/x-ndjson"

    def new_client(self, relay: Relay) -> ollama.Client:
        """Return a client whose key and host no environment variable can change."""
        return _Client(relay, self.settings.base_url)

    def body(self, request: ProviderRequest) -> dict[str, Any]:
        """Return the body of a call, without what says whether it streams."""
        return ollama_wire.body(request, self.settings.api)

    def content(self, body: dict[str, Any]) -> bytes:
        """Return the bytes to send in place of the SDK's."""
        return encode(body)

    def call(self, body: dict[str, Any]) -> None:
        """Have the SDK send `body` as one request."""
        parts = self._client.get().chat(model=body["model"], stream=body["stream"])
        if body["stream"]:
            list(parts)  # sends; the parts are those of the stand-in

    def read(self, data: dict[str, Any], headers: Mapping[str, str]) -> Completion:
        """Return the answer in a whole reply's JSON."""
        return ollama_wire.read(data, headers)

    def open_stream(self, reply: Any) -> DeltaStream:
        """Return the deltas of an open reply."""
        read = ollama_wire.lines_reader(partial(drain, response=reply))
        return EventStream(self.settings, reply, read, frames=lines, media_type="json")

    def embed(self, request: ProviderRequest) -> Embedded:
        """Send texts as one call and return their vectors."""

        def call() -> object:
            return self._client.get().embed(model=request.model)

        wire = ollama_embedding
        return embedding_call.embed(self.settings, request, wire.body, call, wire.read, b'{"embeddings":[]}')

    def models(self, timeout: float) -> list[ModelInfo]:
        """Have the SDK ask for the local models."""
        data = answer(relayed(Outgoing(timeout), self._client.get().list))
        if not isinstance(data.get("models"), list):
            raise ParseError("the model list has no models")
        return [
            ModelInfo(id=name, provider=self.settings.spec.name, raw=entry)
            for entry in dicts(data["models"])
            if (name := text_of(entry.get("model")) or text_of(entry.get("name")))
        ]


class _Client(ollama.Client):
    """The SDK's client over our HTTP client: its own has detours, and only the base takes another."""

    def __init__(self, relay: Relay, host: str) -> None:
        def http(*, base_url: str, headers: Mapping[str, str], **_: Any) -> Any:
            return direct_client(httpx, relay, base_url=base_url, headers=headers)

        # Without the header the SDK would take OLLAMA_API_KEY; the relay sends the real one or none.
        super(ollama.Client, self).__init__(http, host, headers={"Authorization": "none"})
