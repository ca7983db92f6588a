"""An adapter that imports its SDK and builds itself on first use."""

import threading
from typing import cast

from flyllm._fork import imports
from flyllm._scope import Scope
from flyllm.providers.base import (
    Completion,
    DeltaStream,
    Embedded,
    Embedder,
    Provider,
    ProviderRequest,
    ProviderSettings,
)
from flyllm.providers.registry import create_provider
from flyllm.types import ModelInfo


class LazyProvider:
    """A `Provider` that is nothing but its settings until somebody calls it. What it does, it does within `scope`."""

    def __init__(self, settings: ProviderSettings, scope: Scope) -> None:
        self._settings, self._scope = settings, scope
        self._lock = threading.Lock()  # guards the making of _adapter; held while the SDK is imported
        self._adapter: Provider | None = None

    def warm(self) -> Provider:
        """Import the SDK and build the adapter now. Raises MissingDependencyError."""
        adapter = self._adapter
        if adapter is not None:
            return adapter
        with imports, self._lock:
            if self._adapter is None:
                self._adapter = create_provider(self._settings)
            return self._adapter

    def generate(self, request: ProviderRequest) -> Completion:
        """Send one request and return the whole answer."""
        with self._scope:
            return self.warm().generate(request)

    def stream(self, request: ProviderRequest) -> DeltaStream:
        """Send one request and return the open stream."""
        with self._scope:
            return self.warm().stream(request)

    def embed(self, request: ProviderRequest) -> Embedded:
        """Send texts as one call and return their vectors, where the adapter can."""
        with self._scope:
            return cast(Embedder, self.warm()).embed(request)

    def list_models(self, timeout: float) -> list[ModelInfo]:
        """Return the models that this key can use."""
        with self._scope:
            return self.warm().list_models(timeout)

    def close(self) -> None:
        """Release all connections, if there are any."""
        with self._lock:
            adapter, self._adapter = self._adapter, None
        if adapter is not None:
            adapter.close()
