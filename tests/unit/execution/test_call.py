"""Rules of a plain call: its response and its events."""

from flyllm.errors import ServerError
from flyllm.request import GenerationRequest
from flyllm.types import TokenUsage, ToolCall
from tests.unit.fakes import FakeProvider, completion, core, instance


def test_a_response_has_what_the_adapter_read() -> None:
    """Everything in the completion is in the response, with the place it came from."""
    usage = TokenUsage(10, 5, 15, cached_tokens=3, reasoning_tokens=2)
    answer = completion(
        "Hello",
        usage,
        model="m0-2026",
        reasoning="hm",
        tool_calls=(ToolCall("c", "f", "{}"),),
        raw={"id": 1},
    )
    response = core(instance(0, FakeProvider(answer), tasks=frozenset({"t"}))).run(GenerationRequest("x", task="t"))
    assert (response.content, response.usage, response.model) == ("Hello", usage, "m0-2026")
    assert (response.reasoning, response.tool_calls, response.raw) == ("hm", (ToolCall("c", "f", "{}"),), {"id": 1})
    assert (response.provider, response.instance_id, response.instance_name) == ("openai", 0, "i0")
    assert (response.task, response.finish_reason, response.request_id) == ("t", "stop", "call-1")
    assert response.success
    assert response.error is None


def test_the_model_is_the_instances_where_the_answer_names_none() -> None:
    """A response always says which model answered."""
    assert core(instance(0)).run().model == "m0"


def test_a_failed_response_has_the_error_and_its_place() -> None:
    """A failure is a response too, with everything but an answer."""
    running = core(instance(0, FakeProvider(otherwise=ServerError("x", request_id="r-9"))), max_retries=1)
    response = running.run(GenerationRequest("x"))
    assert not response.success
    assert response.content == ""
    assert (response.provider, response.model, response.instance_id, response.request_id) == ("openai", "m0", 0, "r-9")
    assert len(response.attempts) == 2


def test_one_event_per_attempt_and_one_per_request() -> None:
    """Observers hear of every attempt as it ends, then of the request."""
    running = core(instance(0, FakeProvider(ServerError("x"), "fine")))
    request = GenerationRequest("x", params={"a": 1}, metadata={"mine": 1})
    response = running.run(request)
    attempts, requests = running.recorder.attempts, running.recorder.requests
    assert [event.attempt for event in attempts] == list(response.attempts)
    assert [type(event.error) for event in attempts] == [ServerError, type(None)]
    assert [event.content for event in attempts] == ["", "fine"]
    assert all(event.request is request and event.params == {"a": 1} for event in attempts)
    assert [(event.request, event.response, event.streamed) for event in requests] == [(request, response, False)]


def test_usage_is_booked_per_attempt() -> None:
    """The ledger of tokens has what the provider reported, per instance and in total."""
    running = core(instance(0), instance(1), strategy="lru")
    for _ in range(4):
        running.run()
    assert running.usage.of(0) == running.usage.of(1) == TokenUsage(6, 4, 10, 0, 0)
    assert running.usage.total().total_tokens == 20
