"""The table of providers: ten rows. A provider of a known shape is one row more.

Public hosts and paths: docs of the providers, 2026-11. Parameters: a common one that a row does not name is one
that the provider cannot take; it is dropped and reported.
"""

from importlib import import_module

from flyllm.errors import ConfigError, MissingDependencyError
from flyllm.providers import capabilities, efforts, embedding_apis, perplexity_models, wire_names
from flyllm.providers.base import ApiSpec, EmbeddingSpec, Provider, ProviderSettings, ProviderSpec
from flyllm.providers.effort import Efforts
from flyllm.providers.schemas import dialects as schemas
from flyllm.providers.schemas.dialect import SchemaDialect

_CHAT = "flyllm.providers.openai_chat:OpenAIChat"
_RESPONSES = "flyllm.providers.openai_responses:OpenAIResponses"


def _chat(
    params: dict[str, str],
    can: frozenset[str],
    told: Efforts,
    dialect: SchemaDialect,
    embedding: EmbeddingSpec | None = None,
    version: str = "/v1",
    adapter: str = _CHAT,
    prefill: dict[str, bool] | None = None,
) -> ApiSpec:
    return ApiSpec(
        "chat_completions",
        adapter,
        "/chat/completions",
        version,
        params,
        prefill=prefill,
        can=can,
        embedding=embedding,
        efforts=told,
        schemas=dialect,
    )


def _responses(
    adapter: str,
    can: frozenset[str],
    told: Efforts,
    dialect: SchemaDialect,
    embedding: EmbeddingSpec,
    suffix: str = "",
) -> ApiSpec:
    return ApiSpec(
        "responses",
        adapter,
        "/responses",
        "/v1",
        wire_names.RESPONSES,
        suffix,
        can=can,
        embedding=embedding,
        efforts=told,
        schemas=dialect,
    )


