"""Embeddings: all APIs that have them times all cases, over real SDKs and real sockets."""

import json
import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from math import hypot
from typing import Any

import pytest

from flyllm import (
    AuthenticationError,
    ConfigError,
    ContextLengthError,
    DeadlineExceededError,
    EmbeddingRequest,
    InvalidRequestError,
    LLMError,
    LLMManager,
    ManagerClosedError,
    ModelNotFoundError,
    NoInstanceError,
    OverloadedError,
    ParseError,
    QuotaExceededError,
    RateLimitError,
    RequestError,
    ServerError,
)
from flyllm._secret import Secret
from flyllm.providers.base import EmbeddingSpec, ProviderSettings
from flyllm.providers.capabilities import EMBED
from flyllm.providers.registry import REGISTRY, create_provider
from flyllm.testing import Behaviour, ErrorKind, Fault, ProviderSimulator, SimulatedProvider
from tests.contract.cases import BROKEN, CANARY, UNREADABLE, fresh, kept

ROWS = [(spec.name, api.name) for spec in REGISTRY.values() for api in spec.apis if api.embedding is not None]
ERRORS: dict[ErrorKind, type[LLMError] | tuple[type[LLMError], ...]] = {
    ErrorKind.INVALID_REQUEST: InvalidRequestError,
    ErrorKind.AUTHENTICATION: AuthenticationError,
    ErrorKind.QUOTA: (QuotaExceededError, RateLimitError),
    ErrorKind.PERMISSION: AuthenticationError,
    ErrorKind.MODEL_NOT_FOUND: ModelNotFoundError,
    ErrorKind.CONTEXT_LENGTH: ContextLengthError,
    ErrorKind.RATE_LIMIT: RateLimitError,
    ErrorKind.SERVER_ERROR: ServerError,
    ErrorKind.OVERLOADED: (OverloadedError, ServerError),
}
REFUSES_EMPTY = {"openai", "perplexity", "google"}
"""Providers that document that a text must not be empty, or refuse it."""


class Case:
    """One row: its simulated provider, and a manager with one instance of it and no retries."""

    def __init__(self, provider: str, api: str, server: SimulatedProvider) -> None:
        self.provider, self.api, self.server = provider, api, server
        spec = REGISTRY[provider].api(api).embedding
        assert spec is not None
        self.spec: EmbeddingSpec = spec
        self.manager = self.build(max_retries=0)

    def build(self, *others: SimulatedProvider, max_retries: int = 5) -> LLMManager:
        """Return a manager with an instance of model "m" at this server, and one at each of the `others`."""
        builder = LLMManager.builder()
        for server in (self.server, *others):
            builder = builder.add_instance(self.provider, "m", CANARY, api=self.api).custom_endpoint(server.url)
        return builder.max_retries(max_retries).default_attempt_timeout(5.0).build()

    def embed(self, *texts: str, **options: Any) -> list[tuple[float, ...]]:
        return list(self.manager.embed(texts, **options).embeddings)

    @property
    def body(self) -> dict[str, Any]:
        body: dict[str, Any] = self.server.requests[-1].body
        return body

    def sent(self, number: int = -1) -> list[str]:
        """The texts of a request, as they were on the wire."""
        body = self.server.requests[number].body
        if "requests" in body:
            return [request["content"]["parts"][0]["text"] for request in body["requests"]]
        found: list[str] = body.get("texts") or body["input"]
        return found


@pytest.fixture(scope="module")
def cases() -> Iterator[Callable[[str, str], Case]]:
    with kept(Case) as made:
        yield made


@pytest.fixture(params=ROWS, ids=lambda row: f"{row[0]}-{row[1]}")
def case(request: pytest.FixtureRequest, cases: Callable[[str, str], Case]) -> Case:
    return fresh(cases(*request.param))


def test_what_the_registry_says_of_embeddings_is_true_of_the_adapters() -> None:
    """The word, the numbers and the method go together; Anthropic and Groq have none of them."""
    able = set()
    for spec in REGISTRY.values():
        for api in spec.apis:
            adapter = create_provider(ProviderSettings(spec, api, Secret("k"), spec.root + api.version))
            assert (EMBED in api.can) is (api.embedding is not None)
            if api.embedding is not None:
                assert callable(getattr(adapter, "embed", None))
                able.add(spec.name)
            adapter.close()
    assert set(REGISTRY) - able == {"anthropic", "groq"}


