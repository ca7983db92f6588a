"""Adapter for Google: generateContent of the Gemini API through the google-genai SDK.

The SDK addresses, signs and sends; bodies are made and read here. Going out, `http_options.extra_body` (its documented
way to give the wire body) carries the whole body. Coming in, the HTTP client given to the SDK keeps a successful
reply for the adapter and hands on an empty one: the SDK would otherwise build pydantic models of every chunk.
"""

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

import httpx2
from google import genai
from google.genai import types
from google.genai.client import DebugConfig

from flyllm.errors import ParseError
from flyllm.providers import google_body, google_wire
from flyllm.providers.base import Completion, DeltaStream, ProviderRequest, ProviderSettings
from flyllm.providers.failures import in_band_error
from flyllm.providers.payload import count, decode, dicts, text_of
from flyllm.providers.streaming import EventStream
from flyllm.providers.transport import CONNECT_TIMEOUT, Clients, exchange, received, remember, tls_context
from flyllm.types import ModelInfo

PAGE = 1000
_VERSION = re.compile(r"/(v\d\w*)$")
# The SDK refuses to be given no contents; those in extra_body replace them.
_CONTENTS = types.Content(role="user", parts=[types.Part(text="-")])
_CONFIG = types.GenerateContentConfig(
    # On by default, both send further requests; the second runs Python functions as well.
    automatic_continuation=False,
    automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
)


class GoogleGenerateContent:
    """The Gemini API."""

    def __init__(self, settings: ProviderSettings) -> None:
        self.settings = settings
        self._clients = Clients(self.new_client, httpx2, settings.connections, sharded=False)

    def new_client(self, http: Any) -> genai.Client:
        """Return a client whose key, host, version and kind no environment variable can change."""
        settings = self.settings
        http.event_hooks = {"request": [self._prepare], "response": [_keep]}
        named = _VERSION.search(settings.base_url)
        return genai.Client(
            # An empty key would make the SDK look for one elsewhere; `_prepare` takes this one out again.
            api_key=settings.api_key.reveal() or "none",
            vertexai=False,
            # Given, so that GOOGLE_GENAI_CLIENT_MODE cannot replace the client by one that replays files.
            debug_config=DebugConfig(client_mode=None, replays_directory=None, replay_id=None),
            http_options=types.HttpOptions(
                base_url=settings.base_url[: named.start()] if named else settings.base_url,
                api_version=named[1] if named else "",
                headers=dict(settings.headers),
                retry_options=types.HttpRetryOptions(attempts=1),
                httpx_client=http,
                # Never used; given, they spare two TLS contexts of 20 ms, which SSL_CERT_FILE could break besides.
                httpx_async_client=httpx2.AsyncClient(verify=tls_context(), trust_env=False),
                async_client_args={"ssl": tls_context()},
            ),
        )

    def generate(self, request: ProviderRequest) -> Completion:
        """Send one request and read the whole answer."""

        def send() -> Completion:
            models, arguments = self._clients.get().models, self._arguments(request)
            response = _reply(lambda: models.generate_content(**arguments))
            return google_wire.read(_answer(response), response.headers)

        return exchange(self.settings, send)

    def stream(self, request: ProviderRequest) -> DeltaStream:
        """Send one request and return once the reply's headers are there."""

        def send() -> Any:
            chunks = self._clients.get().models.generate_content_stream(**self._arguments(request))
            # The SDK sends when asked for a chunk, of which `_keep` leaves it none.
            return _reply(lambda: next(chunks, None))

        return EventStream(self.settings, exchange(self.settings, send), google_wire.read_events)

    def list_models(self, timeout: float) -> list[ModelInfo]:
        """Return the models of the provider's model list, all pages of it."""
        return exchange(self.settings, lambda: self._all_models(timeout))

    def close(self) -> None:
        """Release all connections."""
        self._clients.close()

    def _arguments(self, request: ProviderRequest) -> dict[str, Any]:
        body = google_body.body(request, self.settings.api)
        options = types.HttpOptions(timeout=_milliseconds(request.timeout), extra_body=body)
        config = _CONFIG.model_copy(update={"http_options": options})
        return {"model": request.model, "contents": _CONTENTS, "config": config}

    def _prepare(self, request: httpx2.Request) -> None:
        limits = request.extensions["timeout"]  # the SDK knows but one number for all of them
        limits["connect"] = min(CONNECT_TIMEOUT, limits["connect"])
        if not self.settings.api_key:
            request.headers.pop("x-goog-api-key", None)
        if request.url.path.endswith(":streamGenerateContent"):
            # The SDK has Google end the whole reply at what is meant for each wait; a stream may last longer.
            request.headers.pop("x-server-timeout", None)

    def _all_models(self, seconds: float) -> list[ModelInfo]:
        found: list[ModelInfo] = []
        token = ""
        while True:
            options = types.HttpOptions(timeout=_milliseconds(seconds))
            config = types.ListModelsConfig(page_size=PAGE, page_token=token or None, http_options=options)
            page = _answer(self._page(config))
            if not isinstance(page.get("models"), list):
                raise ParseError("the model list has no models")
            found += [self._model(entry) for entry in dicts(page["models"]) if text_of(entry.get("name"))]
            before, token = token, text_of(page.get("nextPageToken"))
            if not token:
                return found
            if token == before:
                raise ParseError("the model list goes on with the page just read")

    def _page(self, config: types.ListModelsConfig) -> Any:
        models = self._clients.get().models
        return _reply(lambda: models.list(config=config))

    def _model(self, entry: dict[str, Any]) -> ModelInfo:
        window = count(entry, "inputTokenLimit")
        return ModelInfo(
            entry["name"].removeprefix("models/"), self.settings.spec.name, "google", window or None, entry
        )


def _milliseconds(seconds: float) -> int:
    return max(1, math.ceil(seconds * 1000))  # to the SDK 0 means no limit


def _keep(response: httpx2.Response) -> None:
    if response.status_code == 200:
        ours = httpx2.Response(200, headers=response.headers, stream=response.stream, request=response.request)
        response.stream = httpx2.ByteStream(b"")
        response = ours
    remember(response)


def _reply(call: Callable[[], object]) -> Any:
    """Make one call of the SDK and return the reply to it, unread."""
    try:
        call()
    except BaseException:
        if (response := received()) is not None:
            response.close()
        raise
    return received()


def _answer(response: Any) -> Mapping[str, Any]:
    data = decode(response.read(), response.headers.get("content-type", ""))
    if data.get("error"):
        raise in_band_error(data, response.headers)
    return data
