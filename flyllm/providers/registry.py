"""The table of providers: ten rows. A provider of a known shape is one row more.

Public hosts and paths: docs of the providers, 2026-11. Parameters: a common one that a row does not name is one
that the provider cannot take; it is dropped and reported.
"""

from importlib import import_module

from flyllm.errors import ConfigError, MissingDependencyError
from flyllm.providers import embedding_apis
from flyllm.providers.base import ApiSpec, EmbeddingSpec, Provider, ProviderSettings, ProviderSpec
from flyllm.providers.capabilities import EMBED

_OPENAI_PARAMS = {
    "max_tokens": "max_completion_tokens",  # max_tokens is deprecated and refused by reasoning models
    "temperature": "temperature",
    "top_p": "top_p",
    "stop": "stop",
    "seed": "seed",
    "presence_penalty": "presence_penalty",
    "frequency_penalty": "frequency_penalty",
}
_COMPATIBLE_PARAMS = {**_OPENAI_PARAMS, "max_tokens": "max_tokens"}
_LOCAL_PARAMS = {**_COMPATIBLE_PARAMS, "top_k": "top_k"}
_SONAR_PARAMS = {name: wire for name, wire in _LOCAL_PARAMS.items() if name != "seed"}
_RESPONSES_PARAMS = {"max_tokens": "max_output_tokens", "temperature": "temperature", "top_p": "top_p"}
_CHAT = "flyllm.providers.openai_chat:OpenAIChat"
_RESPONSES = "flyllm.providers.openai_responses:OpenAIResponses"


_EMBEDS = frozenset({EMBED})


def _chat(
    params: dict[str, str],
    version: str = "/v1",
    adapter: str = _CHAT,
    prefill: dict[str, bool] | None = None,
    embedding: EmbeddingSpec | None = None,
) -> ApiSpec:
    return ApiSpec(
        "chat_completions",
        adapter,
        "/chat/completions",
        version,
        params,
        prefill=prefill,
        can=_EMBEDS if embedding is not None else frozenset(),
        embedding=embedding,
    )


def _responses(adapter: str, embedding: EmbeddingSpec, suffix: str = "") -> ApiSpec:
    return ApiSpec(
        "responses", adapter, "/responses", "/v1", _RESPONSES_PARAMS, suffix, can=_EMBEDS, embedding=embedding
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
                _chat(_OPENAI_PARAMS, embedding=embedding_apis.OPENAI),
                _responses(_RESPONSES, embedding_apis.OPENAI),
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
                    params={
                        "max_tokens": "max_tokens",
                        "temperature": "temperature",
                        "top_p": "top_p",
                        "top_k": "top_k",
                        "stop": "stop_sequences",
                    },
                    prefill={},  # models up to 4.5; later ones refuse it, and another instance is asked
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
                    params={
                        "max_tokens": "maxOutputTokens",
                        "temperature": "temperature",
                        "top_p": "topP",
                        "top_k": "topK",
                        "stop": "stopSequences",
                        "seed": "seed",
                        "presence_penalty": "presencePenalty",
                        "frequency_penalty": "frequencyPenalty",
                    },
                    can=_EMBEDS,
                    embedding=embedding_apis.GOOGLE,
                ),
                _chat(_COMPATIBLE_PARAMS, version="/v1beta/openai", embedding=embedding_apis.GOOGLE_CHAT),
            ),
        ),
        ProviderSpec(
            name="mistral",
            extra="mistral",
            root="https://api.mistral.ai",
            key_variable="MISTRAL_API_KEY",
            apis=(
                _chat(
                    {**_COMPATIBLE_PARAMS, "seed": "random_seed"},
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
                    params={
                        "max_tokens": "max_tokens",
                        "temperature": "temperature",
                        "top_p": "p",
                        "top_k": "k",
                        "stop": "stop_sequences",
                        "seed": "seed",
                        "presence_penalty": "presence_penalty",
                        "frequency_penalty": "frequency_penalty",
                    },
                    can=_EMBEDS,
                    embedding=embedding_apis.COHERE,
                ),
            ),
        ),
        ProviderSpec(
            name="groq",
            extra="groq",
            root="https://api.groq.com",
            key_variable="GROQ_API_KEY",
            apis=(_chat(_OPENAI_PARAMS, version="/openai/v1", adapter="flyllm.providers.groq:GroqChat", prefill={}),),
        ),
        ProviderSpec(
            name="togetherai",
            extra="openai",
            root="https://api.together.ai",
            key_variable="TOGETHER_API_KEY",
            apis=(_chat(_LOCAL_PARAMS, embedding=embedding_apis.BARE),),
        ),
        ProviderSpec(
            name="perplexity",
            extra="openai",
            root="https://api.perplexity.ai",
            key_variable="PERPLEXITY_API_KEY",
            # The presets, then the Sonar names that the adapter translates; for servers without a model list.
            static_models=(
                "perplexity/sonar",
                "fast",
                "low",
                "medium",
                "high",
                "xhigh",
                "wide-research",
                "sonar",
                "sonar-pro",
                "sonar-reasoning",
                "sonar-reasoning-pro",
                "sonar-deep-research",
            ),
            apis=(
                _responses(
                    "flyllm.providers.perplexity:PerplexityAgent", embedding_apis.PERPLEXITY, "/responses|/agent"
                ),
                _chat(_SONAR_PARAMS, embedding=embedding_apis.PERPLEXITY),
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
                    params={
                        "max_tokens": "num_predict",
                        "temperature": "temperature",
                        "top_p": "top_p",
                        "top_k": "top_k",
                        "stop": "stop",
                        "seed": "seed",
                        "presence_penalty": "presence_penalty",
                        "frequency_penalty": "frequency_penalty",
                    },
                    prefill={},
                    can=_EMBEDS,
                    embedding=embedding_apis.OLLAMA,
                ),
                _chat(_LOCAL_PARAMS, embedding=embedding_apis.OLLAMA_CHAT),
            ),
        ),
        ProviderSpec(
            name="lmstudio",
            extra="openai",
            root="http://localhost:1234",
            needs_key=False,
            apis=(_chat(_LOCAL_PARAMS, embedding=embedding_apis.BARE),),
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
