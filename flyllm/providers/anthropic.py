"""Adapter for Anthropic: the Messages API through the anthropic SDK."""

from collections.abc import Mapping
from functools import partial
from typing import Any, ClassVar

import anthropic
import httpx2

from flyllm.errors import ParseError
from flyllm.providers import anthropic_body, anthropic_wire
from flyllm.providers.base import Completion, ProviderRequest
from flyllm.providers.payload import count, dicts, text_of
from flyllm.providers.stainless import TELEMETRY, StainlessAdapter, environment_headers
from flyllm.providers.streaming import EventReader, drain
from flyllm.providers.transport import exchange
from flyllm.types import ModelInfo

API_VERSION = "2023-06-01"
"""The SDK's own, 2026-10-21, refuses `temperature`, `top_p` and `top_k` for every model; this one leaves it to the
model and differs in nothing else used here (platform.claude.com/docs/en/api/migration-2026-10-21).
An instance's header `anthropic-version` overrides it."""
PAGE = 1000


class AnthropicMessages(StainlessAdapter):
    """The Messages API."""

    httpx: ClassVar[Any] = httpx2
    stream_class: ClassVar[Any] = anthropic.Stream[object]

    def new_client(self, http: Any) -> anthropic.Anthropic:
        """Return a client whose key, host and headers no environment variable can change."""
        settings = self.settings
        return anthropic.Anthropic(
            # An empty key would make the SDK look for one elsewhere; the headers below are what is sent.
            api_key=settings.api_key.reveal() or "none",
            base_url=settings.base_url,
            max_retries=0,
            http_client=http,
            default_headers=self._headers(),
            open_telemetry={"traces": False, "propagation": False},
        )

    def body(self, request: ProviderRequest) -> dict[str, Any]:
        """Return the wire body of `request`."""
        return anthropic_body.body(request, self.settings.api)

    def read(self, data: dict[str, Any], headers: Mapping[str, str]) -> Completion:
        """Return the answer in a whole reply's JSON."""
        return anthropic_wire.read(data, headers)

    def reader(self, response: Any) -> EventReader:
        """Return the generator that reads one streamed reply."""
        return anthropic_wire.events_reader(partial(drain, response=response))

    def list_models(self, timeout: float) -> list[ModelInfo]:
        """Return the models of the provider's model list, all pages of it."""
        return exchange(self.settings, lambda: self._all_models(timeout))

    def _all_models(self, seconds: float) -> list[ModelInfo]:
        found: list[ModelInfo] = []
        after: dict[str, str] = {}
        while True:
            page = self._page(after, seconds)
            found += [self._model(entry) for entry in dicts(page["data"]) if text_of(entry.get("id"))]
            last = text_of(page.get("last_id"))
            if not page.get("has_more"):
                return found
            if not last or after.get("after_id") == last:
                raise ParseError("the model list says that there is more but not where")
            after = {"after_id": last}

    def _page(self, after: Mapping[str, str], seconds: float) -> dict[str, Any]:
        options: Any = {**self.options(seconds), "params": {"limit": PAGE, **after}}
        page = self._answer(self._client.get().get("/models", cast_to=httpx2.Response, options=options))
        if not isinstance(page.get("data"), list):
            raise ParseError("the model list has no data")
        return page

    def _model(self, entry: dict[str, Any]) -> ModelInfo:
        window = count(entry, "max_input_tokens")
        return ModelInfo(entry["id"], self.settings.spec.name, "anthropic", window or None, entry)

    def _headers(self) -> dict[str, Any]:
        settings, key = self.settings, self.settings.api_key.reveal()
        foreign = not settings.base_url.startswith(settings.spec.root)
        return {
            **dict.fromkeys((*TELEMETRY, *environment_headers("ANTHROPIC_CUSTOM_HEADERS")), anthropic.omit),
            "anthropic-version": API_VERSION,
            "x-api-key": key or anthropic.omit,
            # The SDK sends the key as a Bearer token, and some servers of this wire want it so, others in x-api-key:
            # they get both. Anthropic takes either; whether it takes both at once is not documented.
            "Authorization": f"Bearer {key}" if key and foreign else anthropic.omit,
            **settings.headers,
        }
