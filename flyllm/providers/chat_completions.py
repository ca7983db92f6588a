"""The chat-completions wire over an SDK of the Stainless kind, whichever SDK it is."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from flyllm.providers import chat_wire
from flyllm.providers.base import Completion, ProviderRequest
from flyllm.providers.model_list import read_models
from flyllm.providers.stainless import StainlessAdapter
from flyllm.providers.streaming import EventReader, drain
from flyllm.types import ModelInfo


class ChatCompletions(StainlessAdapter):
    """Chat completions; a subclass adds its SDK's client."""

    def body(self, request: ProviderRequest) -> dict[str, Any]:
        """Return the wire body of `request`."""
        return chat_wire.body(request, self.settings.api, self.settings.spec.name)

    def stream_extras(self) -> Mapping[str, Any]:
        """Ask for a stream, with usage at its end."""
        return {"stream": True, "stream_options": {"include_usage": True}}

    def read(self, data: dict[str, Any], headers: Mapping[str, str]) -> Completion:
        """Return the answer in a whole reply's JSON."""
        return chat_wire.read(data, headers)

    def reader(self, response: Any) -> EventReader:
        """Return the generator that reads one streamed reply."""
        return chat_wire.events_reader(partial(drain, response=response))

    def read_models(self, response: Any) -> list[ModelInfo]:
        """Return the models in the reply to a model list request."""
        return read_models(response, self.settings.spec.name)
