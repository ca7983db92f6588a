"""Which provider takes what of a JSON schema for answers (2026-11).

A keyword that a provider's documents do not name is left out there: the answer is held against the whole schema in any
case, whereas a keyword that is refused fails every request. Anything that a document allows is kept.
"""

from flyllm.providers.schemas.dialect import SchemaDialect
from flyllm.providers.schemas.patterns import anchored, plain, without_lookarounds
from flyllm.providers.schemas.words import LABELS, NUMBERS, RANGES, SCALARS, SIZES, STRINGS, STRUCTURE

_BASE = STRUCTURE | LABELS
_LEVELS = 5
_OPENAI_FORMATS = frozenset({"date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"})

# developers.openai.com/api/docs/guides/structured-outputs (supported schemas, and the limits of `size`; what fine-tuned
# models do not take). `minLength` and `maxLength` are taken and enforced, `prefixItems` is not: probed in
# github.com/pydantic/pydantic-ai/pull/7400 and /7333. The one way to an optional property is a required one that may be
# null; such a null would break a schema without it, so that properties are asked for as they are.
OPENAI = SchemaDialect(
    keywords=_BASE | {"const"} | STRINGS | NUMBERS | SIZES,
    formats=_OPENAI_FORMATS,
    pattern=without_lookarounds,
    any_value=SCALARS,
    closed=True,
    all_required=True,
    object_root=True,
    on_request=True,
    size=(5000, 10, 1000, 120_000),
    tuned=STRINGS | NUMBERS | SIZES,
)

# platform.claude.com/docs/en/build-with-claude/structured-outputs (JSON schema limitations) and `transform_schema` of
# the anthropic SDK, which puts the rest into descriptions as well and closes every object, maps too. `allOf` is taken
# without references only, `oneOf` is refused; a self-reference is answered with "Circular reference detected"
# (github.com/egonSchiele/agency-lang/issues/487).
ANTHROPIC = SchemaDialect(
    keywords=_BASE | {"const", "format", "pattern", "minItems"},
    formats=_OPENAI_FORMATS | {"uri"},
    pattern=plain,
    values=frozenset({*SCALARS, "integer"}),
    most_min_items=1,
    any_value=SCALARS,
    closed=True,
    levels=_LEVELS,
)

# ai.google.dev/api/generate-content, GenerationConfig.responseJsonSchema: the keywords, enums "for strings and
# numbers", cyclic references "only within non-required properties", nothing beside `$ref`; formats by
# ai.google.dev/gemini-api/docs/structured-output. Its chat completions take the same schemas
# (ai.google.dev/gemini-api/docs/openai).
GOOGLE = SchemaDialect(
    keywords=_BASE | {"prefixItems", "minimum", "maximum", "format"} | SIZES,
    formats=frozenset({"date-time", "date", "time"}),
    values=frozenset({"string", "number", "integer"}),
    levels=_LEVELS,
    optional_cycles=True,
)

# docs.mistral.ai/capabilities/structured-output/custom names no subset; its SDK closes every object
# (mistralai.extra.utils). "Received unsupported keyword `format` in schema" answers a date
# (github.com/langchain-ai/langchain/issues/29604), and other constraints get the same.
MISTRAL = SchemaDialect(keywords=_BASE, any_value=SCALARS, closed=True, on_request=True)

# docs.cohere.com/docs/structured-outputs: schema constraints, and the supported and unsupported features. Patterns may
# have no `^` and `$` there and are of whole texts, which is another thing than JSON Schema's, so that none is sent.
COHERE = SchemaDialect(
    keywords=_BASE | {"const", "format"},
    formats=frozenset({"date-time", "uuid", "date", "time"}),
    values=frozenset({*SCALARS, "integer"}),
    some_required=True,
    object_root=True,
)

# console.groq.com/docs/structured-outputs: strict mode, its models, and "all fields must be required and objects must
# set additionalProperties: false". Constraints are not named; "minItems is not supported"
# (github.com/i-am-bee/beeai-framework/issues/1215). Other models make a best effort, with any schema.
GROQ = SchemaDialect(
    keywords=_BASE,
    any_value=SCALARS,
    closed=True,
    all_required=True,
    object_root=True,
    on_request=True,
    enforcing=r"^(openai/gpt-oss-(20b|120b)|qwen/qwen3\.8-27b)$",
)

# docs.together.ai/docs/inference/chat/structured-outputs: "any schema you supply".
TOGETHER = SchemaDialect()

# docs.perplexity.ai/docs/cookbook/articles/structured-output-extraction: "No recursive schemas", "No unconstrained
# objects. Avoid additionalProperties: true or bare object types". It knows no schema that is but a hint.
PERPLEXITY = SchemaDialect(
    keywords=_BASE | {"const"} | STRINGS | NUMBERS | SIZES, any_value=SCALARS, closed=True, levels=_LEVELS
)

# Grammars of llama.cpp, in Ollama and LM Studio: github.com/ggml-org/llama.cpp grammars/README.md (known limitations)
# and common/json-schema-to-grammar.cpp: what it does not know it skips silently, but a pattern that is not anchored is
# an error, as is a schema without a type in older versions. Lists of types fail in LM Studio's other engine
# (github.com/lmstudio-ai/lmstudio-bug-tracker/issues/909).
LLAMA = SchemaDialect(
    keywords=_BASE | {"const", "prefixItems"} | STRINGS | RANGES | SIZES,
    formats=frozenset({"date", "time", "date-time", "uuid"}),
    pattern=anchored,
    float_ranges=False,
    type_lists=False,
    any_value=("object", "array", *SCALARS),
)
