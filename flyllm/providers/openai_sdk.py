"""The openai SDK's client, for every wire that is spoken through it."""

import contextlib
from typing import Any, ClassVar

import httpx2
import openai

from flyllm.providers import embedding_wire
from flyllm.providers.base import Embedded, ProviderRequest
from flyllm.providers.embedding_call import embedding_of
from flyllm.providers.model_list import read_models
from flyllm.providers.stainless import StainlessAdapter, pinned_headers
from flyllm.providers.transport import exchange
from flyllm.types import ModelInfo

# On every call the SDK takes what it finds as "httpx" in `sys.modules`. Found while another thread imports it for
# cohere, it has no `Response` yet, and an answer that came could not be read.
with contextlib.suppress(ImportError):
    import httpx  # noqa: F401


class OpenAIAdapter(StainlessAdapter):
    """Base of the adapters over the openai SDK."""

    httpx: ClassVar[Any] = httpx2
    stream_class: ClassVar[Any] = openai.Stream[object]

    def new_client(self, http: Any) -> openai.OpenAI:
        """Return a client whose key and host no environment variable can change."""
        settings = self.settings
        ambient: dict[str, Any] = {"OpenAI-Organization": openai.omit, "OpenAI-Project": openai.omit}
        return openai.OpenAI(
            # An empty key would make the SDK look for one elsewhere; the header below is what is sent.
            api_key=settings.api_key.reveal() or "none",
            base_url=settings.base_url,
            max_retries=0,
            http_client=http,
            default_headers={**ambient, **pinned_headers(settings, "OPENAI_CUSTOM_HEADERS", openai.omit)},
        )

    def options(self, seconds: float) -> dict[str, Any]:
        """Return the SDK's options of one request; without a key the SDK wants to be told each time."""
        settings = self.settings
        if settings.api_key or "authorization" in map(str.lower, settings.headers):
            return super().options(seconds)
        return {**super().options(seconds), "headers": {"Authorization": openai.omit}}

    def embed(self, request: ProviderRequest) -> Embedded:
        """Send texts as one call and return their vectors."""
        spec = embedding_of(self.settings)

        def send() -> Embedded:
            response = self._post(spec.path, embedding_wire.body(request, spec), request.timeout)
            return embedding_wire.read(self._answer(response), response.headers, len(request.texts), spec)

        return exchange(self.settings, send)

    def read_models(self, response: Any) -> list[ModelInfo]:
        """Return the models in the reply to a model list request."""
        return read_models(response, self.settings.spec.name)
