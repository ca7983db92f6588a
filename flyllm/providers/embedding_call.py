"""One embedding call of the adapters whose SDKs do not decode (see `relay`)."""

from collections.abc import Callable, Mapping
from typing import Any

from flyllm.providers.base import Embedded, EmbeddingSpec, ProviderRequest, ProviderSettings
from flyllm.providers.relay import Outgoing, relayed
from flyllm.providers.transport import exchange
from flyllm.providers.undecoded import answer, encode

Body = Callable[[ProviderRequest, EmbeddingSpec], dict[str, Any]]
Read = Callable[[dict[str, Any], Mapping[str, str], int], Embedded]


def embed(
    settings: ProviderSettings,
    request: ProviderRequest,
    body: Body,
    call: Callable[[], object],
    read: Read,
    stand_in: bytes,
) -> Embedded:
    """Make the SDK's `call` with the `body` of `request` and read the reply; the SDK gets the `stand_in`."""
    spec = embedding_of(settings)

    def send() -> Embedded:
        content = encode(body(request, spec))
        outgoing = Outgoing(request.timeout, path=spec.path, content=content, stand_in=stand_in)
        reply = relayed(outgoing, call)
        return read(answer(reply), reply.headers, len(request.texts))

    return exchange(settings, send)


def embedding_of(settings: ProviderSettings) -> EmbeddingSpec:
    """Return how the API of `settings` embeds; only those that can are asked."""
    spec = settings.api.embedding
    if spec is None:
        raise NotImplementedError(f"{settings.spec.name} {settings.api.name} cannot embed")
    return spec
