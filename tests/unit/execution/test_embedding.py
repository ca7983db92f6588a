"""How texts are embedded: by one model, call after call, whatever becomes of its instances."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyllm import (
    AuthenticationError,
    ConfigError,
    ContextLengthError,
    DeadlineExceededError,
    EmbeddingRequest,
    EmbeddingResponse,
    InvalidRequestError,
    LLMError,
    ModelNotFoundError,
    NoInstanceError,
    OverloadedError,
    ParseError,
    QuotaExceededError,
    RateLimitError,
    RequestError,
    ServerError,
    TokenUsage,
)
from flyllm._execution.attempt import Attempts
from flyllm._execution.embedding import Embeddings
from flyllm._execution.embedding_job import NEEDS
from flyllm._execution.jobs import Jobs
from flyllm._execution.loop import AttemptLoop
from flyllm._routing.instance import Instance
from flyllm._routing.price import Price
from flyllm.observability.events import Emitter
from flyllm.providers.base import ApiSpec, Embedded, EmbeddingSpec, ProviderRequest
from flyllm.tasks import TaskDefinition
from tests.unit.fakes import Core, FakeProvider, core, instance

EMBEDS = ApiSpec(
    "chat",
    "nowhere:Nothing",
    "/chat",
    "/v1",
    {},
    can=NEEDS,
    embedding=EmbeddingSpec("/e", 2, None, {"dimensions": "d"}),
)
TEXTS = ["a", "b", "c", "d", "e"]


class FakeEmbedder(FakeProvider):
    """Plays a script as `FakeProvider` does; "ok" are vectors of `size`, whose first number is the `mark`."""

    def __init__(self, *script: Any, mark: float = 1.0, size: int = 3, otherwise: Any = "ok") -> None:
        super().__init__(*script, otherwise=otherwise)
        self._mark, self._size = mark, size

    def embed(self, request: ProviderRequest) -> Embedded:
        self._next(request)
        vectors = [(self._mark, float(ord(text)), *(0.0,) * (self._size - 2)) for text in request.texts]
        return Embedded(vectors, TokenUsage(len(vectors), 0, len(vectors)), raw={"n": len(vectors)})

    @property
    def calls(self) -> list[str]:
        return ["".join(request.texts) for request in self.requests]


def embedder(number: int, *script: Any, model: str = "m", **fields: Any) -> tuple[FakeEmbedder, Instance]:
    adapter = FakeEmbedder(*script, mark=float(ord(model[0])), **{k: fields.pop(k) for k in ("size",) if k in fields})
    return adapter, instance(number, adapter, **{"model": model, "api": EMBEDS, **fields})


def embedding(
    *instances: Instance,
    max_retries: int = 5,
    tasks: Iterable[TaskDefinition] = (),
    unsupported_params: Literal["warn", "error"] = "warn",
) -> tuple[Core, Callable[..., EmbeddingResponse]]:
    world = core(*instances)
    clock, emitter = world.clock, Emitter([world.usage, world.recorder])
    loop = AttemptLoop(Attempts(world.pool, clock, emitter, unsupported_params), world.pool, clock, max_retries)
    runner, jobs = Embeddings(loop, clock, emitter), Jobs(clock, tasks, None)

    def embed(texts: Iterable[str] = TEXTS, **fields: Any) -> EmbeddingResponse:
        return runner.run(jobs.embedding(EmbeddingRequest(texts=tuple(texts), **fields)))

    return world, embed


def letters(response: EmbeddingResponse) -> str:
    return "".join(chr(int(vector[1])) for vector in response.embeddings)


def models(response: EmbeddingResponse) -> set[str]:
    return {chr(int(vector[0])) for vector in response.embeddings}


def test_texts_are_sent_in_calls_that_the_provider_takes_and_come_back_in_order() -> None:
    adapter, only = embedder(0)
    world, embed = embedding(only)
    response = embed()
    assert adapter.calls == ["ab", "cd", "e"]
    assert letters(response) == "abcde"
    assert response.usage == TokenUsage(5, 0, 5)
    assert (response.provider, response.model, response.instance_name) == ("openai", "m", "i0")
    assert [attempt.outcome for attempt in response.attempts] == ["success"] * 3
    assert [attempt.number for attempt in response.attempts] == [1, 2, 3]
    assert response.raw == [{"n": 2}, {"n": 2}, {"n": 1}]
    assert response.cost is None
    assert world.usage.total().prompt_tokens == 5


def test_calls_go_to_any_instance_of_one_model() -> None:
    """Another key of the same model takes over; the other model is not mixed in."""
    first, a = embedder(0, "ok", ServerError("down"))
    second, b = embedder(1)
    other, c = embedder(2, model="x")
    _, embed = embedding(a, c, b)
    response = embed()
    assert (letters(response), models(response)) == ("abcde", {"m"})
    assert (first.calls[:2], second.calls[:1], other.calls) == (["ab", "cd"], ["cd"], [])


def test_where_a_model_cannot_finish_all_begins_again_at_another() -> None:
    first, a = embedder(0, "ok", *[ServerError("down") for _ in range(20)])
    other, b = embedder(1, model="x")
    world, embed = embedding(a, b, max_retries=2)
    response = embed()
    assert (letters(response), models(response)) == ("abcde", {"x"})
    assert (first.calls, other.calls) == (["ab", "cd", "cd", "cd"], ["ab", "cd", "e"])
    assert len(response.attempts) == 7
    assert (response.usage.prompt_tokens, world.usage.total().prompt_tokens) == (5, 7)
    assert [event.response.error for event in world.recorder.requests] == [None]


def test_before_the_first_answer_any_model_will_do() -> None:
    _, a = embedder(0, ServerError("down"), ServerError("down"))
    _, b = embedder(1, model="x")
    _, embed = embedding(a, b)
    assert models(embed()) == {"x"}


def test_a_refused_text_is_tried_at_each_model_once() -> None:
    refusal = InvalidRequestError("an empty text", status_code=400)
    first, a = embedder(0, "ok", refusal)
    other, b = embedder(1, "ok", refusal, model="x")
    world, embed = embedding(a, b)
    with pytest.raises(InvalidRequestError, match="empty text") as caught:
        embed()
    assert (first.calls, other.calls) == (["ab", "cd"], ["ab", "cd"])
    assert len(caught.value.attempts) == 4
    assert [type(event.response.error) for event in world.recorder.requests] == [InvalidRequestError]


def test_without_retries_nothing_begins_again() -> None:
    _, a = embedder(0, "ok", ServerError("down"))
    other, b = embedder(1, model="x")
    _, embed = embedding(a, b, max_retries=0)
    with pytest.raises(ServerError):
        embed()
    assert other.calls == []


def test_vectors_of_another_length_are_no_answer() -> None:
    """Two instances of one model that are set to different dimensions cannot serve the same texts."""
    first, a = embedder(0, "ok", ServerError("down"))
    second, b = embedder(1, size=4)
    _, embed = embedding(a, b)
    response = embed()
    assert {len(vector) for vector in response.embeddings} == {3}
    assert (first.calls, second.calls) == (["ab", "cd", "cd", "e"], ["cd"])
    assert [attempt.outcome for attempt in response.attempts][1:3] == ["ServerError", "ParseError"]


def test_only_instances_that_can_embed_are_asked() -> None:
    plain = FakeProvider()
    _, able = embedder(1)
    _, embed = embedding(instance(0, plain), able)
    embed()
    assert plain.requests == []


def test_nobody_who_can_embed_is_one_clear_error() -> None:
    _, embed = embedding(instance(0, tasks=frozenset({"index"})))
    with pytest.raises(NoInstanceError) as caught:
        embed(task="index")
    assert str(caught.value).startswith("no instance that supports task 'index' can embed. Providers that can: openai,")
    assert "anthropic" not in str(caught.value)
    with pytest.raises(NoInstanceError, match="no instance supports task 'other'"):
        embed(task="other")


def test_the_task_and_its_parameters_hold() -> None:
    adapter, a = embedder(0, tasks=frozenset({"index"}), params={"dimensions": 8, "own": 1})
    other, b = embedder(1)
    task = TaskDefinition("index", {"dimensions": 4}, provider_params={"openai": {"user": "u"}})
    _, embed = embedding(b, a, tasks=[task])
    response = embed(["a"], task="index", params={"truncate": True})
    assert dict(adapter.requests[0].params) == {"dimensions": 4, "own": 1, "user": "u", "truncate": True}
    assert (response.task, other.calls, response.dropped_params) == ("index", [], ())


def test_common_parameters_that_cannot_be_taken_are_dropped_and_told() -> None:
    bare = ApiSpec("c", "nowhere:N", "/c", "/v1", {"temperature": "t"}, can=NEEDS, embedding=EmbeddingSpec("/e", 9))
    _, a = embedder(0, api=bare)
    _, embed = embedding(a)
    assert embed(params={"dimensions": 4, "temperature": 0.5, "own": 1}).dropped_params == ("dimensions", "temperature")


def test_the_deadline_is_over_all_calls() -> None:
    clock: list[Any] = []

    def slow(request: ProviderRequest) -> str:
        clock[0].advance(4.0)
        return "ok"

    adapter = FakeEmbedder(otherwise=slow)
    world, embed = embedding(instance(0, adapter, model="m", api=EMBEDS))
    clock.append(world.clock)
    with pytest.raises(DeadlineExceededError):
        embed(timeout=6.0)
    assert adapter.calls == ["ab", "cd"]
    assert [request.timeout for request in adapter.requests] == [6.0, 2.0]


def test_a_refusal_for_load_is_waited_for() -> None:
    adapter, a = embedder(0, "ok", RateLimitError("slow down", status_code=429, retry_after=3.0))
    world, embed = embedding(a)
    began = world.clock.monotonic()
    assert letters(embed()) == "abcde"
    assert world.clock.monotonic() - began >= 3.0
    assert adapter.calls == ["ab", "cd", "cd", "e"]


@pytest.mark.parametrize(
    "error", [ModelNotFoundError("no embeddings", status_code=404), AuthenticationError("not allowed", status_code=403)]
)
def test_a_chat_model_that_does_not_embed_goes_on_answering(error: Any) -> None:
    """That its API can embed does not say that the model can."""
    _, a = embedder(0, *[error] * 9, model="chat")
    _, b = embedder(1)
    world, embed = embedding(a, b)
    for _ in range(3):
        assert models(embed()) == {"m"}
    assert world.pool.snapshots()[0].health == "closed"
    assert world.recorder.instances == []


def test_a_wrong_key_is_still_left_alone() -> None:
    _, a = embedder(0, AuthenticationError("no such key", status_code=401))
    _, b = embedder(1)
    world, embed = embedding(a, b)
    embed()
    assert world.pool.snapshots()[0].health == "open"


def test_observers_see_an_answer_without_content() -> None:
    _, a = embedder(0)
    world, embed = embedding(a)
    response = embed(metadata={"for": "me"})
    (event,) = world.recorder.requests
    assert isinstance(event.request, EmbeddingRequest)
    assert (event.request.texts, event.request.metadata) == (tuple(TEXTS), {"for": "me"})
    assert (event.response.content, event.response.usage, event.id) == ("", response.usage, response.id)
    assert event.response.attempts == response.attempts
    assert [attempt.content for attempt in world.recorder.attempts] == ["", "", ""]
    assert len(world.recorder.starts) == 3


def test_the_cost_is_that_of_all_calls() -> None:
    _, a = embedder(0, price=Price(input=2.0))
    _, embed = embedding(a)
    assert embed().cost == pytest.approx(5 * 2.0 / 1e6)


@pytest.mark.parametrize(
    ("texts", "fault"),
    [
        ((), "there are no texts to embed"),
        (("a", 1), r"texts\[1\] must be text, not int"),
        (("a", None), r"texts\[1\] must be text, not NoneType"),
        (("\ud800",), r"texts\[0\] holds a lone surrogate"),
    ],
)
def test_what_is_no_text_is_refused_before_anything_is_sent(texts: Any, fault: str) -> None:
    adapter, a = embedder(0)
    world, embed = embedding(a)
    with pytest.raises(ConfigError, match=fault):
        embed(texts)
    assert (adapter.calls, world.recorder.requests) == ([], [])


def test_an_answer_that_is_none_fails_over() -> None:
    first, a = embedder(0, ParseError("1 embeddings came for 2 texts"))
    second, b = embedder(1)
    _, embed = embedding(a, b)
    assert letters(embed()) == "abcde"
    assert (first.calls, second.calls) == (["ab", "cd", "e"], ["ab"])


def test_a_parameter_that_cannot_be_taken_may_be_an_error() -> None:
    """Where the manager is that strict, another instance may take it."""
    bare = replace(EMBEDS, embedding=EmbeddingSpec("/e", 2))
    refusing, a = embedder(0, api=bare)
    _, b = embedder(1, model="x")
    _, embed = embedding(a, b, unsupported_params="error")
    assert models(embed(params={"dimensions": 3})) == {"x"}
    assert refusing.calls == []
    _, embed = embedding(a, unsupported_params="error")
    with pytest.raises(InvalidRequestError, match="openai does not take dimensions"):
        embed(params={"dimensions": 3})


ERRORS = (
    lambda: ServerError("down"),
    lambda: RequestError("cut"),
    lambda: RequestError("refused", sent=False),
    lambda: ParseError("half"),
    lambda: RateLimitError("slow down", status_code=429, retry_after=1.0),
    lambda: OverloadedError("busy", status_code=529),
    lambda: InvalidRequestError("no", status_code=400),
    lambda: ContextLengthError("too long", status_code=400),
    lambda: AuthenticationError("no such key", status_code=401),
    lambda: QuotaExceededError("spent", status_code=402),
    lambda: ModelNotFoundError("gone", status_code=404),
    lambda: ValueError("a bug"),
)


@given(
    st.lists(
        st.tuples(st.sampled_from("mx"), st.lists(st.none() | st.sampled_from(range(len(ERRORS))), max_size=12)),
        min_size=1,
        max_size=4,
    ),
    st.integers(1, 9),
    st.integers(0, 3),
)
def test_whatever_happens_all_vectors_are_of_one_model_and_in_order_or_there_are_none(
    scripts: list[tuple[str, list[int | None]]], texts: int, max_retries: int
) -> None:
    """And every call is in the ledger, once."""
    made = [
        embedder(n, *("ok" if step is None else ERRORS[step]() for step in steps), model=model)
        for n, (model, steps) in enumerate(scripts)
    ]
    world, embed = embedding(*(item for _, item in made), max_retries=max_retries)
    asked = "abcdefghi"[:texts]
    try:
        response = embed(asked, timeout=600.0)
    except LLMError as error:
        attempts = error.attempts
        assert isinstance(world.recorder.requests[0].response.error, LLMError)
    else:
        attempts = response.attempts
        assert letters(response) == asked
        assert len(models(response)) == 1
        assert response.usage.prompt_tokens == texts
    assert len(world.recorder.requests) == 1
    assert len(attempts) == sum(len(adapter.requests) for adapter, _ in made) == len(world.recorder.attempts)
    assert [attempt.number for attempt in attempts] == list(range(1, len(attempts) + 1))
    assert world.pool.in_flight() == 0


def test_where_the_last_instance_of_the_model_is_gone_another_model_begins() -> None:
    """Closed amid the texts, by whoever runs it."""
    worlds: list[Core] = []

    def closing(request: ProviderRequest) -> str:
        worlds[0].disable(0)
        return "ok"

    adapter = FakeEmbedder(closing, mark=float(ord("m")))
    _, b = embedder(1, model="x")
    world, embed = embedding(instance(0, adapter, model="m", api=EMBEDS), b)
    worlds.append(world)
    assert models(embed()) == {"x"}
    assert adapter.calls == ["ab"]


def test_the_error_of_an_earlier_model_may_be_the_one_to_act_on() -> None:
    """It has the attempts at all models."""
    _, a = embedder(0, "ok", AuthenticationError("no such key", status_code=401))
    _, b = embedder(1, *[ServerError("down") for _ in range(9)], model="x")
    _, embed = embedding(a, b, max_retries=1)
    with pytest.raises(AuthenticationError) as caught:
        embed()
    assert [attempt.model for attempt in caught.value.attempts] == ["m", "m", "x", "x"]


def test_what_was_refused_after_the_deadline_is_told_rather_than_that_it_was_late() -> None:
    worlds: list[Core] = []

    def late(request: ProviderRequest) -> str:
        worlds[0].clock.advance(10.0)
        raise InvalidRequestError("an empty text", status_code=400)

    adapter = FakeEmbedder("ok", late)
    _, b = embedder(1, model="x")
    world, embed = embedding(instance(0, adapter, model="m", api=EMBEDS), b)
    worlds.append(world)
    with pytest.raises(InvalidRequestError):
        embed(timeout=5.0)


def test_the_task_s_timeout_is_the_deadline_too() -> None:
    adapter, a = embedder(0, tasks=frozenset({"index"}))
    _, embed = embedding(a, tasks=[TaskDefinition("index", timeout=6.0)])
    embed(task="index")
    assert adapter.requests[0].timeout == 6.0


def test_a_refusal_to_embed_does_not_add_to_doubts_about_the_key() -> None:
    """Two 403s in a row would be the key's fault."""
    denied = AuthenticationError("not allowed", status_code=403)
    _, a = embedder(0, denied, denied)
    world, embed = embedding(a)
    with pytest.raises(AuthenticationError):
        embed()
    assert isinstance(world.run().error, AuthenticationError)
    assert world.pool.snapshots()[0].health == "closed"
