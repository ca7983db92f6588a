"""Google's wire: what becomes of messages on the way out, of responses on the way in."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from flyllm.errors import InvalidRequestError, OverloadedError, ParseError, RequestError
from flyllm.providers import google_wire
from flyllm.providers.base import Delta, ProviderRequest, ToolCallDelta
from flyllm.providers.google_body import NO_SIGNATURE, body
from flyllm.providers.registry import provider_spec
from flyllm.providers.sse import ServerEvent
from flyllm.types import TokenUsage, ToolCall

API = provider_spec("google").api("generate_content")
USER = {"role": "user", "content": "Hi"}
HI = {"role": "user", "parts": [{"text": "Hi"}]}


def built(*messages: Mapping[str, Any], **fields: Any) -> dict[str, Any]:
    return body(ProviderRequest("m", list(messages) or [USER], **fields), API)


def config(**params: Any) -> Any:
    return built(params=params)["generationConfig"]


def call(call_id: str, name: str = "f", arguments: Any = "{}", **more: Any) -> dict[str, Any]:
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}, **more}


def candidate(*parts: dict[str, Any], reason: str | None = "STOP") -> dict[str, Any]:
    found: dict[str, Any] = {"content": {"role": "model", "parts": list(parts)}, "index": 0}
    return {"candidates": [{**found, "finishReason": reason} if reason else found], "modelVersion": "m"}


def read_stream(*responses: Mapping[str, Any]) -> list[Delta]:
    return list(google_wire.read_events(iter([ServerEvent("", json.dumps(data)) for data in responses])))


def test_a_plain_request_is_the_smallest_body() -> None:
    """Nothing is added to the conversation."""
    assert built() == {"contents": [HI]}


def test_system_messages_become_the_instruction_wherever_they_stand() -> None:
    """Roles system and developer, a part each."""
    made = built({"role": "system", "content": "A"}, USER, {"role": "developer", "content": "B"})
    assert made == {"contents": [HI], "systemInstruction": {"parts": [{"text": "A"}, {"text": "B"}]}}


def test_calls_and_results_name_their_function() -> None:
    """A result says only its call's id; Google wants the name. Results make one turn, with nothing else in it."""
    made = built(
        USER,
        {"role": "assistant", "content": "", "tool_calls": [call("a", "f", '{"x": 1}'), call("b", "g", "")]},
        {"role": "tool", "tool_call_id": "b", "content": "noon"},
        {"role": "tool", "tool_call_id": "a", "content": '{"sky": "blue"}'},
        {"role": "user", "content": "So?"},
        {"role": "assistant", "content": ""},
        {"role": "user", "content": "Well?"},
    )["contents"]
    assert [content["role"] for content in made] == ["user", "model", "user", "user"]
    assert made[1]["parts"] == [
        {"functionCall": {"id": "a", "name": "f", "args": {"x": 1}}, "thoughtSignature": NO_SIGNATURE},
        {"functionCall": {"id": "b", "name": "g", "args": {}}},
    ]
    assert made[2]["parts"] == [
        {"functionResponse": {"id": "b", "name": "g", "response": {"result": "noon"}}},
        {"functionResponse": {"id": "a", "name": "f", "response": {"sky": "blue"}}},
    ]
    assert made[3]["parts"] == [{"text": "So?"}, {"text": "Well?"}]


def test_a_signature_that_the_caller_kept_is_sent() -> None:
    """At the place where Google's own chat completions put it."""
    kept = call("a", extra_content={"google": {"thought_signature": "sig"}})
    made = built({"role": "assistant", "tool_calls": [kept]})
    assert made["contents"][0]["parts"][0]["thoughtSignature"] == "sig"


