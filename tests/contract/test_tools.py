"""Functions as tools over all providers that have them: real SDKs, real sockets, servers that call and are told."""

import json
import time
from collections.abc import Callable, Iterator
from datetime import date
from enum import Enum
from itertools import count
from typing import Any

import pytest

from flyllm import (
    ConfigError,
    GenerationRequest,
    InvalidRequestError,
    LLMError,
    LLMManager,
    ToolCall,
    ToolRoundsExceededError,
)
from flyllm.providers.registry import REGISTRY
from flyllm.testing import Call, ErrorKind, ProviderSimulator, Reply, SimulatedProvider, SimulatedToolCall
from tests.contract.specs import faults, validator
from tests.contract.told import Told, declared, told

Row = tuple[str, str]
NONE: set[Row] = {("perplexity", "chat_completions")}
"""Sonar models call no tools."""
ROWS: list[Row] = [(s.name, api.name) for s in REGISTRY.values() for api in s.apis if (s.name, api.name) not in NONE]
EVERY = pytest.mark.parametrize("row", ROWS, ids="-".join)
SCHEMAS = {
    ("openai", "chat_completions"): ("openai", "CreateChatCompletionRequest"),
    ("openai", "responses"): ("openai", "CreateResponse"),
    ("perplexity", "responses"): ("openai", "CreateResponse"),
    ("anthropic", "messages"): ("anthropic", "CreateMessageParams"),
    ("google", "generate_content"): ("gemini", "Req_GenerateContentRequest"),
    ("mistral", "chat_completions"): ("mistral", "ChatCompletionRequest"),
    ("groq", "chat_completions"): ("groq", "CreateChatCompletionRequest"),
    ("ollama", "chat"): ("ollama", "ChatRequest"),
}
WEATHER, NOW = SimulatedToolCall("weather", {"city": "Köln", "unit": "F"}), SimulatedToolCall("now")
ASKED = "How is it in Köln?"


class Unit(Enum):
    CELSIUS = "C"
    FAHRENHEIT = "F"


def weather(city: str, unit: Unit = Unit.CELSIUS) -> dict[str, Any]:
    """Tell the weather.

    Args:
        city: where
    """
    assert isinstance(unit, Unit)
    return {"sky": "blue", "city": city, "unit": unit.name}


def now() -> str:
    """Tell the time."""
    return "noon"


def broken(day: date) -> str:
    """Break."""
    raise RuntimeError(f"no data of {day:%A}; the key sk-abcdefgh12345678 was refused")


@pytest.fixture
def simulator() -> Iterator[ProviderSimulator]:
    with ProviderSimulator() as running:
        yield running


class World:
    """Instances of some rows, each with a server of its own; the first one has priority."""

    def __init__(self, simulator: ProviderSimulator, *rows: Row) -> None:
        self.rows = rows
        self.servers = [simulator.add(row[0], name=f"s{n}") for n, row in enumerate(rows)]
        builder = LLMManager.builder()
        for n, (row, server) in enumerate(zip(rows, self.servers, strict=True)):
            builder = builder.add_instance(row[0], "model-1", "sk-key-of-mine", api=row[1], priority=n)
            builder = builder.custom_endpoint(server.url)
        self.manager = builder.default_attempt_timeout(5.0).build()

    def told(self, place: int = 0, request: int = -1) -> list[Told]:
        api = "ollama" if self.rows[place] == ("ollama", "chat") else self.rows[place][1]
        return told(api, self.body(place, request))

    def body(self, place: int = 0, request: int = -1) -> dict[str, Any]:
        body: dict[str, Any] = self.servers[place].requests[request].body
        return body


@pytest.fixture
def world(simulator: ProviderSimulator) -> Iterator[Callable[..., World]]:
    made: list[World] = []

    def make(*rows: Row) -> World:
        made.append(World(simulator, *rows))
        return made[-1]

    yield make
    for each in made:
        each.manager.close()


def script(server: SimulatedProvider, *replies: Reply | str) -> None:
    for reply in replies:
        server.enqueue(reply)


def calling(*calls: SimulatedToolCall, **fields: Any) -> Reply:
    return Reply(tool_calls=calls, finish="tool_calls", **fields)