def test_one_text_is_one_request_and_one_vector(case: Case) -> None:
    response = case.manager.embed("A text")
    (vector,) = response.embeddings
    assert len(vector) == 16
    assert all(type(number) is float for number in vector)
    assert hypot(*vector) == pytest.approx(127 if case.provider == "perplexity" else 1.0, rel=0.02)
    assert (case.server.count, case.sent()) == (1, ["A text"])
    assert (response.provider, response.model, len(response.attempts)) == (case.provider, "m", 1)
    assert response.attempts[0].success


def test_tokens_are_told_where_the_provider_tells_them(case: Case) -> None:
    """Gemini's own API and Together do not: it is not known rather than nothing."""
    usage = case.manager.embed(["a" * 40, "b" * 40]).usage
    silent = case.provider == "togetherai" or case.api == "generate_content"
    told = (None, None, None) if silent else (20, 0, 20)
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == told


def test_many_texts_are_split_by_the_provider_s_limit(case: Case) -> None:
    """One after the other, and the vectors are those of the texts sent alone."""
    texts = [f"text {n}" for n in range(2 * case.spec.texts + 3)]
    response = case.manager.embed(texts)
    assert [len(case.sent(n)) for n in range(case.server.count)] == [case.spec.texts, case.spec.texts, 3]
    assert [text for n in range(case.server.count) for text in case.sent(n)] == texts
    assert len(response.embeddings) == len(texts)
    assert [response.embeddings[n] for n in (0, case.spec.texts, -1)] == case.embed(
        texts[0], texts[case.spec.texts], texts[-1]
    )
    assert (len(response.attempts), len(response.raw)) == (3, 3)


