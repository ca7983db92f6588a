"""What an API can do beside answering text: the words that a request's needs and the registry's rows are made of.

They are the ends of sentences: "no instance can ...". Of an API, not of its models: what one of these cannot do is said
of the instance (`cannot`). Sources (2026-11) stand beside what is not plain from the API's own reference.
"""

from collections.abc import Collection, Mapping

EMBED = "embed"
TOOLS = "call tools"
FORCED_TOOLS = "be made to call a tool"
IMAGES = "look at images"
IMAGE_URLS = "fetch images by their URL"
SCHEMAS = "answer by a JSON schema"
JSON = "answer in JSON without a schema"
JSON_BESIDE_TOOLS = "answer in JSON where it may call tools"

WORDS = (EMBED, TOOLS, FORCED_TOOLS, IMAGES, IMAGE_URLS, SCHEMAS, JSON, JSON_BESIDE_TOOLS)
"""All of them, in the order in which they are named."""

IMPLIED: Mapping[str, str] = {FORCED_TOOLS: TOOLS, IMAGE_URLS: IMAGES, JSON_BESIDE_TOOLS: TOOLS}
"""What goes without saying where the key is said."""

LOSSES: Mapping[str, frozenset[str]] = {
    "tools": frozenset({TOOLS, FORCED_TOOLS, JSON_BESIDE_TOOLS}),
    "images": frozenset({IMAGES, IMAGE_URLS}),
    "schemas": frozenset({SCHEMAS}),
    "embeddings": frozenset({EMBED}),
}
"""What goes with each word that an instance may have in its `cannot`."""


def left(can: frozenset[str], cannot: Collection[str]) -> frozenset[str]:
    """Return what is left of `can` for an instance with this `cannot`."""
    return can.difference(*(LOSSES[word] for word in cannot))


def spoken(words: Collection[str]) -> str:
    """Return `words` as the end of a sentence: "call tools and look at images"."""
    silent = {IMPLIED[word] for word in words if word in IMPLIED}
    *most, last = [word for word in WORDS if word in words and word not in silent] or ["do it"]
    return f"{', '.join(most)} and {last}" if most else last


EVERYTHING = frozenset(WORDS)

OPENAI = GOOGLE = MISTRAL = TOGETHER = EVERYTHING

# docs.cohere.com/reference/chat: no response_format in combination with `documents` or `tools`.
COHERE = EVERYTHING - {JSON_BESIDE_TOOLS}

# platform.claude.com/docs/en/build-with-claude/structured-outputs: a schema or nothing.
ANTHROPIC = EVERYTHING - {EMBED, JSON}

# ai.google.dev/gemini-api/docs/openai shows images as base64 only; the API of its own fetches them
# (ai.google.dev/gemini-api/docs/file-input-methods).
GOOGLE_CHAT = EVERYTHING - {IMAGE_URLS}

# It refuses JSON beside tools, of a schema or not (github.com/pydantic/pydantic-ai/pull/3858).
GROQ = EVERYTHING - {EMBED, JSON_BESIDE_TOOLS}

# docs.perplexity.ai/docs/agent-api/building-agents/give-it-tools has functions, tool_choice included;
# docs.perplexity.ai/api-reference: of formats there is json_schema alone.
PERPLEXITY_AGENT = EVERYTHING - {JSON}

# Its published description has no tools, and of formats json_schema alone. Clients that offer tools there write them
# into a schema (hexdocs.pm/langchain/LangChain.ChatModels.ChatPerplexity.html).
SONAR = EVERYTHING - {TOOLS, FORCED_TOOLS, JSON_BESIDE_TOOLS, JSON}

# docs.ollama.com/api/chat: no tool_choice, images in base64. Its chat completions are the same behind the other shape
# (openai/openai.go in github.com/ollama/ollama: no tool_choice either; a URL is an "invalid image input").
OLLAMA = EVERYTHING - {FORCED_TOOLS, IMAGE_URLS}

# github.com/lmstudio-ai/lmstudio-bug-tracker: 1120 (no image URLs), 189 ("'response_format.type' must be 'json_schema'
# or 'text'"); lmstudio.ai/docs/developer/api-changelog, 0.3.15: tool_choice "required".
LMSTUDIO = EVERYTHING - {IMAGE_URLS, JSON}