REGISTRY: dict[str, ProviderSpec] = {
    spec.name: spec
    for spec in (
        ProviderSpec(
            name="openai",
            extra="openai",
            root="https://api.openai.com",
            key_variable="OPENAI_API_KEY",
            apis=(
                _chat(wire_names.OPENAI, capabilities.OPENAI, efforts.OPENAI, schemas.OPENAI, embedding_apis.OPENAI),
                _responses(_RESPONSES, capabilities.OPENAI, efforts.RESPONSES, schemas.OPENAI, embedding_apis.OPENAI),
            ),
        ),
        ProviderSpec(
            name="anthropic",
            extra="anthropic",
            root="https://api.anthropic.com",
            key_variable="ANTHROPIC_API_KEY",
            apis=(
                ApiSpec(
                    name="messages",
                    adapter="flyllm.providers.anthropic:AnthropicMessages",
                    path="/messages",
                    version="/v1",
                    params=wire_names.ANTHROPIC,
                    prefill={},  # models up to 4.5; later ones refuse it, and another instance is asked
                    can=capabilities.ANTHROPIC,
                    efforts=efforts.ANTHROPIC,
                    schemas=schemas.ANTHROPIC,
                ),
            ),
        ),
        ProviderSpec(
            name="google",
            extra="google",
            root="https://generativelanguage.googleapis.com",
            key_variable="GOOGLE_API_KEY",
            apis=(
                ApiSpec(
                    name="generate_content",
                    adapter="flyllm.providers.google:GoogleGenerateContent",
                    path=":generateContent",
                    suffix=r"/models(/[^/:]+)?(:\w+)?",
                    version="/v1beta",
                    params=wire_names.GOOGLE,
                    can=capabilities.GOOGLE,
                    embedding=embedding_apis.GOOGLE,
                    efforts=efforts.GOOGLE,
                    schemas=schemas.GOOGLE,
                ),
                _chat(
                    wire_names.COMPATIBLE,
                    capabilities.GOOGLE_CHAT,
                    efforts.GOOGLE_CHAT,
                    schemas.GOOGLE,
                    version="/v1beta/openai",
                    embedding=embedding_apis.GOOGLE_CHAT,
                ),
            ),
        ),
        ProviderSpec(
            name="mistral",
            extra="mistral",
            root="https://api.mistral.ai",
            key_variable="MISTRAL_API_KEY",
            apis=(
                _chat(
                    wire_names.MISTRAL,
                    capabilities.MISTRAL,
                    efforts.MISTRAL,
                    schemas.MISTRAL,
                    adapter="flyllm.providers.mistral:MistralChat",
                    prefill={"prefix": True},
                    embedding=embedding_apis.MISTRAL,
                ),
            ),
        ),
        ProviderSpec(
            name="cohere",
            extra="cohere",
            root="https://api.cohere.com",
            key_variable="COHERE_API_KEY",
            apis=(
                ApiSpec(
                    name="chat",
                    adapter="flyllm.providers.cohere:CohereChat",
                    path="/chat",
                    version="/v2",
                    params=wire_names.COHERE,
                    can=capabilities.COHERE,
                    embedding=embedding_apis.COHERE,
                    efforts=efforts.COHERE,
                    schemas=schemas.COHERE,
                ),
            ),
        ),
        ProviderSpec(
            name="groq",
            extra="groq",
            root="https://api.groq.com",
            key_variable="GROQ_API_KEY",
            apis=(
                _chat(
                    wire_names.OPENAI,
                    capabilities.GROQ,
                    efforts.GROQ,
                    schemas.GROQ,
                    version="/openai/v1",
                    adapter="flyllm.providers.groq:GroqChat",
                    prefill={},
                ),
            ),
        ),
        ProviderSpec(
            name="togetherai",
            extra="openai",
            root="https://api.together.ai",
            key_variable="TOGETHER_API_KEY",
            apis=(
                _chat(wire_names.LOCAL, capabilities.TOGETHER, efforts.TOGETHER, schemas.TOGETHER, embedding_apis.BARE),
            ),
        ),
        ProviderSpec(
            name="perplexity",
            extra="openai",
            root="https://api.perplexity.ai",
            key_variable="PERPLEXITY_API_KEY",
            static_models=perplexity_models.STATIC,
            apis=(
                _responses(
                    "flyllm.providers.perplexity:PerplexityAgent",
                    capabilities.PERPLEXITY_AGENT,
                    efforts.PERPLEXITY_AGENT,
                    schemas.PERPLEXITY,
                    embedding_apis.PERPLEXITY,
                    "/responses|/agent",
                ),
                _chat(
                    wire_names.SONAR, capabilities.SONAR, efforts.SONAR, schemas.PERPLEXITY, embedding_apis.PERPLEXITY
                ),
            ),
        ),
        ProviderSpec(
            name="ollama",
            extra="ollama",
            root="http://localhost:11434",
            needs_key=False,
            apis=(
                ApiSpec(
                    name="chat",
                    adapter="flyllm.providers.ollama:OllamaChat",
                    path="/api/chat",
                    suffix="/api(/chat)?",
                    version="",
                    params=wire_names.OLLAMA,
                    prefill={},
                    can=capabilities.OLLAMA,
                    embedding=embedding_apis.OLLAMA,
                    efforts=efforts.OLLAMA,
                    schemas=schemas.LLAMA,
                ),
                _chat(
                    wire_names.LOCAL,
                    capabilities.OLLAMA,
                    efforts.OLLAMA_CHAT,
                    schemas.LLAMA,
                    embedding_apis.OLLAMA_CHAT,
                ),
            ),
        ),
        ProviderSpec(
            name="lmstudio",
            extra="openai",
            root="http://localhost:1234",
            needs_key=False,
            apis=(
                _chat(
                    wire_names.LOCAL,
                    capabilities.LMSTUDIO,
                    efforts.LMSTUDIO,
                    schemas.LLAMA,
                    embedding_apis.BARE,
                    adapter="flyllm.providers.lmstudio:LMStudioChat",
                ),
            ),
        ),
    )
}


def provider_spec(name: str) -> ProviderSpec:
    """Return the row of provider `name` (any case); `ConfigError` that lists the valid ones otherwise."""
    spec = REGISTRY.get(str(name).lower())
    if spec is None:
        raise ConfigError(f"Unknown provider type '{name}'\n  → Valid types: {', '.join(REGISTRY)}")
    return spec


def create_provider(settings: ProviderSettings) -> Provider:
    """Import the adapter of `settings.api` and build it; `MissingDependencyError` names the extra to install."""
    module, _, attribute = settings.api.adapter.partition(":")
    try:
        adapter = getattr(import_module(module), attribute)
    except ModuleNotFoundError as exc:
        if (exc.name or "").startswith("flyllm"):
            raise
        extra = settings.spec.extra
        raise MissingDependencyError(
            f"Provider '{settings.spec.name}' needs the package '{exc.name}', which is not installed.\n"
            f'  → Install it with: pip install "flyllm[{extra}]"',
            provider=settings.spec.name,
        ) from None
    except Exception as exc:  # the ollama SDK, for one, reads its environment when it is imported
        reason = f"{type(exc).__name__}: {exc}"
        raise ConfigError(
            f"The SDK of provider '{settings.spec.name}' cannot be imported: {reason}", provider=settings.spec.name
        ) from None
    provider: Provider = adapter(settings)
    return provider
