"""The openai SDK's client, for every wire that is spoken through it."""

from collections.abc import Mapping
from typing import Any, ClassVar

import httpx2
import openai

from flyllm.providers.model_list import read_models
from flyllm.providers.stainless import StainlessAdapter
from flyllm.types import ModelInfo


class OpenAIAdapter(StainlessAdapter):
    """Base of the adapters over the openai SDK."""

    httpx: ClassVar[Any] = httpx2
    stream_class: ClassVar[Any] = openai.Stream[object]

    def new_client(self, http: Any) -> openai.OpenAI:
        """Return a client whose key and host no environment variable can change."""
        settings = self.settings
        return openai.OpenAI(
            # An empty key would make the SDK look for one elsewhere; the header below is what is sent.
            api_key=settings.api_key.reveal() or "none",
            base_url=settings.base_url,
            max_retries=0,
            http_client=http,
            default_headers=self._headers(),
        )

    def _headers(self) -> Mapping[str, Any]:
        """Pin what environment variables would otherwise set; `omit` is the SDK's word for no such header."""
        key = self.settings.api_key
        return {
            "Authorization": f"Bearer {key.reveal()}" if key else openai.omit,
            "OpenAI-Organization": openai.omit,
            "OpenAI-Project": openai.omit,
            **self.settings.headers,
        }

    def read_models(self, response: Any) -> list[ModelInfo]:
        """Return the models in the reply to a model list request."""
        return read_models(response, self.settings.spec.name)
