"""Rules of a run's rounds, over fake providers and a clock moved by hand."""

from dataclasses import replace
from typing import Any

import pytest

from flyllm import ConfigError, DeadlineExceededError, GenerationRequest, ToolCall, ToolRoundsExceededError, ToolRun
from flyllm._execution.jobs import Jobs
from flyllm._execution.tool_rounds import ToolRounds
from flyllm.providers.base import Completion
from flyllm.tasks import TaskDefinition
from flyllm.types import TokenUsage
from tests.unit.fakes import Core, FakeProvider, completion, core, instance


def now() -> str:
    """Tell the time."""
    return "noon"


def calling(*calls: ToolCall, content: str = "") -> Completion:
    return replace(completion(content, TokenUsage(10, 1, 11)), tool_calls=calls, finish_reason="tool_calls")


NOW = ToolCall("c1", "now", "{}")


def rounds(over: Core, timeout: float | None = None) -> ToolRounds:
    return ToolRounds(Jobs(over.clock, over.tasks.values(), timeout), over.call, [])


def run(provider: FakeProvider, most: int = 10, **fields: Any) -> ToolRun:
    fields = {"prompt": "When?", "tools": [now], **fields}
    return rounds(core(instance(0, provider))).run(GenerationRequest(**fields), most)


def test_an_answer_without_calls_ends_it_at_once() -> None:
    """One round, whose conversation is the question and the answer."""
    found = run(FakeProvider("Noon."), system="Be brief.")
    assert (found.content, found.rounds, found.usage.total_tokens) == ("Noon.", 1, 5)
    assert found.messages == (
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "When?"},
        {"role": "assistant", "content": "Noon."},
    )