@EVERY
def test_two_functions_are_called_and_the_model_is_told(world: Callable[..., World], row: Row) -> None:
    """Parallel calls of one round, their results in their places, the answer, and all of it counted."""
    w = world(row)
    script(
        w.servers[0],
        calling(WEATHER, NOW, prompt_tokens=10, completion_tokens=4),
        Reply("Fine.", prompt_tokens=20, completion_tokens=2),
    )
    run = w.manager.run_tools(ASKED, tools=[weather, now], system="Be brief.")
    assert (run.content, run.rounds, len(run.attempts)) == ("Fine.", 2, 2)
    assert (run.usage.prompt_tokens, run.usage.completion_tokens) == (30, 6)
    assert declared(row[1], w.body(request=0)) == ["weather", "now"]
    first, second = w.told()
    assert (first.name, first.arguments) == ("weather", {"city": "Köln", "unit": "F"})
    assert json.loads(first.result) == {"sky": "blue", "city": "Köln", "unit": "FAHRENHEIT"}
    assert (second.name, second.arguments, second.result) == ("now", {}, "noon")
    assert [message["role"] for message in run.messages] == ["system", "user", "assistant", "tool", "tool", "assistant"]


@EVERY
def test_the_conversation_of_a_run_goes_on(world: Callable[..., World], row: Row) -> None:
    """`messages` can be sent as they are; calls of several rounds all have ids of their own."""
    w = world(row)
    script(w.servers[0], calling(NOW), calling(NOW, NOW), "Noon.", calling(NOW), "Still noon.")
    run = w.manager.run_tools(ASKED, tools=[now])
    run = w.manager.run_tools("And now?", messages=run.messages, tools=[now])
    assert (run.content, run.rounds) == ("Still noon.", 2)
    assert [each.result for each in w.told()] == ["noon"] * 4
    ids = [call["id"] for message in run.messages for call in message.get("tool_calls") or ()]
    assert len({*ids, ""}) == 5


@EVERY
def test_what_goes_wrong_the_model_is_told(world: Callable[..., World], row: Row) -> None:
    """A function that fails, one that is not there, arguments that do not fit: results that say so, and an answer."""
    w = world(row)
    fails = SimulatedToolCall("broken", {"day": "2026-11-23"})
    script(
        w.servers[0], calling(fails, SimulatedToolCall("wether"), SimulatedToolCall("weather", {"cty": 1})), "Sorry."
    )
    run = w.manager.run_tools(ASKED, tools=[weather, now, broken])
    assert run.content == "Sorry."
    failed, unknown, unfit = (each.result for each in w.told())
    assert failed == "Error: RuntimeError: no data of Monday; the key *** was refused"
    assert unknown == "Error: there is no function 'wether'; there are: weather, now, broken"
    assert unfit == (
        "Error: the arguments do not fit 'weather': city: Field required; cty: Extra inputs are not permitted"
    )


@EVERY
def test_a_stream_s_calls_make_the_same_message(world: Callable[..., World], row: Row) -> None:
    """Functions may be given to a stream; what it called is answered by hand."""
    w = world(row)
    script(w.servers[0], calling(WEATHER, NOW), "Fine.")
    request = GenerationRequest(tools=[weather, now], messages=[{"role": "user", "content": ASKED}])
    with w.manager.generate_stream(request) as stream:
        chunks = list(stream)
    response = stream.response
    assert response is not None
    assert declared(row[1], w.body()) == ["weather", "now"]
    assert [json.loads(call.arguments) for call in response.tool_calls] == [WEATHER.arguments, {}]
    deltas = [delta for chunk in chunks for delta in chunk.tool_call_deltas]
    assert [delta.id for delta in deltas if delta.id] == [call.id for call in response.tool_calls]
    results = [call.result({"n": n}) for n, call in enumerate(response.tool_calls)]
    answer = w.manager.generate("", messages=[*(request.messages or ()), response.message, *results])
    assert answer.content == "Fine."
    assert [each.result for each in w.told()] == ['{"n": 0}', '{"n": 1}']


PAIRS = [(row, ROWS[(n + step) % len(ROWS)]) for step in (1, 5, 8) for n, row in enumerate(ROWS)]


@pytest.mark.parametrize(("one", "other"), PAIRS, ids="-".join)
def test_a_run_goes_on_at_another_provider(world: Callable[..., World], one: Row, other: Row) -> None:
    """The first one calls and then fails; the other gets a conversation that it could have had itself."""
    w = world(one, other)
    w.servers[0].enqueue(calling(WEATHER, NOW))
    w.servers[0].fail(ErrorKind.SERVER_ERROR, times=None)
    script(w.servers[1], calling(NOW), "Fine.")
    run = w.manager.run_tools(ASKED, tools=[weather, now])
    assert run.content == "Fine."
    assert {attempt.provider for attempt in run.attempts} == {one[0], other[0]}
    assert [each.name for each in w.told(1)] == ["weather", "now", "now"]
    assert "INVALID_JSON" not in json.dumps(w.body(1))
    if other in SCHEMAS:
        assert faults(validator(*SCHEMAS[other]), w.body(1)) == []
    if other != ("google", "chat_completions"):
        assert "extra_content" not in json.dumps(w.body(1))


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("api", ["generate_content", "chat_completions"])
def test_gemini_gets_its_signature_back(world: Callable[..., World], api: str, streamed: bool) -> None:
    """Of the first of parallel calls, which alone has one; Gemini 3 refuses a conversation without."""
    w = world(("google", api))
    script(w.servers[0], calling(WEATHER, NOW), "Fine.")
    request = GenerationRequest(ASKED, tools=[weather, now])
    if streamed:
        with w.manager.generate_stream(request) as stream:
            list(stream)
        response = stream.response
    else:
        response = w.manager.generate(request)
    assert response is not None
    first, second = response.tool_calls
    assert first.extra_content is not None
    assert second.extra_content is None
    signature = first.extra_content["google"]["thought_signature"]
    assert len(signature) > 100
    w.manager.generate(
        "", messages=[{"role": "user", "content": ASKED}, response.message, first.result(1), second.result(2)]
    )
    if api == "generate_content":
        parts = w.body()["contents"][1]["parts"]
        assert [part.get("thoughtSignature") for part in parts] == [signature, None]
    else:
        calls = w.body()["messages"][1]["tool_calls"]
        assert [call.get("extra_content") for call in calls] == [first.extra_content, None]


