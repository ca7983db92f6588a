"""What a request's body says of tools, read on each wire by its documentation: calls made, and their results."""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple


class Told(NamedTuple):
    """A call in a conversation, and the text that came back; ids as they stand there, "" where the wire has none."""

    call_id: str
    result_id: str
    name: str
    arguments: Any
    result: str


def told(api: str, body: Mapping[str, Any]) -> list[Told]:
    """Return the calls in `body` with their results; every call must have its own, in the place the API wants it."""
    return _READERS[api](body)


def declared(api: str, body: Mapping[str, Any]) -> list[str]:
    """Return the names of the functions the model is told of."""
    tools = body["tools"]
    if api == "generate_content":
        return [function["name"] for tool in tools for function in tool["functionDeclarations"]]
    return [tool["name"] if api in ("messages", "responses") else tool["function"]["name"] for tool in tools]


def _chat(body: Mapping[str, Any]) -> list[Told]:
    found: list[Told] = []
    messages = list(body["messages"])
    for at, message in enumerate(messages):
        calls = message.get("tool_calls") or []
        for call, result in zip(calls, messages[at + 1 : at + 1 + len(calls)], strict=True):
            assert result["role"] == "tool"
            arguments = call["function"]["arguments"]
            assert isinstance(arguments, str)
            told = Told(call["id"], result["tool_call_id"], call["function"]["name"], json.loads(arguments), "")
            found.append(told._replace(result=result["content"]))
    return _all(found, sum(message["role"] == "tool" for message in messages))


def _ollama(body: Mapping[str, Any]) -> list[Told]:
    found: list[Told] = []
    messages = list(body["messages"])
    for at, message in enumerate(messages):
        calls = message.get("tool_calls") or []
        for call, result in zip(calls, messages[at + 1 : at + 1 + len(calls)], strict=True):
            function = call["function"]
            assert (result["role"], result["tool_name"]) == ("tool", function["name"])
            found.append(Told("", "", function["name"], function["arguments"], result["content"]))
    return _all(found, sum(message["role"] == "tool" for message in messages))


def _anthropic(body: Mapping[str, Any]) -> list[Told]:
    found: list[Told] = []
    results = 0
    for at, message in enumerate(body["messages"]):
        blocks = message["content"] if isinstance(message["content"], list) else []
        results += sum(block["type"] == "tool_result" for block in blocks)
        if uses := [block for block in blocks if block["type"] == "tool_use"]:
            back = [block for block in body["messages"][at + 1]["content"] if block["type"] == "tool_result"]
            for use, result in zip(uses, back, strict=True):
                found.append(Told(use["id"], result["tool_use_id"], use["name"], use["input"], result["content"]))
    return _all(found, results)


def _google(body: Mapping[str, Any]) -> list[Told]:
    found: list[Told] = []
    results = 0
    for at, content in enumerate(body["contents"]):
        results += sum("functionResponse" in part for part in content["parts"])
        if calls := [part["functionCall"] for part in content["parts"] if "functionCall" in part]:
            assert content["role"] == "model"
            assert content["parts"][-len(calls)]["thoughtSignature"]
            back = [part["functionResponse"] for part in body["contents"][at + 1]["parts"]]
            for call, result in zip(calls, back, strict=True):
                assert call["name"] == result["name"]
                text = result["response"].get("result") or json.dumps(result["response"])
                found.append(Told(call["id"], result["id"], call["name"], call["args"], text))
    return _all(found, results)


def _responses(body: Mapping[str, Any]) -> list[Told]:
    results = {item["call_id"]: item for item in body["input"] if item.get("type") == "function_call_output"}
    found = [
        Told(
            item["call_id"],
            item["call_id"],
            item["name"],
            json.loads(item["arguments"]),
            results[item["call_id"]]["output"],
        )
        for item in body["input"]
        if item.get("type") == "function_call"
    ]
    return _all(found, len(results))


def _all(found: list[Told], results: int) -> list[Told]:
    assert len(found) == results
    assert all(told.call_id == told.result_id for told in found)
    ids = [told.call_id for told in found if told.call_id]
    assert len(ids) == len(set(ids))
    return found


_READERS = {
    "chat_completions": _chat,
    "messages": _anthropic,
    "generate_content": _google,
    "responses": _responses,
    "chat": _chat,
    "ollama": _ollama,
}
