"""What each provider checks of how much its model is to think, in its own words.

Sources: the published API descriptions; console.groq.com/docs/reasoning, docs.cohere.com/docs/reasoning,
docs.mistral.ai/inference/conversations/reasoning, ai.google.dev/gemini-api/docs/thinking, server/routes.go of
github.com/ollama/ollama and platform.claude.com/docs/en/build-with-claude/effort (2026-11).
"""

import re
from collections.abc import Sequence
from typing import Any

from flyllm.testing.wires.base import BadRequest, Json

_SEVEN = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
_THREE = ("low", "medium", "high")
_NAME = "reasoning_effort"


def check_openai(body: Json) -> None:
    """Raise `BadRequest` for a word that OpenAI has not, and for a model that does not reason."""
    word = body.get(_NAME)
    if word is not None and re.match(r"gpt-[34]|chatgpt-4|gpt-5-chat", body["model"]):
        raise BadRequest(f"Unrecognized request argument supplied: {_NAME}", _NAME)
    _openai_word(word, _NAME)


def check_responses(body: Json) -> None:
    """The same for the Responses API."""
    word = (body.get("reasoning") or {}).get("effort")
    if word is not None and re.match(r"gpt-[34]|chatgpt-4|gpt-5-chat", body["model"]):
        message = "Unsupported parameter: 'reasoning.effort' is not supported with this model."
        raise BadRequest(message, "reasoning.effort")
    _openai_word(word, "reasoning.effort")


def _openai_word(word: Any, name: str) -> None:
    shown = ", ".join(f"'{each}'" for each in _SEVEN)
    _among(word, _SEVEN, f"Invalid value: '{word}'. Supported values are: {shown}.", name)


def check_groq(body: Json) -> None:
    """Raise `BadRequest` for a word that the model has not."""
    word, model = body.get(_NAME), body["model"]
    if word is None:
        return
    words = _THREE if "gpt-oss" in model else ("none", "default") if "qwen3" in model else ()
    if not words:
        raise BadRequest(f"`{_NAME}` is not supported with this model", _NAME)
    _among(word, words, f"`{_NAME}` must be one of {', '.join(f'`{each}`' for each in words)}", _NAME)


def check_together(body: Json) -> None:
    """Raise `BadRequest` for anything but three levels, and a switch that is no switch."""
    _among(body.get(_NAME), _THREE, f"Invalid value for {_NAME}: expected one of {', '.join(_THREE)}", _NAME)
    if not isinstance((body.get("reasoning") or {}).get("enabled", True), bool):
        raise BadRequest("Invalid type for reasoning.enabled: expected a boolean", "reasoning")


def check_sonar(body: Json) -> None:
    """Raise `BadRequest` for anything but four levels."""
    words = ("minimal", *_THREE)
    _among(body.get(_NAME), words, f"Input should be {_or(words)}", _NAME)


def check_lmstudio(body: Json) -> None:
    """Raise `BadRequest` for a word that LM Studio has not."""
    words = _SEVEN[:-1]
    _among(body.get(_NAME), words, f"Invalid '{_NAME}'. Supported values: {', '.join(words)}", _NAME)


def check_google_chat(body: Json) -> None:
    """Raise `BadRequest` for a word that is none of Google's."""
    words = ("high", "low", "medium", "minimal", "none")
    word = body.get(_NAME)
    _among(word, words, f"Invalid {_NAME}: {word}. Valid values are: {', '.join(words)}", _NAME)


def check_ollama_chat(body: Json) -> None:
    """Raise `BadRequest` for a word that Ollama's chat completions have not, and for one that the model has not."""
    word, words = body.get(_NAME), ("high", "medium", "low", "none")
    _among(word, words, f"invalid reasoning value: '{word}' (must be {_or(words)})", _NAME)
    check_think(body["model"], False if word == "none" else word)


def check_think(model: str, think: Any) -> None:
    """Raise `BadRequest` for what the model of Ollama's cannot: think at all, or to one of several degrees."""
    if think is None or think is False:
        return
    if isinstance(think, str) and think not in ("high", "medium", "low", "max"):
        raise BadRequest(f'invalid think value: "{think}" (must be "high", "medium", "low", "max", true, or false)')
    if not re.search(r"gpt-oss|qwen3|deepseek-r1|magistral", model):
        raise BadRequest(f'"{model}" does not support thinking', "think")
    if isinstance(think, str) and "gpt-oss" not in model:
        raise BadRequest(f'think value "{think}" is not supported for this model', "think")