def test_a_result_with_an_image_keeps_it() -> None:
    """Media of a function response stand beside its JSON."""
    content = [
        {"type": "text", "text": "Look"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBO"}},
    ]
    made = built(
        {"role": "assistant", "tool_calls": [call("a")]}, {"role": "tool", "tool_call_id": "a", "content": content}
    )
    assert made["contents"][1]["parts"][0]["functionResponse"] == {
        "id": "a",
        "name": "f",
        "response": {"result": "Look"},
        "parts": [{"inlineData": {"mimeType": "image/png", "data": "iVBO"}}],
    }


@pytest.mark.parametrize(
    ("url", "part"),
    [
        ("data:image/png;base64,iVBO", {"inlineData": {"mimeType": "image/png", "data": "iVBO"}}),
        ("https://h/a.jpg?x=1", {"fileData": {"mimeType": "image/jpeg", "fileUri": "https://h/a.jpg?x=1"}}),
        ("https://h/files/1", {"fileData": {"fileUri": "https://h/files/1"}}),
    ],
)
def test_images_become_data(url: str, part: dict[str, Any]) -> None:
    """Inline or by address, whose ending tells the type."""
    assert built({"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]})["contents"][0][
        "parts"
    ] == [part]


def test_parts_in_googles_shape_stay() -> None:
    """What chat completions have no word for."""
    part = {"fileData": {"fileUri": "https://youtu.be/x"}, "videoMetadata": {"fps": 1}}
    assert built({"role": "user", "content": [part]})["contents"][0]["parts"] == [part]


def test_parameters_go_where_google_has_them() -> None:
    """Top-level names beside the contents, all others into generationConfig; both spellings of known names."""
    made = built(
        params={
            "safety_settings": [1],
            "cachedContent": "c",
            "service_tier": "flex",
            "max_tokens": 5,
            "stop": "END",
            "thinking_config": {"thinking_budget": 0},
            "responseModalities": ["TEXT"],
            "brand_new": {"a_b": 1},
            "absent": None,
        }
    )
    assert made == {
        "contents": [HI],
        "safetySettings": [1],
        "cachedContent": "c",
        "serviceTier": "flex",
        "generationConfig": {
            "maxOutputTokens": 5,
            "stopSequences": ["END"],
            "thinkingConfig": {"thinking_budget": 0},
            "responseModalities": ["TEXT"],
            "brand_new": {"a_b": 1},
        },
    }


def test_parameters_join_what_the_request_says() -> None:
    """Objects are merged and lists joined, so that neither is lost; the parameter wins where both say something."""
    function = {"name": "f", "description": "d", "parameters": {"type": "object"}}
    made = built(
        tools=[{"type": "function", "function": function}, {"codeExecution": {}}],
        tool_choice="auto",
        response_format={"type": "json_object"},
        params={
            "tools": [{"googleSearch": {}}],
            "tool_config": {"includeServerSideToolInvocations": True},
            "generation_config": {"topK": 3, "responseMimeType": "text/x.enum"},
            "top_k": 2,
        },
    )
    declared = {"name": "f", "description": "d", "parametersJsonSchema": {"type": "object"}}
    assert made["tools"] == [{"functionDeclarations": [declared]}, {"codeExecution": {}}, {"googleSearch": {}}]
    assert made["toolConfig"] == {"functionCallingConfig": {"mode": "AUTO"}, "includeServerSideToolInvocations": True}
    assert made["generationConfig"] == {"topK": 3, "responseMimeType": "text/x.enum"}


@pytest.mark.parametrize(
    ("choice", "wire"),
    [
        ("auto", {"mode": "AUTO"}),
        ("none", {"mode": "NONE"}),
        ("required", {"mode": "ANY"}),
        ({"type": "function", "function": {"name": "f"}}, {"mode": "ANY", "allowedFunctionNames": ["f"]}),
    ],
)
def test_tool_choice_in_googles_words(choice: Any, wire: dict[str, Any]) -> None:
    """One function is a list of one that may be called."""
    assert built(tool_choice=choice)["toolConfig"] == {"functionCallingConfig": wire}


def test_answers_in_json() -> None:
    """With a schema, or with none."""
    schema = {"type": "object"}
    asked = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    mime = {"responseMimeType": "application/json"}
    assert built(response_format=asked)["generationConfig"] == {**mime, "responseJsonSchema": schema}
    assert built(response_format={"type": "json_object"})["generationConfig"] == mime
    assert "generationConfig" not in built(response_format={"type": "text"})


def test_reasoning_effort_is_a_thinking_level() -> None:
    """It joins a thinkingConfig given besides, which wins, in either order."""
    assert config(reasoning_effort="low") == {"thinkingConfig": {"thinkingLevel": "LOW", "includeThoughts": True}}
    both = {"thinkingLevel": "HIGH", "includeThoughts": True}
    assert config(reasoning_effort="low", thinkingConfig=both) == {"thinkingConfig": both}
    assert config(thinkingConfig=both, reasoning_effort="low") == {"thinkingConfig": both}


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"tool_choice": "sometimes"}, "auto, required, none"),
        ({"messages": [{"role": "tool", "tool_call_id": "a", "content": "1"}]}, "'a' follows no call"),
        ({"messages": [{"role": "assistant", "tool_calls": [call("a", arguments="7")]}]}, "not a JSON object"),
        ({"messages": [{"role": "function", "content": "Hi"}]}, "role 'function'"),
    ],
)
def test_what_google_cannot_take_is_refused_before_it_is_sent(fields: dict[str, Any], says: str) -> None:
    """As an error about the request that says what is wrong."""
    with pytest.raises(InvalidRequestError, match=says):
        body(ProviderRequest("m", **{"messages": [USER], **fields}), API)


