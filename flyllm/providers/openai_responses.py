"""Adapter for the Responses API through the openai SDK: OpenAI and anything of that shape."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from flyllm.providers import responses_body, responses_wire
from flyllm.providers.base import Completion, ProviderRequest
from flyllm.providers.openai_sdk import OpenAIAdapter
from flyllm.providers.streaming import EventReader, drain


class OpenAIResponses(OpenAIAdapter):
    """Responses. What the API keeps of a call (`store`) is left to the caller's parameters."""

    def body(self, request: ProviderRequest) -> dict[str, Any]:
        """Return the wire body of `request`."""
        return responses_body.body(request, self.settings.api)

    def read(self, data: dict[str, Any], headers: Mapping[str, str]) -> Completion:
        """Return the answer in a whole reply's JSON."""
        return responses_wire.read(data, headers)

    def reader(self, response: Any) -> EventReader:
        """Return the generator that reads one streamed reply."""
        return responses_wire.events_reader(partial(drain, response=response))
