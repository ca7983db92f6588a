"""Adapter for Mistral: the chat-completions wire through the mistralai SDK.

The SDK drops fields of messages it does not know, refuses the role "developer" and knows no further parameters, so
the body that goes out is encoded here and takes the place of the SDK's.
"""

from collections.abc import Mapping
from functools import partial
from types import ModuleType
from typing import Any, ClassVar

import httpx2
from mistralai.client import Mistral

from flyllm.providers import chat_wire, embedding_call, embedding_wire
from flyllm.providers.base import Completion, DeltaStream, Embedded, ProviderRequest
from flyllm.providers.direct_client import direct_client
from flyllm.providers.mistral_turns import turns
from flyllm.providers.model_list import read_models
from flyllm.providers.relay import Outgoing, Relay, relayed, unversioned
from flyllm.providers.streaming import EventStream, drain
from flyllm.providers.undecoded import UndecodedAdapter, answer, encode
from flyllm.types import ModelInfo

_EMBEDDED = b'{"id":"","object":"list","model":"","data":[],"usage":{}}'


class MistralChat(UndecodedAdapter):
    """Chat completions at Mistral.

    Both kinds go through `fim.stream`. A stream is the SDK's only way of handing over a reply that it has not decoded,
    and the SDK makes up three pydantic classes per call: `chat.stream`'s, with all that messages and tools can be,
    take three times as long. What it would send, and where to, is replaced.
    """

    httpx: ClassVar[ModuleType] = httpx2
    stand_in: ClassVar[bytes] = b'{"object":"list","data":[]}'

    def new_client(self, relay: Relay) -> Mistral:
        """Return a client that reads no key, telemetry or debugging setting from the environment."""
        client = Mistral(
            api_key="none",
            server_url=unversioned(self.settings.base_url),
            client=direct_client(httpx2, relay),
            async_client=_NoAsyncClient(),
            debug_logger=_NoLogger(),
        )
        # Read by the SDK before MISTRAL_SDK_TELEMETRY, which can make every call fail; no parameter sets it.
        client.sdk_configuration.telemetry = False  # type: ignore[attr-defined]
        return client

    def body(self, request: ProviderRequest) -> dict[str, Any]:
        """Return the body of a call."""
        body = chat_wire.body(request, self.settings.api)
        body["messages"] = turns(request.messages)
        if request.tools:
            body["tools"] = [_tool(tool) for tool in request.tools]
        return body

    def content(self, body: dict[str, Any]) -> bytes:
        """Return the bytes to send in place of the SDK's."""
        return encode(body)

    def call(self, body: dict[str, Any]) -> None:
        """Have the SDK send `body` as one request."""
        self._client.get().fim.stream(model=body["model"], prompt="")

    def read(self, data: dict[str, Any], headers: Mapping[str, str]) -> Completion:
        """Return the answer in a whole reply's JSON."""
        return chat_wire.read(data, headers)

    def open_stream(self, reply: Any) -> DeltaStream:
        """Return the deltas of an open reply."""
        return EventStream(self.settings, reply, chat_wire.events_reader(partial(drain, response=reply)))

    def embed(self, request: ProviderRequest) -> Embedded:
        """Send texts as one call and return their vectors."""

        def call() -> object:
            return self._client.get().embeddings.create(model=request.model, inputs="-")

        return embedding_call.embed(self.settings, request, embedding_wire.body, call, self._read_vectors, _EMBEDDED)

    def _read_vectors(self, data: dict[str, Any], headers: Mapping[str, str], texts: int) -> Embedded:
        return embedding_wire.read(data, headers, texts, embedding_call.embedding_of(self.settings))

    def models(self, timeout: float) -> list[ModelInfo]:
        """Have the SDK ask for the models and read the reply."""
        reply = relayed(Outgoing(timeout), self._client.get().models.list)
        answer(reply)
        return read_models(reply, self.settings.spec.name)


def _tool(tool: Mapping[str, Any]) -> Mapping[str, Any]:
    function = tool.get("function")
    if not isinstance(function, Mapping) or "parameters" in function:
        return tool
    return {**tool, "function": {**function, "parameters": {"type": "object", "properties": {}}}}  # not optional here


class _NoLogger:
    """Without one the SDK reads MISTRAL_DEBUG, sets up the root logger and logs headers and bodies."""

    def debug(self, msg: str, *args: Any, **kwargs: Any) -> None: ...


class _NoAsyncClient:
    """Without one the SDK opens one and closes it in a finaliser by `asyncio.run`, which fails at exit."""

    async def send(self, *args: Any, **kwargs: Any) -> Any: ...

    def build_request(self, *args: Any, **kwargs: Any) -> Any: ...

    async def aclose(self) -> None: ...