@pytest.mark.parametrize(
    ("word", "ours"),
    [
        ("STOP", "stop"),
        ("MAX_TOKENS", "length"),
        *((word, "content_filter") for word in ("SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII")),
        ("IMAGE_SAFETY", "content_filter"),
        ("MALFORMED_FUNCTION_CALL", "error"),
        ("UNEXPECTED_TOOL_CALL", "error"),
        ("OTHER", "other"),
        ("SOMETHING_NEW", "other"),
        (None, None),
    ],
)
def test_finish_reasons(word: str | None, ours: str | None) -> None:
    """In our vocabulary, in an answer and in a stream."""
    assert google_wire.read(candidate({"text": "A"}, reason=word), {}).finish_reason == ours
    if word:
        assert read_stream(candidate({"text": "A"}, reason=word))[-1].finish_reason == ours


def test_a_call_that_stops_is_a_tool_call() -> None:
    """Google says STOP; ids that it leaves out are invented."""
    parts = [{"functionCall": {"name": "f", "args": {"ä": 1}}}, {"functionCall": {"name": "f", "id": "x"}}]
    read = google_wire.read(candidate(*parts), {})
    assert read.finish_reason == "tool_calls"
    invented = read.tool_calls[0].id
    assert read.tool_calls == (ToolCall(invented, "f", '{"ä": 1}'), ToolCall("x", "f", "{}"))
    assert invented.startswith("call_")
    assert google_wire.read(candidate(*parts, reason="MAX_TOKENS"), {}).finish_reason == "length"


def test_calls_of_a_stream_are_numbered_across_its_responses() -> None:
    """A finish reason may come after the responses that had the calls."""
    one = candidate({"functionCall": {"name": "f"}}, reason=None)
    deltas = read_stream(one, one, candidate({"text": ""}))
    calls = [part for delta in deltas for part in delta.tool_calls]
    ids = [call.id for call in calls]
    assert calls == [ToolCallDelta(0, ids[0], "f", "{}"), ToolCallDelta(1, ids[1], "f", "{}")]
    assert len({*ids, ""}) == 3
    assert deltas[-1].finish_reason == "tool_calls"