def test_long_texts_are_split_by_the_provider_s_limit_of_tokens(case: Case) -> None:
    long = "word " * 2000
    response = case.manager.embed([long] * 90)
    assert len(response.embeddings) == 90
    assert case.server.count == (1 if case.spec.tokens is None else -(-90 // (case.spec.tokens // 5000)))


def test_every_script_arrives_as_it_is(case: Case) -> None:
    texts = ["Größe", "日本語", "🙂👩‍👩‍👧", 'quote " and \\ and \n', "\u2028\x00\x7f", " "]
    assert len(set(case.embed(*texts))) == len(texts)
    assert case.sent() == texts


def test_a_text_decides_its_vector(case: Case) -> None:
    first, second, third = case.embed("a", "b", "a")
    assert first == third != second


def test_an_empty_list_is_refused_before_anything_is_sent(case: Case) -> None:
    with pytest.raises(ConfigError, match="there are no texts to embed"):
        case.manager.embed([])
    assert case.server.count == 0


def test_an_empty_text_is_the_provider_s_to_refuse(case: Case) -> None:
    if case.provider in REFUSES_EMPTY:
        with pytest.raises(InvalidRequestError):
            case.embed("a", "")
    else:
        assert len(case.embed("a", "")) == 2
    assert case.server.count == 1


def test_dimensions_are_asked_for_by_the_provider_s_name(case: Case) -> None:
    """Or left out and told, where there is no such parameter."""
    response = case.manager.embed("a", dimensions=8)
    name = case.spec.params.get("dimensions")
    body = case.body["requests"][0] if "requests" in case.body else case.body
    if name is None:
        assert (len(response.embeddings[0]), response.dropped_params) == (16, ("dimensions",))
        assert "dimensions" not in body
    else:
        assert (len(response.embeddings[0]), response.dropped_params, body[name]) == (8, (), 8)


def test_other_parameters_are_passed_through_and_those_of_chats_are_dropped(case: Case) -> None:
    response = case.manager.embed("a", own={"x": 1}, temperature=0.5)
    body = case.body["requests"][0] if "requests" in case.body else case.body
    assert body.get("own", body.get("options", {}).get("own")) == {"x": 1}
    assert response.dropped_params == ("temperature",)
    assert "temperature" not in json.dumps(case.body)


@pytest.mark.parametrize("kind", ERRORS, ids=lambda kind: kind.name)
def test_errors_are_those_of_other_calls(case: Case, kind: ErrorKind) -> None:
    case.server.fail(kind)
    with pytest.raises(ERRORS[kind]) as caught:
        case.embed("a")
    assert case.server.count == 1
    assert (caught.value.provider, len(caught.value.attempts)) == (case.provider, 1)


@pytest.mark.parametrize("fault", UNREADABLE, ids=lambda fault: fault.name)
def test_what_is_no_answer_is_a_parse_error(case: Case, fault: Fault) -> None:
    case.server.enqueue(fault)
    with pytest.raises(ParseError):
        case.embed("a", "b")
    assert case.server.count == 1


@pytest.mark.parametrize("fault", BROKEN, ids=lambda fault: fault.name)
def test_a_broken_connection_is_a_request_error(case: Case, fault: Fault) -> None:
    case.server.enqueue(fault)
    with pytest.raises(RequestError):
        case.embed("a", "b")


def test_vectors_for_other_texts_than_were_sent_are_a_parse_error(case: Case) -> None:
    """Fewer, more, of different lengths, empty, or no numbers."""
    whole = json.dumps(case.manager.embed(["a", "b"]).raw[0])
    for change in (fewer, more, longer, emptied, worded):
        case.server.enqueue(Behaviour(body=json.dumps(_altered(json.loads(whole), change)).encode()))
        with pytest.raises(ParseError):
            case.embed("a", "b")


def fewer(vectors: list[Any]) -> None:
    del vectors[-1]


def more(vectors: list[Any]) -> None:
    vectors.append(vectors[-1])


def longer(vectors: list[Any]) -> None:
    _put(vectors, [0.5])


def emptied(vectors: list[Any]) -> None:
    _put(vectors, [])


def worded(vectors: list[Any]) -> None:
    _put(vectors, ["a"] * 16)


def _put(vectors: list[Any], value: Any) -> None:
    if not isinstance(vectors[-1], dict):
        vectors[-1] = value
    else:
        vectors[-1]["values" if "values" in vectors[-1] else "embedding"] = value


def _altered(answer: dict[str, Any], change: Callable[[list[Any]], None]) -> dict[str, Any]:
    """Change the list of vectors in an answer of any shape."""
    found = answer.get("data") or answer.get("embeddings")
    change(found["float"] if isinstance(found, dict) else found)
    return answer


def test_another_key_of_the_model_takes_over(case: Case) -> None:
    """Amid the texts, and what was embedded before is not sent again."""
    texts = [f"text {n}" for n in range(case.spec.texts + 2)]
    with ProviderSimulator() as sim:
        second = sim.add(case.provider)
        with case.build(second) as manager:
            case.server.enqueue("ok").then(500, times=3)
            second.enqueue("ok").then(500, times=3)
            response = manager.embed(texts)
        assert len(response.embeddings) == len(texts)
        sent = sum(len(r.body.get("requests") or r.body.get("texts") or r.body["input"]) for r in second.requests)
        assert case.server.count + second.count == len(response.attempts)
        assert sent + sum(len(case.sent(n)) for n in range(case.server.count)) < 2 * len(texts)


def test_a_refusal_for_load_is_obeyed(case: Case) -> None:
    """And costs nobody an answer."""
    case.server.fail(ErrorKind.RATE_LIMIT, retry_after=0.3)
    with case.build() as manager:
        response = manager.embed("a", timeout=10.0)
    assert [attempt.outcome for attempt in response.attempts] == ["RateLimitError", "success"]
    assert response.attempts[1].started - response.attempts[0].started >= 0.3


def test_the_deadline_is_kept(case: Case) -> None:
    case.embed("a")
    case.server.set(latency=20.0)
    with pytest.raises(DeadlineExceededError) as caught:
        case.embed("a", timeout=1.0)
    assert len(caught.value.attempts) == 1


def test_the_key_is_told_to_nobody_but_the_provider(case: Case, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    case.embed("a")
    case.server.fail(ErrorKind.AUTHENTICATION, message=f"wrong key {CANARY}")
    with pytest.raises(AuthenticationError) as caught:
        case.embed("a")
    assert CANARY not in str(caught.value) + repr(caught.value) + caplog.text
    assert case.server.requests[0].key == CANARY


@pytest.mark.parametrize(("first", "second"), [("openai", "cohere"), ("google", "mistral"), ("ollama", "perplexity")])
def test_where_one_model_is_down_the_other_one_answers_all(first: str, second: str) -> None:
    """Never a mixture, also where it goes down in the middle."""
    with ProviderSimulator() as sim:
        builder = LLMManager.builder()
        for name in (first, second):
            builder = builder.add_instance(name, "m", "key-123456", priority=int(name == second))
            builder = builder.custom_endpoint(sim.url(name))
        with builder.max_retries(2).build() as manager:
            spec = REGISTRY[first].apis[0].embedding
            assert spec is not None
            texts = [f"text {n}" for n in range(spec.texts + 1)]
            sim[first].enqueue("ok").always(500)
            response = manager.embed(texts)
            alone = manager.embed(texts[:1])
        assert (response.provider, len(response.embeddings)) == (second, len(texts))
        assert len({len(vector) for vector in response.embeddings}) == 1
        assert response.embeddings[0] == alone.embeddings[0]
        assert {a.provider for a in response.attempts if a.success} == {first, second}


def test_chat_instances_of_providers_without_embeddings_are_left_alone() -> None:
    with ProviderSimulator() as sim:
        builder = LLMManager.builder()
        for name in ("anthropic", "groq"):
            builder = builder.add_instance(name, "m", "key-123456").custom_endpoint(sim.url(name))
        with (
            builder.build() as manager,
            pytest.raises(NoInstanceError, match="can embed\\. Providers that can: openai"),
        ):
            manager.embed("a")
        assert sim["anthropic"].count == sim["groq"].count == 0


def test_usage_and_requests_are_counted() -> None:
    with ProviderSimulator() as sim:
        builder = LLMManager.builder().add_instance(
            "openai", "text-embedding-3-small", "key-123456", endpoint=sim.url(), input_cost=0.02, output_cost=0
        )
        with builder.build() as manager:
            response = manager.embed(["a" * 400] * 10)
            report = manager.usage_report()
    assert len(response.embeddings[0]) == 1536
    assert response.cost == pytest.approx(1000 * 0.02 / 1e6)
    assert (report.total.spent.tokens.prompt_tokens, report.total.attempts.succeeded) == (1000, 1)
    assert report.total.requests.succeeded == 1


def test_a_closed_manager_embeds_nothing() -> None:
    with ProviderSimulator() as sim:
        manager = LLMManager.builder().add_instance("ollama", "m").custom_endpoint(sim.url("ollama")).build()
        manager.close()
        with pytest.raises(LLMError, match="closed"):
            manager.embed("a")


def test_closing_the_manager_ends_what_is_under_way() -> None:
    with ProviderSimulator() as sim:
        server = sim["openai"].set(latency=30.0)
        manager = LLMManager.builder().add_instance("openai", "m", "key-123456", endpoint=server.url).build()
        with ThreadPoolExecutor(1) as pool:
            under_way = pool.submit(manager.embed, "a")
            assert server.wait_for(lambda s: s.in_flight == 1)
            manager.close(0.0)
            with pytest.raises(ManagerClosedError):
                under_way.result(10.0)


def test_many_threads_embed_at_once() -> None:
    """Each gets the vectors of its own texts."""
    with ProviderSimulator() as sim:
        builder = LLMManager.builder()
        for _ in range(2):
            builder = builder.add_instance("cohere", "m", "key-123456", endpoint=sim.url("cohere"), max_concurrency=3)
        with builder.build() as manager, ThreadPoolExecutor(16) as pool:
            lists = [[f"{n}-{place}" for place in range(100)] for n in range(40)]
            for texts, response in zip(lists, pool.map(manager.embed, lists), strict=True):
                assert response.embeddings[99] == manager.embed(texts[99]).embeddings[0]
        assert sim["cohere"].peak_in_flight <= 6


@pytest.mark.parametrize("texts", [None, 5, b"a", {"a": 1}, {"a"}], ids=str)
def test_texts_come_in_an_order(texts: Any) -> None:
    manager = LLMManager.builder().add_instance("ollama", "m").build()
    with manager, pytest.raises(ConfigError, match="texts must be text or a list of texts, not"):
        manager.embed(texts)


def test_a_request_to_embed_is_not_one_to_answer() -> None:
    request = EmbeddingRequest(texts=("a",))
    with LLMManager.builder().add_instance("ollama", "m").build() as manager:
        with pytest.raises(ConfigError, match="cannot be answered"):
            manager.generate(request)
        assert isinstance(manager.generate_sequentially([request])[0].error, ConfigError)
