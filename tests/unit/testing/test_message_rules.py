"""What the simulated providers refuse in messages: each in its own words, whoever sends them."""

from random import Random
from typing import Any

import pytest

from flyllm.testing import Operation
from flyllm.testing.wires.base import BadRequest, Json
from flyllm.testing.wires.registry import wires

USER = {"role": "user", "content": "Hi"}
ANSWER = {"role": "assistant", "content": "Yes?"}
CALL = {
    "role": "assistant",
    "content": None,
    "tool_calls": [{"id": "abcdefgh1", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
}
RESULT = {"role": "tool", "tool_call_id": "abcdefgh1", "content": "1"}
PNG, JPEG = "data:image/png;base64,iVBORw0KGgo=", "data:image/jpeg;base64,/9j/AAAA"
WEB = "https://example.com/a.png"


def said(role: str, content: Any, **more: Any) -> Json:
    return {"role": role, "content": content, **more}


def shown(role: str, image: Any) -> Json:
    return said(role, [{"type": "image_url", "image_url": image}])


def read(provider: str, path: str, **body: Any) -> None:
    """Have the wire that serves `path` read a request; it raises where the provider answers 400."""
    for wire in wires(provider):
        operation = wire.operation("POST", path, body)
        if operation is not None:
            wire.read(operation, path, {"model": "m", **body})
            return
    raise AssertionError(path)


CHAT = {
    "openai": "/v1/chat/completions",
    "groq": "/openai/v1/chat/completions",
    "togetherai": "/v1/chat/completions",
    "perplexity": "/chat/completions",
    "google": "/v1beta/openai/chat/completions",
    "ollama": "/v1/chat/completions",
    "lmstudio": "/v1/chat/completions",
    "mistral": "/v1/chat/completions",
    "cohere": "/v2/chat",
}


@pytest.mark.parametrize("provider", CHAT)
@pytest.mark.parametrize(
    "messages", [[USER], [said("system", "x"), USER, ANSWER, USER], [USER, CALL, RESULT, ANSWER, USER]]
)
def test_plain_conversations_pass(provider: str, messages: list[Json]) -> None:
    """Everywhere."""
    read(provider, CHAT[provider], messages=messages)


@pytest.mark.parametrize(
    ("provider", "messages", "why"),
    [
        ("openai", [USER, said("assistant", None)], "Invalid value for 'content': expected a string, got null"),
        ("openai", [said("user", [])], r"Invalid 'messages\[0\].content': empty array"),
        ("openai", [said("user", [{"type": "image"}])], "Invalid value: 'image'. Supported values are: 'text', "),
        ("openai", [shown("user", PNG)], "expected an object, but got a string instead"),
        ("openai", [shown("user", {"url": "data:image/png;base64,AAAA"})], "You uploaded an unsupported image"),
        ("openai", [shown("user", {"url": "data:image/png,x"})], "You uploaded an unsupported image"),
        (
            "openai",
            [USER, CALL, {**RESULT, **shown("tool", {"url": PNG})}],
            "Image URLs are only allowed for messages with role 'user', but this message with role 'tool'",
        ),
        (
            "groq",
            [said("system", [{"type": "text", "text": "x"}]), USER],
            "'messages.0.content' : value must be a string",
        ),
        ("togetherai", [said("system", [{"type": "text", "text": "x"}]), USER], "expected a string"),
        ("perplexity", [USER, USER], "user and assistant roles should be alternating"),
        ("perplexity", [USER, said("system", "x"), USER], "user and assistant roles should be alternating"),
        ("perplexity", [USER, ANSWER], "Last message must have role `user`."),
        ("perplexity", [USER, said("assistant", ""), USER], "must not be empty"),
        ("google", [USER, said("assistant", ""), USER], "it has an empty text parameter"),
        ("google", [said("user", [{"type": "text", "text": ""}])], "it has an empty text parameter"),
        ("google", [shown("user", {"url": WEB})], f"Invalid or unsupported file uri: {WEB}"),
        ("ollama", [USER, said("assistant", None), USER], "invalid message content type: <nil>"),
        ("ollama", [shown("user", {"url": WEB})], "image URLs are not currently supported"),
        ("ollama", [shown("user", "data:image/png;base64,?")], "invalid image input"),
        ("lmstudio", [said("developer", "x"), USER], r"in \[user, assistant, system, tool\]. Got 'developer'"),
        ("lmstudio", [said("user", "")], "a 'content' field that is not empty"),
        ("lmstudio", [USER, USER], "Conversation roles must alternate user/assistant"),
        ("lmstudio", [USER, ANSWER, said("system", "x"), USER], "System message must be at the beginning"),
        ("lmstudio", [said("system", "x"), said("system", "x"), USER], "System message must be at the beginning"),
        ("lmstudio", [shown("user", {"url": WEB})], "'url' field must be a base64 encoded image"),
        ("lmstudio", [USER, CALL, shown("tool", {"url": PNG})], "Invalid 'messages' in payload"),
        ("mistral", [USER, CALL, RESULT, USER], "Unexpected role 'user' after role 'tool'"),
        ("mistral", [USER, ANSWER, said("system", "x"), USER], "Unexpected role 'system' after role 'assistant'"),
        ("mistral", [USER, said("assistant", ""), USER], "must have either content or tool_calls, but not none"),
        ("mistral", [USER, said("assistant", [{"type": "text", "text": ""}]), USER], "but not none"),
        ("mistral", [USER, {**ANSWER, "prefix": True}, USER], "prefix True must be last message"),
        ("mistral", [USER, CALL, ANSWER, USER], "Not the same number of function calls and responses"),
        ("mistral", [USER, CALL], "Not the same number of function calls and responses"),
        ("mistral", [USER, said("system", "x")], "Expected last role User or Tool"),
        ("mistral", [{**ANSWER, "prefix": True}], "must start with a user message or system message"),
        ("cohere", [USER, said("assistant", ""), USER], "message must not be empty in a turn"),
        ("cohere", [said("user", [{"type": "text", "text": ""}])], "message must not be empty in a turn"),
        (
            "cohere",
            [USER, CALL, {**RESULT, **shown("tool", {"url": PNG})}],
            "must be text or document, got 'image_url'",
        ),
        ("cohere", [USER, CALL, USER], "invalid request: An assistant message with 'tool_calls' must be followed by"),
    ],
)
def test_what_chat_servers_refuse(provider: str, messages: list[Json], why: str) -> None:
    """Content that is empty or of the wrong kind, roles in the wrong place, images that cannot be had."""
    with pytest.raises(BadRequest, match=why):
        read(provider, CHAT[provider], messages=messages)


def block(**source: Any) -> Json:
    return said("user", [{"type": "image", "source": {"type": "base64", **source}}])


@pytest.mark.parametrize(
    ("messages", "why"),
    [
        ([USER, said("assistant", ""), USER], "messages.1: all messages must have non-empty content except for the"),
        ([USER, said("assistant", []), USER], "messages.1: all messages must have non-empty content except for the"),
        ([said("user", [{"type": "text", "text": ""}])], "messages: text content blocks must be non-empty"),
        ([said("user", [{"type": "text", "text": " \n"}])], "text content blocks must contain non-whitespace text"),
        ([said("user", " ")], "text content blocks must contain non-whitespace text"),
        ([USER, said("assistant", "a ")], "final assistant content cannot end with trailing whitespace"),
        ([USER, said("assistant", [{"type": "text", "text": "a\n"}])], "cannot end with trailing whitespace"),
        ([shown("user", {"url": PNG})], "Input tag 'image_url' found using 'type' does not match any of the expected"),
        ([block(media_type="image/jpg", data="/9j/")], "media_type: Input should be 'image/jpeg', 'image/png', "),
        ([block(media_type="image/png", data="/9j/")], "using the image/png media type, but the image appears to be a"),
        ([block(media_type="image/png", data="AAAA")], "Could not process image"),
        ([block(media_type="image/png", data="?")], "invalid base64 data"),
    ],
)
def test_what_anthropic_refuses(messages: list[Json], why: str) -> None:
    """Texts that say nothing, and images of other kinds than it is told."""
    with pytest.raises(BadRequest, match=why):
        read("anthropic", "/v1/messages", messages=messages, max_tokens=9)
    system = [{"type": "text", "text": ""}]
    with pytest.raises(BadRequest, match="system: text content blocks must be non-empty"):
        read("anthropic", "/v1/messages", messages=[USER], max_tokens=9, system=system)


def turn(role: str, *parts: Json) -> Json:
    return {"role": role, "parts": list(parts)}


CALLS, ANSWERS = {"functionCall": {"name": "f"}}, {"functionResponse": {"name": "f", "response": {}}}
HI = turn("user", {"text": "Hi"})


@pytest.mark.parametrize(
    ("contents", "why"),
    [
        ([turn("user", {"text": ""})], "it has an empty text parameter"),
        ([turn("user", {"type": "text", "text": "x"})], r'Unknown name "type" at \'contents\[0\].parts\[0\]\''),
        ([turn("model", CALLS)], "function call turn comes immediately after a user turn or after a function response"),
        ([HI, turn("model", {"text": "x"}), turn("model", CALLS)], "function call turn comes immediately after a user"),
        ([HI, turn("user", ANSWERS)], "function response turn comes immediately after a function call turn"),
        ([HI, turn("model", CALLS, CALLS), turn("user", ANSWERS)], "number of function response parts is equal to the"),
        ([HI, turn("model", CALLS), HI], "number of function response parts is equal to the number of function call"),
        ([turn("user", {"inlineData": {"mimeType": "image/png", "data": "?"}})], 'Base64 decoding failed for "\\?"'),
        ([turn("user", {"fileData": {"fileUri": "http://x/y"}})], "Unsupported file URI type: http://x/y"),
    ],
)
def test_what_google_refuses(contents: list[Json], why: str) -> None:
    """Turns need not alternate, but calls and responses have their places."""
    with pytest.raises(BadRequest, match=why):
        read("google", "/v1beta/models/m:generateContent", contents=contents)


def test_newer_models_of_google_want_the_user_to_be_last() -> None:
    """Older ones go on from what the model began to say."""
    contents = [HI, HI, turn("model", {"text": "It is"})]
    for model in ("gemini-2.5-flash", "gemini-3-flash", "gemini-3.5-flash"):
        read("google", f"/v1beta/models/{model}:generateContent", contents=contents)
    for model in ("gemini-3.5-flash-lite", "gemini-3.6-flash", "gemini-3.10-pro", "gemini-4-flash"):
        with pytest.raises(BadRequest, match="Requests ending with a model turn are not supported"):
            read("google", f"/v1beta/models/{model}:generateContent", contents=contents)


@pytest.mark.parametrize(
    ("item", "why"),
    [
        (said("tool", "x"), "Invalid value: 'tool'. Supported values are: 'assistant', "),
        (said("user", [{"type": "text", "text": "x"}]), "Invalid value: 'text'. Supported values are: 'input_text', "),
        (
            said("assistant", [{"type": "input_text", "text": "x"}]),
            "Supported values are: 'output_text', and 'refusal'",
        ),
        (
            said("user", [{"type": "input_image", "image_url": {"url": PNG}}]),
            "expected an image URL, but got an object",
        ),
        (said("user", [{"type": "input_image", "image_url": "data:image/png;base64,AAAA"}]), "unsupported image"),
    ],
)
def test_what_openai_s_responses_refuse(item: Json, why: str) -> None:
    """Parts of chat completions, and images in an object."""
    with pytest.raises(BadRequest, match=why):
        read("openai", "/v1/responses", input=[item])


def test_images_pass_in_each_provider_s_own_shape() -> None:
    """As documented."""
    for provider in ("openai", "groq", "togetherai", "perplexity", "google", "ollama", "lmstudio", "mistral", "cohere"):
        read(provider, CHAT[provider], messages=[shown("user", {"url": PNG}), ANSWER, shown("user", {"url": JPEG})])
    read("mistral", CHAT["mistral"], messages=[shown("user", WEB)])
    read("anthropic", "/v1/messages", messages=[block(media_type="image/jpeg", data="/9j/AAAA")], max_tokens=9)
    parts = [{"inlineData": {"mimeType": "image/png", "data": "iVBO"}}, {"fileData": {"fileUri": WEB}}]
    read("google", "/v1beta/models/m:generateContent", contents=[turn("user", *parts)])
    read("openai", "/v1/responses", input=[said("user", [{"type": "input_image", "image_url": PNG, "detail": "low"}])])
    read("ollama", "/api/chat", messages=[{**USER, "images": ["iVBO"]}])
    with pytest.raises(BadRequest, match="illegal base64 data"):
        read("ollama", "/api/chat", messages=[{**USER, "images": [PNG]}])


def test_perplexity_names_the_kind_of_its_refusal() -> None:
    """As reported with the messages (perplexityai/api-discussion issue 265)."""
    wire = wires("perplexity")[1]
    assert wire.operation("POST", "/chat/completions", {}) is Operation.CHAT
    with pytest.raises(BadRequest) as refused:
        read("perplexity", "/chat/completions", messages=[USER, USER])
    body = wire.error(refused.value.kind, refused.value.message, Random(1), refused.value.param).body
    assert b'"type":"invalid_message","code":400' in body
