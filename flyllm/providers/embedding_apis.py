"""Which API embeds texts, by which path and parameters, and how much it takes in one call.

Where a provider documents no number of texts, the number is ours: a call is what is retried, and a local model works
through its texts one by one. Anthropic has no embeddings (platform.claude.com/docs/en/build-with-claude/embeddings).
Groq neither: its SDK has the method, but there is nothing behind it (github.com/groq/groq-python/issues/96), nor does
its published API description have the endpoint.
"""

from flyllm.providers.base import EmbeddingSpec

UNDOCUMENTED = 96
"""Texts in one call of an API that documents no limit: what LangChain.js allows for Together."""

_DIMENSIONS = {"dimensions": "dimensions"}

# developers.openai.com/api/reference/resources/embeddings. Base64 has 5.4 bytes a number, JSON some 20:
# with that the largest call would be answered with more than an answer may have (`bounded_http`).
OPENAI = EmbeddingSpec("/embeddings", 2048, 300_000, _DIMENSIONS, {"encoding_format": "base64"})

# "at most 100 requests can be in one batch" (the API's own refusal; github.com/geldata/gel/issues/9032), also behind
# its OpenAI shape (github.com/StarTrail-org/LEANN/pull/214). The name is that of ai.google.dev/api/embeddings.
GOOGLE = EmbeddingSpec("", 100, None, {"dimensions": "outputDimensionality"})
GOOGLE_CHAT = EmbeddingSpec("/embeddings", 100, None, _DIMENSIONS)

# docs.mistral.ai/api has no numbers; the API refuses more with its code 3210, "Too many inputs in request" and
# "Max is 16384" (github.com/raphaelmansuy/edgequake-llm/pull/74, github.com/aurelio-labs/semantic-router/issues/297).
MISTRAL = EmbeddingSpec("/embeddings", 512, 16_384, {"dimensions": "output_dimension"})

# docs.cohere.com/reference/embed: "Maximum number of texts per call is 96".
COHERE = EmbeddingSpec("/embed", 96, None, {"dimensions": "output_dimension"}, {"embedding_types": ["float"]})

# docs.perplexity.ai/api-reference/embeddings-post: 512 texts, 120,000 tokens, and no floats but packed integers.
PERPLEXITY = EmbeddingSpec("/embeddings", 512, 120_000, _DIMENSIONS, {"encoding_format": "base64_int8"})

# A model and texts, nothing else: EmbeddingsRequest in github.com/togethercomputer/together-python (src/together/
# generated), and lmstudio.ai/docs/text-embeddings.
BARE = EmbeddingSpec("/embeddings", UNDOCUMENTED)

# docs.ollama.com/api/embed; its OpenAI shape takes dimensions too (openai/openai.go in github.com/ollama/ollama).
OLLAMA = EmbeddingSpec("/api/embed", UNDOCUMENTED, None, _DIMENSIONS)
OLLAMA_CHAT = EmbeddingSpec("/embeddings", UNDOCUMENTED, None, _DIMENSIONS)
