"""Requests on Google's generateContent wire, made from the chat-completions shape."""

import json
import mimetypes
import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

from flyllm.errors import InvalidRequestError
from flyllm.providers.base import ApiSpec, ProviderRequest
from flyllm.providers.body_params import body_params
from flyllm.providers.chat_turns import BETWEEN
from flyllm.providers.messages import (
    Part,
    call_arguments,
    calls,
    data_url,
    function_name,
    image_url,
    parts,
    response_schema,
    spoken,
)
from flyllm.providers.params import as_list
from flyllm.providers.payload import mapping, text_of

TOP_LEVEL = frozenset(
    [
        "cachedContent",
        "continuationToken",
        "generationConfig",
        "labels",
        "safetySettings",
        "serviceTier",
        "store",
        "systemInstruction",
        "toolConfig",
        "tools",
    ]
)
"""Parameters that stand beside `contents`; all others belong into `generationConfig` (google-genai 3.4)."""
GENERATION = frozenset(
    [
        "audioTranscriptionConfig",
        "candidateCount",
        "enableAffectiveDialog",
        "enableEnhancedCivicAnswers",
        "frequencyPenalty",
        "imageConfig",
        "logprobs",
        "maxOutputTokens",
        "mediaResolution",
        "presencePenalty",
        "responseFormat",
        "responseJsonSchema",
        "responseLogprobs",
        "responseMimeType",
        "responseModalities",
        "responseSchema",
        "seed",
        "speechConfig",
        "stopSequences",
        "temperature",
        "thinkingConfig",
        "topK",
        "topP",
        "translationConfig",
    ]
)

NO_SIGNATURE = "c2tpcF90aG91Z2h0X3NpZ25hdHVyZV92YWxpZGF0b3I="
"""base64 of "skip_thought_signature_validator". Gemini 3 answers 400 to a conversation with a function call that lacks
the signature it was made with; this stands for one that is lost (ai.google.dev/gemini-api/docs/thought-signatures)."""

_MODES = {"auto": "AUTO", "required": "ANY", "none": "NONE"}


def body(request: ProviderRequest, api: ApiSpec) -> dict[str, Any]:
    """Return the body of a call.

    A parameter named in `TOP_LEVEL` goes beside `contents`, any other into `generationConfig`; `snake_case` is taken
    for the documented names, all else keeps its spelling. What the request's own fields say is merged with parameters
    of the same place; the parameters win. `reasoning_effort` becomes `thinkingLevel` or `thinkingBudget`.
    """
    top, config = _sorted(body_params(request, api))
    system, others = spoken(request.messages)
    built: dict[str, Any] = {"contents": _contents(others)}
    if system:
        built["systemInstruction"] = {"parts": [_part(part) for part in system]}
    if request.tools:
        built["tools"] = _tools(request.tools)
    if request.tool_choice is not None:
        built["toolConfig"] = _tool_config(request.tool_choice)
    if config := _merged(_response_config(request.response_format), config):
        built["generationConfig"] = config
    return _merged(built, top)