def test_thoughts_are_apart_from_text_and_other_parts_are_skipped() -> None:
    """Code that Google ran and its result are no text of the answer."""
    parts = [
        {"text": "Hm.", "thought": True},
        {"executableCode": {"code": "1+1", "language": "PYTHON"}},
        {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "2"}},
        {"inlineData": {"mimeType": "image/png", "data": "iVBO"}},
        {"text": "A"},
        {"text": "B", "thoughtSignature": "s"},
    ]
    read = google_wire.read({**candidate(*parts), "responseId": "r"}, {})
    assert (read.content, read.reasoning, read.model, read.request_id) == ("AB", "Hm.", "m", "r")


def test_a_blocked_prompt_is_an_empty_answer() -> None:
    """Google answers 200 without candidates; that is a result, in a call and in a stream."""
    blocked = {
        "promptFeedback": {"blockReason": "PROHIBITED_CONTENT"},
        "usageMetadata": {"promptTokenCount": 4, "totalTokenCount": 4},
    }
    read = google_wire.read(blocked, {})
    assert (read.content, read.finish_reason, read.usage) == ("", "content_filter", TokenUsage(4, 0, 4))
    assert [delta.finish_reason for delta in read_stream(blocked)] == ["content_filter"]


@pytest.mark.parametrize(
    "data", [{}, {"candidates": []}, {"candidates": None}, {"candidates": [{}]}, {"usageMetadata": {}}]
)
def test_a_reply_without_candidates_is_no_answer(data: dict[str, Any]) -> None:
    """It raises rather than passing for an empty answer."""
    with pytest.raises(ParseError, match="no candidates"):
        google_wire.read(data, {})


def test_an_answer_without_parts_is_one() -> None:
    """All tokens went into thoughts: a recorded case."""
    data = {"candidates": [{"content": {"role": "model"}, "finishReason": "MAX_TOKENS"}]}
    assert google_wire.read(data, {}).finish_reason == "length"


@pytest.mark.parametrize(
    ("counts", "usage"),
    [
        ({"promptTokenCount": 10, "candidatesTokenCount": 5, "totalTokenCount": 15}, TokenUsage(10, 5, 15)),
        (
            {
                "promptTokenCount": 10,
                "toolUsePromptTokenCount": 7,
                "candidatesTokenCount": 5,
                "thoughtsTokenCount": 3,
                "cachedContentTokenCount": 4,
                "totalTokenCount": 25,
            },
            TokenUsage(17, 8, 25, 4, 3),
        ),
        ({"promptTokenCount": 10, "thoughtsTokenCount": 3, "totalTokenCount": 13}, TokenUsage(10, 3, 13, None, 3)),
        ({"promptTokenCount": 10, "totalTokenCount": 10}, TokenUsage(10, 0, 10)),
        ({"promptTokenCount": 10}, TokenUsage(10)),
        ({}, TokenUsage()),
    ],
)
def test_tokens_add_up(counts: dict[str, int], usage: TokenUsage) -> None:
    """Thoughts belong to the completion, what Google's tools fetched to the prompt; zeros are left out on the wire."""
    assert google_wire.read_usage(counts) == usage


def test_a_stream_without_its_end_is_an_error() -> None:
    """No finish reason was seen."""
    for responses in ([], [candidate({"text": "A"}, reason=None)]):
        with pytest.raises(RequestError, match="a finish reason"):
            read_stream(*responses)


def test_what_follows_the_finish_reason_still_counts() -> None:
    """The last report of tokens stands."""
    more = {"usageMetadata": {"promptTokenCount": 1, "candidatesTokenCount": 2, "totalTokenCount": 3}}
    assert read_stream(candidate({"text": "A"}), more)[-1].usage == TokenUsage(1, 2, 3)


def test_an_error_in_a_stream_is_raised_as_what_it_is() -> None:
    """Its code tells the class; the HTTP status was 200."""
    error = {"error": {"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}}
    with pytest.raises(OverloadedError) as caught:
        read_stream(candidate({"text": "A"}, reason=None), error)
    assert caught.value.status_code == 503
