"""Rules of one attempt: what is sent, what is left out, and that it ends exactly once."""

import logging
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyllm._execution.attempt import Trial, unforeseen
from flyllm.errors import InvalidRequestError, LLMError, ProviderError, ServerError
from flyllm.observability.events import Emitter
from flyllm.providers.base import ProviderRequest
from flyllm.request import GenerationRequest
from flyllm.tasks import TaskDefinition
from flyllm.types import TokenUsage
from tests.unit.fakes import ALL_PARAMS, Core, FakeProvider, api, core, instance

NO_TOP_K = {name: name for name in ALL_PARAMS if name not in ("top_k", "seed")}


# Parameters


def sent(request: GenerationRequest, *, provider: str = "openai", **levels: Any) -> dict[str, Any]:
    adapter = FakeProvider()
    tasks = [TaskDefinition("t", levels.get("task", {}))]
    place = instance(0, adapter, provider=provider, params=levels.get("instance", {}), tasks=frozenset({"t"}))
    assert core(place, tasks=tasks).run(request).success
    return dict(adapter.requests[0].params)


def test_parameters_merge_from_instance_to_request() -> None:
    """Instance defaults yield to the task's, these to the request's, these to the request's for this provider."""
    request = GenerationRequest("x", task="t", params={"c": 3, "d": 3}, provider_params={"openai": {"d": 4}})
    assert sent(request, instance={"a": 1, "b": 1, "c": 1, "d": 1}, task={"b": 2, "c": 2, "d": 2}) == {
        "a": 1,
        "b": 2,
        "c": 3,
        "d": 4,
    }


LEVEL = st.dictionaries(st.sampled_from("abcd"), st.integers(), max_size=4)


@given(LEVEL, LEVEL, LEVEL, LEVEL)
def test_every_parameter_arrives_from_the_nearest_level(one: Any, two: Any, three: Any, four: Any) -> None:
    """No parameter of any level is lost, and of equals the nearest to the request wins."""
    request = GenerationRequest("x", task="t", params=three, provider_params={"openai": four})
    assert sent(request, instance=one, task=two) == {**one, **two, **three, **four}


def test_parameters_for_a_provider_apply_only_there() -> None:
    """What is meant for ollama does not reach openai; the name counts in any case."""
    request = GenerationRequest("x", provider_params={"Ollama": {"num_ctx": 8192}})
    assert sent(request) == {}
    assert sent(request, provider="ollama") == {"num_ctx": 8192}


def test_the_conversation_is_system_then_messages_then_prompt() -> None:
    """All three ways to say something end up in one conversation, in this order."""
    adapter = FakeProvider()
    history = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
    core(instance(0, adapter)).run(GenerationRequest("c", system="s", messages=history))
    assert [message["content"] for message in adapter.requests[0].messages] == ["s", "a", "b", "c"]
    assert [message["role"] for message in adapter.requests[0].messages] == ["system", "user", "assistant", "user"]
    assert len(history) == 2


def test_tools_and_format_are_handed_on() -> None:
    """What the request says about tools and format reaches the adapter as it is."""
    adapter, tools = FakeProvider(), [{"type": "function", "function": {"name": "f"}}]
    request = GenerationRequest("x", tools=tools, tool_choice="auto", response_format={"type": "json_object"})
    core(instance(0, adapter)).run(request)
    got = adapter.requests[0]
    assert (got.tools, got.tool_choice, got.response_format) == (tools, "auto", {"type": "json_object"})
    assert got.model == "m0"


def test_a_parameter_that_cannot_be_taken_is_recorded_and_warned_about_once(caplog: pytest.LogCaptureFixture) -> None:
    """Dropping is never silent: it stands in every response, and in the log once per provider and name."""
    running = core(instance(0, api=api(NO_TOP_K)))
    request = GenerationRequest("x", params={"top_k": 5, "temperature": 1, "own": 2})
    with caplog.at_level(logging.WARNING, "flyllm.requests"):
        assert [running.run(request).dropped_params for _ in range(3)] == [("top_k",)] * 3
        assert running.run(GenerationRequest("x", params={"top_k": 5, "seed": 1})).dropped_params == ("top_k", "seed")
    assert [record.getMessage() for record in caplog.records] == [
        "openai does not take top_k: left out of requests to it",
        "openai does not take seed: left out of requests to it",
    ]


def test_what_was_not_set_is_not_dropped() -> None:
    """None means "not set", and an unknown parameter is the provider's business."""
    response = core(instance(0, api=api(NO_TOP_K))).run(GenerationRequest("x", params={"top_k": None, "own": 2}))
    assert response.dropped_params == ()


def test_strict_goes_to_an_instance_that_takes_all() -> None:
    """With "error" a request passes by who cannot take its parameters, without a wire call there."""
    first, second = FakeProvider(), FakeProvider()
    running = core(
        instance(0, first, api=api(NO_TOP_K)), instance(1, second, provider="ollama"), unsupported_params="error"
    )
    response = running.run(GenerationRequest("x", params={"top_k": 5}))
    assert (response.provider, response.dropped_params, len(response.attempts)) == ("ollama", (), 1)
    assert first.requests == []
    assert running.pool.in_flight() == 0