def _sorted(params: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    top: dict[str, Any] = {}
    config: dict[str, Any] = {}
    for name, value in params.items():
        camel = re.sub(r"_([a-z])", lambda match: match[1].upper(), name)
        if camel in TOP_LEVEL:
            top[camel] = value
        elif camel in GENERATION:
            config = _merged(config, {camel: as_list(value) if camel == "stopSequences" else value})
        else:
            config[name] = value
    return top, config


def _merged(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> dict[str, Any]:
    """Return both: objects merged, lists joined, else theirs."""
    both = dict(ours)
    for name, value in theirs.items():
        known = both.get(name)
        if isinstance(known, dict) and isinstance(value, Mapping):
            both[name] = _merged(known, value)
        elif isinstance(known, list) and isinstance(value, list):
            both[name] = known + value
        else:
            both[name] = value
    return both


def _contents(messages: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    contents: list[dict[str, Any]] = []
    names: dict[Any, str] = {}
    before = ""
    for message in messages:
        names.update({call.get("id"): function_name(call) for call in calls(message)})
        made = _parts(message, names)
        if not made:  # "it must include at least one parts field" (langgenius/dify issue 30566)
            continue
        # Results of parallel calls must stand in one turn, and nothing but results (anomalyco/opencode pull request
        # 43479, decolua/9router 3055).
        if before == message["role"]:
            contents[-1]["parts"] += made
        else:
            contents.append({"role": "model" if message["role"] == "assistant" else "user", "parts": made})
        before = message["role"]
    return contents


def _parts(message: Mapping[str, Any], names: Mapping[Any, str]) -> list[Part]:
    if message["role"] == "tool":
        return [_function_response(message, names)]
    made = [_part(part) for part in parts(message.get("content"))]
    if message["role"] == "assistant":
        made += [_function_call(call, first=number == 0) for number, call in enumerate(calls(message))]
    return made


def _part(part: Part) -> Part:
    kind = part.get("type")
    if kind == "text":
        return {"text": part["text"]}
    return _image(image_url(part)) if kind == "image_url" else part


def _image(url: str) -> Part:
    inline = data_url(url)
    if inline is not None:
        return {"inlineData": {"mimeType": inline[0], "data": inline[1]}}
    guessed = mimetypes.guess_type(urlsplit(url).path)[0]
    return {"fileData": {**({"mimeType": guessed} if guessed else {}), "fileUri": url}}


def _function_call(call: Mapping[str, Any], *, first: bool) -> Part:
    made: dict[str, Any] = {
        "functionCall": {**_id(call.get("id")), "name": function_name(call), "args": call_arguments(call)}
    }
    # Where Google's own chat-completions API puts it. Of parallel calls only the first has one.
    signature = mapping(mapping(call.get("extra_content")).get("google")).get("thought_signature")
    if signature or first:
        made["thoughtSignature"] = signature or NO_SIGNATURE
    return made


def _function_response(message: Mapping[str, Any], names: Mapping[Any, str]) -> Part:
    call_id = message.get("tool_call_id")
    name = names.get(call_id) or text_of(message.get("name"))
    if not name:
        raise InvalidRequestError(f"the tool message for call {call_id!r} follows no call of that id")
    found = [_part(part) for part in parts(message.get("content"))]
    text = BETWEEN.join(part["text"] for part in found if "text" in part)
    media = [part for part in found if "text" not in part]
    response = {**_id(call_id), "name": name, "response": _result(text)}
    return {"functionResponse": {**response, "parts": media} if media else response}


def _result(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    return found if isinstance(found, dict) else {"result": text}


def _id(given: Any) -> dict[str, Any]:
    return {"id": given} if given else {}


def _tools(tools: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    functions = [tool["function"] for tool in tools if isinstance(tool.get("function"), Mapping)]
    others = [tool for tool in tools if not isinstance(tool.get("function"), Mapping)]
    return (
        [{"functionDeclarations": [_declaration(function) for function in functions]}, *others] if functions else others
    )


def _declaration(function: Mapping[str, Any]) -> dict[str, Any]:
    # The description is required; the name describes a function that has none.
    made = {"name": function["name"], "description": function.get("description") or function["name"]}
    if function.get("parameters") is not None:
        made["parametersJsonSchema"] = function["parameters"]
    return made


def _tool_config(choice: str | Mapping[str, Any]) -> Mapping[str, Any]:
    if isinstance(choice, str):
        if choice not in _MODES:
            raise InvalidRequestError(f"tool_choice {choice!r} is none of {', '.join(_MODES)}")
        return {"functionCallingConfig": {"mode": _MODES[choice]}}
    function = choice.get("function")
    if not isinstance(function, Mapping):
        return choice
    return {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": [function["name"]]}}


def _response_config(response_format: Mapping[str, Any] | None) -> dict[str, Any]:
    schema = response_schema(response_format)
    if schema is not None:
        return {"responseMimeType": "application/json", "responseJsonSchema": schema}
    return {"responseMimeType": "application/json"} if (response_format or {}).get("type") == "json_object" else {}
