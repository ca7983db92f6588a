"""Adapter for Cohere: its chat API v2 through the cohere SDK."""

from collections.abc import Mapping
from functools import partial
from types import ModuleType
from typing import Any, ClassVar

import cohere
import httpx

from flyllm.errors import ParseError
from flyllm.providers import cohere_embedding, cohere_wire, embedding_call
from flyllm.providers.base import Completion, DeltaStream, Embedded, ProviderRequest
from flyllm.providers.direct_client import direct_client
from flyllm.providers.payload import count, dicts, text_of
from flyllm.providers.relay import Outgoing, Relay, relayed, unversioned
from flyllm.providers.streaming import EventStream, drain
from flyllm.providers.undecoded import UndecodedAdapter, answer, encode
from flyllm.types import ModelInfo

_PAGE = 1000
"""Models per page; the most that the API allows."""


class CohereChat(UndecodedAdapter):
    """Chat at Cohere.

    Calls too go through `chat_stream`, which hands over a reply that it has not decoded.
    """

    httpx: ClassVar[ModuleType] = httpx
    stand_in: ClassVar[bytes] = b"{}"

    def new_client(self, relay: Relay) -> cohere.ClientV2:
        """Return a client whose key and host no environment variable can change."""
        return cohere.ClientV2(
            api_key="none",
            base_url=unversioned(self.settings.base_url),
            max_retries=0,
            httpx_client=direct_client(httpx, relay),
            log_warning_experimental_features=False,
        )

    def body(self, request: ProviderRequest) -> dict[str, Any]:
        """Return the body of a call."""
        return cohere_wire.body(request, self.settings.api)

    def content(self, body: dict[str, Any]) -> bytes:
        """Return the bytes to send in place of the SDK's, which costs a walk over the whole conversation."""
        return encode(body)

    def call(self, body: dict[str, Any]) -> None:
        """Have the SDK send `body` as one request."""
        with self._client.get().with_raw_response.chat_stream(model=body["model"], messages=[]):
            pass

    def read(self, data: dict[str, Any], headers: Mapping[str, str]) -> Completion:
        """Return the answer in a whole reply's JSON."""
        return cohere_wire.read(data, headers)

    def open_stream(self, reply: Any) -> DeltaStream:
        """Return the deltas of an open reply."""
        return EventStream(self.settings, reply, cohere_wire.events_reader(partial(drain, response=reply)))

    def embed(self, request: ProviderRequest) -> Embedded:
        """Send texts as one call and return their vectors."""

        def call() -> object:
            client = self._client.get().with_raw_response
            return client.embed(model=request.model, input_type=cohere_embedding.INPUT_TYPE, texts=[])

        wire = cohere_embedding
        return embedding_call.embed(self.settings, request, wire.body, call, wire.read, self.stand_in)

    def models(self, timeout: float) -> list[ModelInfo]:
        """Have the SDK ask for the models, page by page."""
        found: list[ModelInfo] = []
        token: str | None = None
        seen: set[str | None] = set()
        while token not in seen:
            seen.add(token)
            ask = partial(self._client.get().models.list, page_size=_PAGE, page_token=token)
            data = answer(relayed(Outgoing(timeout), ask))
            if not isinstance(data.get("models"), list):
                raise ParseError("the model list has no models")
            found += [self._model(entry) for entry in dicts(data["models"]) if text_of(entry.get("name"))]
            token = text_of(data.get("next_page_token")) or None
        return found

    def _model(self, entry: dict[str, Any]) -> ModelInfo:
        return ModelInfo(
            id=entry["name"],
            provider=self.settings.spec.name,
            context_window=count(entry, "context_length") or None,
            raw=entry,
        )