@pytest.mark.parametrize("streamed", [False, True])
def test_anthropic_gets_its_thinking_back(world: Callable[..., World], streamed: bool) -> None:
    """Ahead of the calls and unchanged, as it wants it while thinking is on; no other provider sees it."""
    w = world(("anthropic", "messages"))
    script(w.servers[0], calling(NOW, reasoning="Let me look."), "Fine.")
    request = GenerationRequest(ASKED, tools=[now])
    if streamed:
        with w.manager.generate_stream(request) as stream:
            list(stream)
        response = stream.response
    else:
        response = w.manager.generate(request)
    assert response is not None
    (call,) = response.tool_calls
    messages = [{"role": "user", "content": ASKED}, response.message, call.result("noon")]
    w.manager.generate("", messages=messages)
    thinking, use = w.body()["messages"][1]["content"]
    assert (thinking["type"], thinking["thinking"], use["type"]) == ("thinking", "Let me look.", "tool_use")
    assert len(thinking["signature"]) > 100
    assert faults(validator("anthropic", "CreateMessageParams"), w.body()) == []


@pytest.mark.parametrize("row", [("ollama", "chat"), ("google", "generate_content"), ("lmstudio", "chat_completions")])
def test_calls_without_ids_get_some(world: Callable[..., World], row: Row) -> None:
    """Older servers give none, in every round: results find their calls nevertheless."""
    function = {"name": "now", "arguments": {} if row[0] == "ollama" else "{}"}
    parts = [{"functionCall": {"name": "now"}}] * 2
    calls = [{"function": function}] * 2
    body = {
        "ollama": {"message": {"role": "assistant", "content": "", "tool_calls": calls}, "done": True},
        "google": {"candidates": [{"content": {"parts": parts}, "finishReason": "STOP"}]},
        "lmstudio": {"choices": [{"message": {"content": None, "tool_calls": calls}, "finish_reason": "tool_calls"}]},
    }[row[0]]
    w = world(row)
    for _ in range(2):
        w.servers[0].enqueue("", body=json.dumps(body).encode())
    w.servers[0].enqueue("Fine.")
    run = w.manager.run_tools(ASKED, tools=[now])
    assert (run.content, run.rounds) == ("Fine.", 3)
    assert len(w.told()) == 4
    ids = [message["tool_call_id"] for message in run.messages if message["role"] == "tool"]
    assert len({*ids, ""}) == 5


@pytest.mark.parametrize("row", ROWS, ids="-".join)
def test_ids_of_any_length_arrive_as_a_provider_takes_them(world: Callable[..., World], row: Row) -> None:
    """A gateway's long id with odd characters: call and result still belong together."""
    w = world(row)
    call = ToolCall(f"fc.{'0f' * 40}", "now", "{}")
    message = {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": call.id, "type": "function", "function": {"name": "now", "arguments": "{}"}}],
    }
    w.manager.generate("", messages=[{"role": "user", "content": "?"}, message, call.result("noon")])
    (found,) = w.told()
    longest = {"mistral": 9, "anthropic": 83, "google": 83, "cohere": 83, "ollama": 83}.get(row[0], 40)
    assert len(found.call_id) <= (
        64 if row[1] == "responses" else 40 if row[1] == "chat_completions" and row[0] != "mistral" else longest
    )


