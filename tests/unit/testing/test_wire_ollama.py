"""Ollama's wire: streaming by default, lines of JSON, loading without messages, Go's words for bad requests."""

import json
from random import Random
from typing import Any

import pytest

from flyllm.testing.wires.base import BadRequest, Call, ErrorKind, Json, Limits, Operation, Reply, SimulatedToolCall
from flyllm.testing.wires.ollama import OllamaWire

WIRE = OllamaWire()
USER: Json = {"role": "user", "content": "Hi"}


def read(**changes: Any) -> Call:
    body = {k: v for k, v in {"model": "llama3", "messages": [USER], **changes}.items() if v is not ...}
    return WIRE.read(Operation.CHAT, "/api/chat", body)


def lines(reply: Reply, call: Call | None = None) -> list[Json]:
    frames = list(WIRE.stream(call or read(), reply, Random(1)))
    assert all(frame.endswith(b"}\n") and frame.count(b"\n") == 1 for frame in frames)
    return [json.loads(frame) for frame in frames]


@pytest.mark.parametrize(
    ("method", "path", "body", "operation"),
    [
        ("POST", "/api/chat", {}, Operation.STREAM),
        ("POST", "/api/chat", {"stream": True}, Operation.STREAM),
        ("POST", "/api/chat", {"stream": False}, Operation.CHAT),
        ("POST", "/api/embed", {}, Operation.EMBEDDINGS),
        ("GET", "/api/tags", None, Operation.MODELS),
        ("POST", "/v1/chat/completions", {}, None),
    ],
)
def test_an_answer_streams_unless_that_is_declined(
    method: str, path: str, body: Any, operation: Operation | None
) -> None:
    """`stream` is true where it is absent."""
    assert WIRE.operation(method, path, body) is operation


def test_no_key_is_needed() -> None:
    """A Bearer token is seen, for the cloud."""
    assert WIRE.key({}) is None
    assert WIRE.key({"authorization": "Bearer b"}) == "b"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model": ...}, "model is required"),
        ({"model": ""}, "model is required"),
        (
            {"messages": "Hi"},
            "json: cannot unmarshal string into Go struct field ChatRequest.messages of type []api.Message",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}]},
            "json: cannot unmarshal array into Go struct field ChatRequest.messages.content of type string",
        ),
        (
            {"messages": [{"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": "{}"}}]}]},
            "json: cannot unmarshal string into Go struct field ChatRequest.messages.tool_calls.function.arguments "
            "of type api.ToolCallFunctionArguments",
        ),
        ({"stream": "yes"}, "json: cannot unmarshal string into Go struct field ChatRequest.stream of type bool"),
        ({"options": {"temperature": "hot"}}, 'option "temperature" must be of type float32'),
        ({"options": {"num_predict": "9"}}, 'option "num_predict" must be of type integer'),
        ({"options": {"stop": "x"}}, 'option "stop" must be of type array'),
    ],
)
def test_what_ollama_refuses_is_refused_in_its_words(changes: Json, message: str) -> None:
    """A malformed request is a 400 with the message of Go's decoder, or of Ollama."""
    with pytest.raises(BadRequest) as refusal:
        read(**changes)
    assert refusal.value.message == message


def test_unknown_options_and_roles_are_taken() -> None:
    """Ollama logs an option it does not know, and leaves roles to the model's template."""
    assert read(options={"num_ctx": 8192, "shiny": 1}, messages=[{"role": "critic", "content": "x"}]).prompt == "x"


@pytest.mark.parametrize("messages", [..., [], None])
def test_no_messages_load_the_model(messages: Any) -> None:
    """The answer is empty and says why it is done; it is one line even as a stream."""
    call = read(messages=messages)
    answer = WIRE.chat(call, Reply("unused"), Random(1))
    assert (answer["message"]["content"], answer["done_reason"], answer["done"]) == ("", "load", True)
    assert lines(Reply("unused"), call) == [answer]


def test_a_stream_is_lines_of_which_the_last_has_the_counts() -> None:
    """Thoughts, text and tool calls come in messages of their own; times advance."""
    reply = Reply("a b", reasoning="hm", tool_calls=(SimulatedToolCall("f", {"x": 1}),), prompt_tokens=5)
    *before, last = lines(reply)
    assert [list(line["message"]) for line in before] == [
        ["role", "content", "thinking"],
        ["role", "content"],
        ["role", "content"],
        ["role", "content", "tool_calls"],
    ]
    assert all(line["done"] is False and "eval_count" not in line for line in before)
    assert before[3]["message"]["tool_calls"][0]["function"]["arguments"] == {"x": 1}
    assert (last["done"], last["done_reason"], last["prompt_eval_count"]) == (True, "stop", 5)
    assert last["total_duration"] == last["load_duration"] + last["prompt_eval_duration"] + last["eval_duration"]
    times = [line["created_at"] for line in (*before, last)]
    assert times == sorted(set(times))


def test_a_whole_answer_has_arguments_as_objects() -> None:
    """A finish for length keeps its word; any other is "stop"."""
    reply = Reply("Yes.", reasoning="Hm.", tool_calls=(SimulatedToolCall("f", {"x": 1}),))
    answer = WIRE.chat(read(), reply, Random(1))
    assert answer["message"]["thinking"] == "Hm."
    assert answer["message"]["tool_calls"][0]["function"]["arguments"] == {"x": 1}
    assert answer["done_reason"] == "stop"
    assert WIRE.chat(read(), Reply("Ye", finish="length"), Random(1))["done_reason"] == "length"


def test_models_are_listed_with_their_tag() -> None:
    """A name without a tag is the latest version; the digest is the name's."""
    first, second = WIRE.models(["llama3", "qwen3:8b"])["models"]
    assert (first["name"], second["model"]) == ("llama3:latest", "qwen3:8b")
    assert first["digest"] == WIRE.models(["llama3"])["models"][0]["digest"] != second["digest"]


def test_embeddings_take_one_text_or_several() -> None:
    """Anything else is an invalid input."""
    for given, texts in (("a", ("a",)), (["a", "b"], ("a", "b")), ([], ())):
        call = WIRE.read(Operation.EMBEDDINGS, "/api/embed", {"model": "e", "input": given})
        assert call.inputs == texts
        assert WIRE.embeddings(call, [[1.0]] * len(texts), Random(1))["embeddings"] == [[1.0]] * len(texts)
    with pytest.raises(BadRequest, match="invalid input type"):
        WIRE.read(Operation.EMBEDDINGS, "/api/embed", {"model": "e", "input": {"text": "a"}})


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        (ErrorKind.MODEL_NOT_FOUND, 404),
        (ErrorKind.QUOTA, 429),
        (ErrorKind.RATE_LIMIT, 429),
        (ErrorKind.SERVER_ERROR, 500),
        (ErrorKind.OVERLOADED, 503),
    ],
)
def test_errors_have_a_status_and_one_field(kind: ErrorKind, status: int) -> None:
    """A body has nothing but a text, in a stream as well."""
    reply = WIRE.error(kind, "model 'x' not found", Random(1))
    assert (reply.status, json.loads(reply.body)) == (status, {"error": "model 'x' not found"})
    assert WIRE.stream_error(kind, "broken", Random(1)) == b'{"error":"broken"}\n'


def test_headers_tell_nothing() -> None:
    """Ollama sends neither request ids nor limits."""
    assert WIRE.headers(read(), Limits(requests=1, tokens=1), Random(1)) == {}