def test_each_round_says_all_that_was_said() -> None:
    """Text beside a call too; the caller's own messages are left as they are."""
    provider = FakeProvider(calling(NOW, content="I look."), "Noon.")
    mine = [{"role": "user", "content": "Hi"}]
    found = run(provider, messages=mine)
    call = {"id": "c1", "type": "function", "function": {"name": "now", "arguments": "{}"}}
    assert list(provider.requests[1].messages) == [
        {"role": "user", "content": "Hi"},
        {"role": "user", "content": "When?"},
        {"role": "assistant", "content": "I look.", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": "noon"},
    ]
    assert provider.requests[0].tools == provider.requests[1].tools
    assert mine == [{"role": "user", "content": "Hi"}]
    assert found.usage == TokenUsage(13, 3, 16)


def test_arguments_that_are_no_object_go_back_in_one() -> None:
    """Half of the providers take nothing else; the model is told what was wrong."""
    provider = FakeProvider(
        calling(ToolCall("c1", "now", '{"a'), ToolCall("c2", "now", "[1]"), ToolCall("c3", "now", "")), "x"
    )
    run(provider)
    said = provider.requests[1].messages
    written = [call["function"]["arguments"] for call in said[1]["tool_calls"]]
    assert written == ['{"INVALID_JSON": "{\\"a"}', '{"INVALID_JSON": "[1]"}', "{}"]
    assert [message["content"].partition(":")[0] for message in said[2:]] == ["Error", "Error", "noon"]


def test_a_made_up_name_goes_back_as_one_that_all_take() -> None:
    """A model's own syntax in it would be refused in the next round."""
    provider = FakeProvider(calling(ToolCall("c1", "default_api:now<|x|>", "{}"), ToolCall("c2", "", "{}")), "x")
    run(provider)
    names = [call["function"]["name"] for call in provider.requests[1].messages[1]["tool_calls"]]
    assert names == ["default_api_now__x__", "_"]


@pytest.mark.parametrize(
    ("choice", "later"),
    [
        (None, None),
        ("auto", "auto"),
        ("none", "none"),
        ("required", None),
        ({"type": "function", "function": {"name": "now"}}, None),
        ({"type": "any"}, None),
        ({"type": "auto", "disable_parallel_tool_use": True}, {"type": "auto", "disable_parallel_tool_use": True}),
    ],
)
def test_a_choice_that_forces_a_call_holds_once(choice: Any, later: Any) -> None:
    """The others hold on."""
    provider = FakeProvider(calling(NOW), "x")
    run(provider, tool_choice=choice)
    assert [request.tool_choice for request in provider.requests] == [choice, later]


@pytest.mark.parametrize("most", [0, -1, True, 2.5, "3", None])
def test_max_rounds_is_a_number_of_rounds(most: Any) -> None:
    """Nothing is sent otherwise."""
    provider = FakeProvider()
    with pytest.raises(ConfigError, match="max_rounds must be a whole number of at least 1"):
        run(provider, most)
    assert provider.requests == []


def test_the_last_round_s_calls_are_not_made() -> None:
    """Nobody would be told what they brought."""
    called = []

    def count() -> None:
        called.append(1)

    call = ToolCall("c1", "count", "{}")
    with pytest.raises(ToolRoundsExceededError) as caught:
        run(FakeProvider(calling(call), calling(call)), 2, tools=[count])
    assert len(called) == 1
    assert caught.value.run is not None
    assert caught.value.run.response.tool_calls == (call,)
    assert len(caught.value.run.attempts) == 2


def test_the_deadline_is_the_run_s() -> None:
    """A function's time counts; a round has what is left, also of the task's or the manager's timeout."""
    for fields, default in (({"timeout": 10.0}, None), ({}, 10.0), ({"task": "t"}, None)):
        tasks = [TaskDefinition("t", timeout=10.0)]
        over = core(instance(0, provider := FakeProvider(calling(NOW), "x"), tasks=frozenset({"t"})), tasks=tasks)

        def now(clock: Any = None, over: Any = over) -> None:
            over.clock.advance(4.0)

        tools = [bound_now(now)]
        rounds(over, default).run(GenerationRequest("When?", tools=tools, **fields), 10)
        assert [request.timeout for request in provider.requests] == [10.0, 6.0]


def bound_now(function: Any) -> Any:
    def now() -> None:
        function()

    return now


def test_a_function_that_takes_too_long_ends_it() -> None:
    """With the deadline's error, before anything more is sent."""
    over = core(instance(0, provider := FakeProvider(calling(NOW), "x")))

    def now() -> None:
        over.clock.advance(11.0)

    with pytest.raises(DeadlineExceededError) as caught:
        rounds(over).run(GenerationRequest("When?", tools=[now], timeout=10.0), 10)
    assert len(provider.requests) == 1
    assert caught.value.run is not None
    assert caught.value.run.messages[-1] == {"role": "tool", "tool_call_id": "c1", "content": "null"}


def test_no_function_is_called_after_the_deadline() -> None:
    """One is not interrupted, but the next is not begun; the conversation ends before calls that were not all made."""
    over = core(instance(0, FakeProvider(calling(ToolCall("c1", "slow", "{}"), NOW))))
    called = []

    def slow() -> None:
        over.clock.advance(11.0)

    def now() -> None:
        called.append(1)

    with pytest.raises(DeadlineExceededError, match="before the function 'now' was called") as caught:
        rounds(over).run(GenerationRequest("When?", tools=[slow, now], timeout=10.0), 10)
    assert called == []
    assert caught.value.run is not None
    assert [message["role"] for message in caught.value.run.messages] == ["user"]


def test_each_round_is_reported_as_a_request() -> None:
    """Observers see dicts, as they are sent, whatever the caller gave."""
    over = core(instance(0, FakeProvider(calling(NOW), "x")))
    rounds(over).run(GenerationRequest("When?", tools=[now], custom_id="mine"), 10)
    assert [event.request.custom_id for event in over.recorder.requests] == ["mine", "mine"]
    assert all(isinstance(tool, dict) for event in over.recorder.requests for tool in event.request.tools or ())