def test_the_rounds_have_an_end(world: Callable[..., World]) -> None:
    """A model that never stops calling: an error that has the conversation as far as it can be sent."""
    w = world(("openai", "chat_completions"))
    w.servers[0].reply(calling(NOW))
    called = count()
    with pytest.raises(ToolRoundsExceededError, match=r"still calls functions \(now\) after 3 rounds") as caught:
        w.manager.run_tools(ASKED, tools=[counted(called)], max_rounds=3)
    run = caught.value.run
    assert run is not None
    assert (run.rounds, w.servers[0].count, next(called)) == (3, 3, 2)
    assert [message["role"] for message in run.messages] == ["user", *["assistant", "tool"] * 2]
    assert run.response.tool_calls[0].name == "now"
    w.servers[0].reply("Noon.")
    assert w.manager.generate("", messages=run.messages).content == "Noon."


def counted(calls: Iterator[int]) -> Callable[[], str]:
    def now() -> str:
        next(calls)
        return "noon"

    return now


def test_the_timeout_is_the_whole_run_s(world: Callable[..., World]) -> None:
    """Not each round's: rounds, functions and waiting together end at the deadline."""
    w = world(("openai", "chat_completions"))
    w.servers[0].reply(calling(NOW), latency=0.3)
    began = time.monotonic()
    with pytest.raises(LLMError) as caught:
        w.manager.run_tools(ASKED, tools=[now], timeout=2.5, max_rounds=1000)
    assert time.monotonic() - began < 20
    assert caught.value.run is not None
    assert 1 <= caught.value.run.rounds <= 8


def test_the_error_of_a_later_round_has_the_run_before_it(world: Callable[..., World]) -> None:
    """What was paid for is not lost."""
    w = world(("mistral", "chat_completions"))
    w.servers[0].enqueue(calling(NOW))
    w.servers[0].fail(ErrorKind.INVALID_REQUEST, times=None)
    with pytest.raises(InvalidRequestError) as caught:
        w.manager.run_tools(ASKED, tools=[now])
    run = caught.value.run
    assert run is not None
    assert (run.rounds, run.messages[-1]["content"]) == (1, "noon")
    w.servers[0].reply("Noon.")
    assert w.manager.generate("", messages=run.messages).content == "Noon."


def test_an_error_of_the_first_round_has_no_run(world: Callable[..., World]) -> None:
    """There was no answer."""
    w = world(("openai", "chat_completions"))
    w.servers[0].fail(ErrorKind.AUTHENTICATION)
    with pytest.raises(LLMError) as caught:
        w.manager.run_tools(ASKED, tools=[now])
    assert caught.value.run is None


@pytest.mark.parametrize("choice", ["required", {"type": "function", "function": {"name": "now"}}])
@pytest.mark.parametrize("row", [row for row in ROWS if row[0] != "ollama"], ids="-".join)  # which has no such thing
def test_what_forces_a_call_holds_for_the_first_round(world: Callable[..., World], row: Row, choice: Any) -> None:
    """Else the run would never end; after it the model is free, and still has its tools."""
    w = world(row)
    script(w.servers[0], calling(NOW), "Noon.")
    assert w.manager.run_tools(ASKED, tools=[now, weather], tool_choice=choice).content == "Noon."
    free = w.body(request=1)
    assert declared(row[1], free) == ["now", "weather"]
    assert "tool_choice" not in free
    assert "toolConfig" not in free


def test_a_call_s_reply_can_be_made_of_what_was_told(world: Callable[..., World]) -> None:
    """The simulated model looks for results as a real one does."""
    w = world(("openai", "chat_completions"))

    def model(call: Call) -> Reply | str:
        said = call.body["messages"][-1]
        return f"It is {said['content']}." if said["role"] == "tool" else calling(NOW)

    w.servers[0].reply(model)
    assert w.manager.run_tools(ASKED, tools=[now]).content == "It is noon."


def test_a_batch_tells_of_functions_and_calls_none(world: Callable[..., World]) -> None:
    """The calls are in the responses."""
    w = world(("openai", "chat_completions"))
    w.servers[0].reply(calling(NOW))
    responses = w.manager.batch_generate([GenerationRequest(f"{n}?", tools=[now]) for n in range(3)])
    assert [[call.name for call in response.tool_calls] for response in responses] == [["now"]] * 3


def test_a_request_with_a_tool_that_cannot_be_told_is_not_sent(world: Callable[..., World]) -> None:
    """However it is made; the error names the place."""
    w = world(("openai", "chat_completions"))

    async def later() -> None: ...

    request = GenerationRequest("?", tools=[now, later])
    with pytest.raises(ConfigError, match=r"tools\[1\]: the function 'later' is async"):
        w.manager.generate(request)
    with pytest.raises(ConfigError, match=r"tools\[1\]"):
        w.manager.generate_stream(request)
    with pytest.raises(ConfigError, match=r"tools\[1\]"):
        w.manager.run_tools(request)
    (response,) = w.manager.batch_generate([request])
    assert isinstance(response.error, ConfigError)
    assert w.servers[0].count == 0