def check_mistral(body: Json) -> None:
    """Raise `BadRequest` for a word that the model has not."""
    word, model = body.get(_NAME), body["model"]
    if word is None:
        return
    if not re.match(r"mistral-(small|medium|large)-(latest|26|[34])", model):
        raise BadRequest(f"{_NAME} is not enabled for this model", _NAME)
    words = ("none", *_THREE) if "large" in model else ("none", "high")
    _among(word, words, f"Input should be {_or(words)}", _NAME)


def check_cohere(body: Json) -> None:
    """Raise `BadRequest` for anything but on and off, and for a model that does not reason."""
    thinking = body.get("thinking")
    if thinking is None:
        return
    if "reasoning" not in body["model"]:
        raise BadRequest(f"invalid request: thinking is not supported by the model {body['model']}", "thinking")
    message = "invalid request: thinking.type must be one of 'enabled' or 'disabled'."
    _among(thinking.get("type", ""), ("enabled", "disabled"), message, "thinking")


def check_google(model: str, thinking: Json) -> None:
    """Raise `BadRequest` for a level or budget that the model has not; `thinking` is the request's `thinkingConfig`."""
    level, budget = thinking.get("thinkingLevel"), thinking.get("thinkingBudget")
    if thinking and re.match(r"gemini-(1|2\.0)", model):
        raise BadRequest("Thinking is not enabled for this model.")
    if level is not None and budget is not None:
        raise BadRequest("You can only set only one of thinking budget and thinking level.")
    if level is not None and "2.5" in model:
        raise BadRequest("Thinking level is not supported for this model.")
    place = "'generation_config.thinking_config"
    message = f'Invalid value at {place}.thinking_level\' (Enum), "{level}"'
    _among(level, ("MINIMAL", "LOW", "MEDIUM", "HIGH"), message, "generation_config.thinking_config.thinking_level")
    if level == "MINIMAL" and "pro" in model:
        raise BadRequest("Thinking level MINIMAL is not supported for this model.")
    if budget is not None and (not isinstance(budget, int) or isinstance(budget, bool)):
        raise BadRequest(f'Invalid value at {place}.thinking_budget\' (TYPE_INT32), "{budget}"')
    if budget == 0 and ("pro" in model or thinking.get("includeThoughts")):
        raise BadRequest("Budget 0 is invalid. This model only works in thinking mode.")


def check_anthropic(body: Json) -> None:
    """Raise `BadRequest` for an effort that the model has not, and for what cannot be beside thinking."""
    effort, model = (body.get("output_config") or {}).get("effort"), body["model"]
    _among(effort, _SEVEN[2:], f"output_config.effort: Input should be {_or(_SEVEN[2:])}", "output_config.effort")
    if effort is not None and re.search(r"claude-3|(sonnet|haiku)-4-5|(opus|sonnet)-4(-[01])?(-20|$)", model):
        raise BadRequest("This model does not support the effort parameter.", "output_config.effort")
    limited = {"xhigh", "max"} if "opus-4-5" in model else {"xhigh"} if "-4-6" in model else set()
    if effort in limited:
        raise BadRequest(f"output_config.effort: '{effort}' is not supported by this model.", "output_config.effort")
    kind = (body.get("thinking") or {}).get("type")
    _among(kind, ("adaptive", "enabled", "disabled"), f"thinking: Input tag '{kind}' is not expected", "thinking")
    if kind in ("adaptive", "enabled"):
        _check_beside_thinking(body)


def _check_beside_thinking(body: Json) -> None:
    if (body.get("tool_choice") or {}).get("type") in ("any", "tool"):
        raise BadRequest("Thinking may not be enabled when tool_choice forces tool use.", "thinking")
    if body.get("temperature", 1) != 1:
        raise BadRequest("`temperature` may only be set to 1 when thinking is enabled.", "temperature")
    if "top_k" in body:
        raise BadRequest("`top_k` must be unset when thinking is enabled.", "top_k")
    if body.get("top_p", 1) < 0.95:
        raise BadRequest("`top_p` must be greater than or equal to 0.95 or unset when thinking is enabled.", "top_p")


def _among(word: Any, words: Sequence[str], message: str, param: str) -> None:
    if word is not None and word not in words:
        raise BadRequest(message, param)


def _or(words: Sequence[str]) -> str:
    *most, last = (f"'{word}'" for word in words)
    return f"{', '.join(most)} or {last}"
