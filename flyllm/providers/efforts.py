"""Which models can be told how much to think, and in which words. Documentation of 2026-11.

Where a host has models of many makers, those known not to take the parameter are listed, as they refuse it; where a
provider documents the few models that do, these are. Others can be told by the provider's own parameter.
"""

from flyllm.providers.effort import Effort, Efforts

_AT_LEAST_LOW = {"none": "low", "minimal": "low"}
_AT_MOST_HIGH = {"xhigh": "high", "max": "high"}
_LEVELS = {**_AT_LEAST_LOW, **_AT_MOST_HIGH}
_THINKING = ("minimal", "low", "medium", "high", "xhigh", "max")
_CHAT = "reasoning_effort"
_PLAIN = r"llama|gemma-?[123]|kimi-k2-instruct|mixtral|mistral-(7b|saba)|compound|allam|qwen-?2"
"""Open models without reasoning, as several hosts offer them."""


def _switch(off: object, on: object) -> dict[str, object]:
    return {"none": off, **dict.fromkeys(_THINKING, on)}


# developers.openai.com/api/reference: all seven words. gpt-5-chat does not reason
# (pydantic_ai/profiles/openai.py in github.com/pydantic/pydantic-ai).
_NO_REASONING = r"gpt-(3|4|5-chat)|chatgpt-4"
OPENAI: Efforts = ((_NO_REASONING, None), ("", Effort(_CHAT)))
RESPONSES: Efforts = ((_NO_REASONING, None), ("", Effort("reasoning.effort")))

# platform.claude.com/docs/en/build-with-claude/effort and .../adaptive-thinking: from Opus 4.5 on, and none but it of
# 4.5. Opus 4.5 does not think adaptively; max comes with 4.6, xhigh with 4.7. There is no "minimal"; thinking is
# disabled for "none", which Mythos cannot do.
_CLAUDE = "output_config.effort"
_ADAPTIVE = {"thinking": {"type": "adaptive"}}
_NOT = {"none": {"thinking": {"type": "disabled"}}}
ANTHROPIC: Efforts = (
    (r"claude-(instant|[123]|(opus|sonnet)-4([-.][01])?(-?20|@|:|$)|(sonnet|haiku)-4[-.]5)", None),
    (r"opus-4[-.]5", Effort(_CLAUDE, {"minimal": "low", **_AT_MOST_HIGH}, _NOT)),
    (r"(opus|sonnet)-4[-.]6", Effort(_CLAUDE, {"minimal": "low", "xhigh": "high"}, _NOT, _ADAPTIVE)),
    (r"mythos", Effort(_CLAUDE, _AT_LEAST_LOW, beside=_ADAPTIVE)),
    ("", Effort(_CLAUDE, {"minimal": "low"}, _NOT, _ADAPTIVE)),
)

# ai.google.dev/gemini-api/docs/openai#thinking is Google's own table of what an effort is in levels (Gemini 3) and in
# tokens (2.5); "Reasoning cannot be turned off for Gemini 2.5 Pro or 3 models": .../docs/thinking has the least there
# is, 128 tokens and the level MINIMAL, which the Pro models have not. Without being asked for, thoughts stay there.
_THOUGHTS = {"thinkingConfig": {"includeThoughts": True}}
_BUDGETS = {"minimal": 1024, "low": 1024, "medium": 8192, "high": 24_576, "xhigh": 24_576, "max": 24_576}
_LEVEL = {"low": "LOW", "medium": "MEDIUM", "high": "HIGH", "xhigh": "HIGH", "max": "HIGH"}
_BUDGET_PATH, _LEVEL_PATH = "thinkingConfig.thinkingBudget", "thinkingConfig.thinkingLevel"
_NO_THINKING = r"gemini-(1|2\.0)|gemma-?[123]|learnlm"
GOOGLE: Efforts = (
    (_NO_THINKING, None),
    (r"gemini-2\.5-pro", Effort(_BUDGET_PATH, {"none": 128, **_BUDGETS}, beside=_THOUGHTS)),
    (r"gemini-2\.5", Effort(_BUDGET_PATH, _BUDGETS, {"none": {"thinkingConfig": {"thinkingBudget": 0}}}, _THOUGHTS)),
    (r"pro\b", Effort(_LEVEL_PATH, {"none": "LOW", "minimal": "LOW", **_LEVEL}, beside=_THOUGHTS)),
    ("", Effort(_LEVEL_PATH, {"none": "MINIMAL", "minimal": "MINIMAL", **_LEVEL}, beside=_THOUGHTS)),
)
GOOGLE_CHAT: Efforts = (
    (_NO_THINKING, None),
    (r"gemini-2\.5-(?!pro)", Effort(_CHAT, _AT_MOST_HIGH)),
    ("", Effort(_CHAT, {"none": "minimal", **_AT_MOST_HIGH})),
)