def test_strict_takes_another_api_of_the_same_provider() -> None:
    """That one API of a provider cannot take a parameter rules out its instances only."""
    running = core(instance(0, api=api(NO_TOP_K)), instance(1), unsupported_params="error")
    assert running.run(GenerationRequest("x", params={"top_k": 5})).instance_id == 1


def test_strict_raises_where_nobody_takes_all() -> None:
    """With no such instance the request is refused, with the names, and nothing is sent."""
    adapters = [FakeProvider(), FakeProvider()]
    running = core(*(instance(n, a, api=api(NO_TOP_K)) for n, a in enumerate(adapters)), unsupported_params="error")
    error = running.run(GenerationRequest("x", params={"top_k": 5, "seed": 1})).error
    assert isinstance(error, InvalidRequestError)
    assert str(error) == "openai does not take top_k, seed (unsupported_params is 'error')"
    assert (error.provider, error.attempts) == ("openai", ())
    assert [adapter.requests for adapter in adapters] == [[], []]
    assert running.pool.in_flight() == 0


def test_strict_after_a_failure_raises_what_the_owner_can_act_on() -> None:
    """If the one that takes all fails, and the rest cannot take them, its failure is raised."""
    running = core(
        instance(0, FakeProvider(otherwise=ServerError("x"))),
        instance(1, api=api(NO_TOP_K)),
        unsupported_params="error",
        max_retries=3,
    )
    error = running.run(GenerationRequest("x", params={"top_k": 5})).error
    assert isinstance(error, ServerError)
    assert [attempt.instance_id for attempt in error.attempts] == [0, 0, 0, 0]


# Ending


def begun() -> tuple[Core, Trial]:
    running = core(instance(0))
    job = running.job()
    lease = running.pool.acquire(job.route, job.deadline)
    return running, Trial(job, lease, ProviderRequest("m0", []), running.clock, Emitter([running.recorder]))


ENDINGS = {
    "succeed": lambda trial: trial.succeed(TokenUsage(), None, "x"),
    "fail": lambda trial: trial.fail(ServerError("x")),
    "abandon": lambda trial: trial.abandon(),
}


@pytest.mark.parametrize("first", ENDINGS)
@pytest.mark.parametrize("second", ENDINGS)
def test_an_attempt_ends_once(first: str, second: str) -> None:
    """Whatever is said first stands: one record, one event, one place given back."""
    running, trial = begun()
    assert not trial.ended
    assert ENDINGS[first](trial) is True
    assert ENDINGS[second](trial) is False
    assert trial.ended
    assert len(trial.job.ledger) == len(running.recorder.attempts) == 1
    assert running.pool.in_flight() == 0


@pytest.mark.parametrize(
    ("raised", "outcome"),
    [
        (ServerError("x"), "ServerError"),
        (ValueError("x"), "ProviderError"),
        (MemoryError(), "ProviderError"),
        (KeyboardInterrupt(), "abandoned"),
        (SystemExit(), "abandoned"),
        (GeneratorExit(), "abandoned"),
    ],
)
def test_whatever_an_adapter_raises_gives_the_place_back(raised: BaseException, outcome: str) -> None:
    """The sum of in_flight returns to zero after any exception, and the ledger has a record of it."""
    running, trial = begun()

    def send(_: Trial) -> None:
        raise raised

    with pytest.raises(type(raised) if not isinstance(raised, Exception) else LLMError):
        trial.run(send)
    assert running.pool.in_flight() == 0
    assert [attempt.outcome for attempt in trial.job.ledger] == [outcome]


def test_a_block_that_returns_leaves_the_attempt_open() -> None:
    """A stream goes on after its opening; the attempt ends when the stream does."""
    running, trial = begun()
    assert trial.run(lambda _: "stream") == "stream"
    assert not trial.ended
    assert running.pool.in_flight() == 1


def test_an_observer_that_interrupts_does_not_keep_the_place() -> None:
    """The place is given back before anybody is told."""

    class Interrupting:
        def on_attempt(self, event: object) -> None:
            raise KeyboardInterrupt

        def on_request(self, event: object) -> None: ...

    running = core(instance(0), observers=[Interrupting()])
    with pytest.raises(KeyboardInterrupt):
        running.run()
    assert running.pool.in_flight() == 0


def test_an_error_learns_where_it_happened() -> None:
    """A failed attempt names provider, model and instance, and keeps what the adapter knew better."""
    _, trial = begun()
    error = ServerError("x", provider="proxy")
    trial.fail(error)
    assert (error.provider, error.model, error.instance) == ("proxy", "m0", "i0")


def test_an_unforeseen_exception_becomes_text_only() -> None:
    """What should not have come is named with its place, and is neither cause nor context: it may hold a key."""
    try:
        raise ValueError("Bearer abcdefgh12345678")
    except ValueError as exc:
        error = unforeseen(exc, ProviderError)
    assert str(error).startswith("unexpected ValueError in test_attempt.py:")
    assert str(error).endswith(": ***")
    assert (error.__cause__, error.__context__) == (None, None)