# docs.mistral.ai/inference/conversations/reasoning: "high" and "none" for Small 4 and Medium 3.5, levels for Large 4;
# Magistral models always reason and take no effort.
MISTRAL: Efforts = (
    (r"magistral|codestral|devstral|ministral|pixtral|open-mi|mistral-(tiny|nemo|saba|large-2)", None),
    (r"mistral-(small|medium)-2(40|41|50|51)", None),
    (r"mistral-large", Effort(_CHAT, {"minimal": "low", **_AT_MOST_HIGH})),
    ("", Effort(_CHAT, {"minimal": "none", "low": "high", "medium": "high", **_AT_MOST_HIGH})),
)

# docs.cohere.com/docs/reasoning: on or off, for its reasoning models; a number of tokens (`thinking.token_budget`) is
# the caller's to name.
COHERE: Efforts = (("reasoning", Effort("thinking.type", _switch("disabled", "enabled"))),)

# console.groq.com/docs/reasoning: GPT-OSS has three levels, Qwen 3 "none" and "default".
GROQ: Efforts = (
    ("gpt-oss", Effort(_CHAT, _LEVELS)),
    (r"qwen-?3", Effort(_CHAT, _switch("none", "default"))),
    (_PLAIN, None),
    ("", Effort(_CHAT)),
)

# docs.together.ai/docs/inference/chat/reasoning: three levels for GPT-OSS, `reasoning.enabled` for hybrid models,
# neither for those that always reason.
TOGETHER: Efforts = (
    ("gpt-oss", Effort(_CHAT, _LEVELS)),
    (
        r"deepseek-v(3\.[1-9]|[4-9])|glm-[4-9]|kimi-k2\.[5-9]|qwen-?3\.[5-9]|cogito",
        Effort("reasoning.enabled", _switch(False, True)),
    ),
)

# docs.perplexity.ai/docs/agent-api/effort: `reasoning.effort` is the chosen model's own, which may be any maker's.
# Its `effort` is a preset's name, another thing.
PERPLEXITY_AGENT: Efforts = (("", Effort("reasoning.effort")),)

# Its published description has minimal, low, medium and high.
SONAR: Efforts = (("", Effort(_CHAT, {"none": "minimal", **_AT_MOST_HIGH})),)

# docs.ollama.com/capabilities/thinking: levels for GPT-OSS, which always thinks, true and false for the others;
# server/routes.go in github.com/ollama/ollama refuses levels for these ("think value ... is not supported for this
# model"), and any for a model that cannot think.
_THINKERS = (
    r"qwen-?3(?!-?coder)|deepseek-(r1|v3\.[1-9]|v[4-9])|magistral|glm-[4-9]|kimi-k2.*think|minimax-m|think|reason"
)
OLLAMA: Efforts = (
    ("gpt-oss", Effort("think", {**_AT_LEAST_LOW, "xhigh": "high"})),
    (_THINKERS, Effort("think", _switch(False, True))),
)
# openai/openai.go there: high, medium, low and none, with what is said above of the models; those beside GPT-OSS think
# unless they are told "none".
OLLAMA_CHAT: Efforts = (
    ("gpt-oss", Effort(_CHAT, _LEVELS)),
    (_THINKERS, Effort(_CHAT, instead={word: {} for word in _THINKING})),
)

# none, minimal, low, medium, high and xhigh (docs/providers/lmstudio.md in github.com/openclaw/openclaw).
LMSTUDIO: Efforts = (("", Effort(_CHAT, {"max": "xhigh"})),)
