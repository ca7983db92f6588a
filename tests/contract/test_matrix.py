"""The contract of every adapter: all rows of the registry times all cases, over real SDKs and real sockets."""

import json
import logging
import pickle
import traceback
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest

from flyllm import (
    APIError,
    AuthenticationError,
    ContentFilterError,
    ContextLengthError,
    GenerationRequest,
    InvalidRequestError,
    LLMError,
    LLMManager,
    LLMResponse,
    ModelNotFoundError,
    OverloadedError,
    ParseError,
    QuotaExceededError,
    RateLimitError,
    RequestError,
    ServerError,
    StreamInterruptedError,
)
from flyllm.providers.registry import REGISTRY
from flyllm.request import COMMON_PARAMS
from flyllm.testing import (
    ErrorKind,
    Fault,
    Reply,
    SimulatedProvider,
    SimulatedToolCall,
    StreamFault,
    cut,
    error_event,
    garbage,
)
from tests.contract.cases import BROKEN, CANARY, UNREADABLE, fresh, kept

ROWS = [(spec.name, api.name) for spec in REGISTRY.values() for api in spec.apis]
PARAMS = {
    "max_tokens": 77,
    "temperature": 0.25,
    "top_p": 0.75,
    "top_k": 33,
    "stop": ["END-OF-STORY"],
    "seed": 4242,
    "presence_penalty": 0.125,
    "frequency_penalty": 0.375,
}
ERRORS = {
    ErrorKind.INVALID_REQUEST: InvalidRequestError,
    ErrorKind.AUTHENTICATION: AuthenticationError,
    ErrorKind.QUOTA: QuotaExceededError,
    ErrorKind.PERMISSION: AuthenticationError,
    ErrorKind.MODEL_NOT_FOUND: ModelNotFoundError,
    ErrorKind.CONTEXT_LENGTH: ContextLengthError,
    ErrorKind.CONTENT_FILTER: ContentFilterError,
    ErrorKind.RATE_LIMIT: RateLimitError,
    ErrorKind.SERVER_ERROR: ServerError,
    ErrorKind.OVERLOADED: (OverloadedError, ServerError),
}
OTHERWISE: dict[tuple[str, str, ErrorKind], type[LLMError]] = {
    # Google words every 429 as an exceeded quota, also one that a minute's wait cures.
    ("google", "chat_completions", ErrorKind.QUOTA): RateLimitError,
    ("ollama", "chat_completions", ErrorKind.QUOTA): RateLimitError,
}


class Case:
    """One row under test: its simulated provider and a manager with one instance of it and no retries."""

    def __init__(self, provider: str, api: str, server: SimulatedProvider) -> None:
        self.provider, self.api, self.server = provider, api, server
        self.spec = REGISTRY[provider].api(api)
        self.manager = self.build(server.url)

    def build(self, endpoint: str, **options: Any) -> LLMManager:
        """Return a manager for this row."""
        builder = LLMManager.builder().add_instance(self.provider, "model-1", CANARY, api=self.api, **options)
        return builder.custom_endpoint(endpoint).max_retries(0).default_attempt_timeout(5.0).build()

    def generate(self, prompt: str = "Say something", **request: Any) -> LLMResponse:
        """Send one plain call."""
        return self.manager.generate(GenerationRequest(prompt, **request))

    def read_stream(self, prompt: str = "Say something", **request: Any) -> tuple[str, LLMResponse | None]:
        """Send one streamed call and read it whole."""
        with self.manager.generate_stream(GenerationRequest(prompt, **request)) as stream:
            text = "".join(chunk.content for chunk in stream)
        return text, stream.response

    @property
    def body(self) -> dict[str, Any]:
        """The body of the last request on the wire."""
        body: dict[str, Any] = self.server.requests[-1].body
        return body


@pytest.fixture(scope="module")
def cases() -> Iterator[Callable[[str, str], Case]]:
    with kept(Case) as made:
        yield made


@pytest.fixture(params=ROWS, ids=lambda row: f"{row[0]}-{row[1]}")
def case(request: pytest.FixtureRequest, cases: Callable[[str, str], Case]) -> Case:
    return fresh(cases(*request.param))


def everything_in(value: Any) -> Iterator[tuple[str, Any]]:
    """Yield all (key, value) pairs of nested JSON."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield key, item
            yield from everything_in(item)
    elif isinstance(value, list):
        for item in value:
            yield from everything_in(item)


def holds(body: Any, name: str, value: Any) -> bool:
    """Whether `name: value` stands anywhere in `body`, in snake or camel case."""
    head, *rest = name.split("_")
    names = {name, head + "".join(word.title() for word in rest)}
    return any(key in names and item == value for key, item in everything_in(body))


def test_a_call_brings_text_usage_model_and_finish(case: Case) -> None:
    """A plain call is one wire request with the given key, and every field of the answer is filled."""
    case.server.reply(Reply("Hello wörld ✓", prompt_tokens=11, completion_tokens=7))
    response = case.generate()
    assert (response.content, response.finish_reason, response.success) == ("Hello wörld ✓", "stop", True)
    assert (response.usage.prompt_tokens, response.usage.completion_tokens, response.usage.total_tokens) == (11, 7, 18)
    assert response.provider == case.provider
    assert response.model
    assert len(response.attempts) == 1
    assert [request.key for request in case.server.requests] == [CANARY]


def test_a_stream_brings_the_same_as_a_call(case: Case) -> None:
    """A streamed answer has the whole text, the same usage and finish, and is one wire request."""
    case.server.reply(Reply("Hello wörld ✓ and more", prompt_tokens=11, completion_tokens=7))
    text, response = case.read_stream()
    assert text == "Hello wörld ✓ and more"
    assert response is not None
    assert (response.content, response.finish_reason) == (text, "stop")
    assert (response.usage.prompt_tokens, response.usage.completion_tokens) == (11, 7)
    assert case.server.count == 1


def test_calls_and_streams_reuse_their_connection(case: Case) -> None:
    """After a whole call or stream the connection serves the next one."""
    case.generate()
    before = case.server.connections
    for _ in range(3):
        case.read_stream()
        case.generate()
    assert case.server.connections - before <= 0
    assert case.server.count == 7


def test_the_system_prompt_reaches_the_wire(case: Case) -> None:
    """A system prompt is somewhere in the body, next to the user's text."""
    case.generate("What is up?", system="You are terse.")
    text = repr(case.body)
    assert "You are terse." in text
    assert "What is up?" in text


def test_every_common_parameter_is_sent_or_reported_as_dropped(case: Case) -> None:
    """No parameter is lost silently: each is on the wire under the row's name, or in `dropped_params`."""
    response = case.generate(params=PARAMS)
    assert {*PARAMS, "reasoning_effort"} == set(COMMON_PARAMS)  # which has words of its own: `test_reasoning`
    for name in PARAMS:
        sent = name in case.spec.params and holds(case.body, case.spec.params[name], PARAMS[name])
        assert sent != (name in response.dropped_params), name


def test_an_unknown_parameter_passes_through(case: Case) -> None:
    """A parameter that flyllm does not know reaches the provider untouched, in calls and streams.

    What the provider makes of it is its own business: Mistral refuses what it does not know.
    """
    for send, value in ((case.generate, {"deep": [1, 2.5, None]}), (case.read_stream, "x")):
        with suppress(InvalidRequestError):
            send(params={"my_new_knob": value})
        assert holds(case.body, "my_new_knob", value)


def test_length_is_reported_as_length(case: Case) -> None:
    """An answer cut by its token limit ends with "length" under every provider's word for it."""
    if (case.provider, case.api) == ("perplexity", "responses"):
        pytest.skip("Perplexity's Agent API documents no word for an answer cut by its limit")
    case.server.reply(Reply("Half an", finish="length", completion_tokens=3))
    assert case.generate().finish_reason == "length"
    assert case.read_stream()[1].finish_reason == "length"  # type: ignore[union-attr]


def test_tool_calls_are_read_whole(case: Case) -> None:
    """Tool calls come with name, arguments and an id, in calls and assembled from streams."""
    if (case.provider, case.api) == ("perplexity", "chat_completions"):
        pytest.skip("Perplexity's Sonar models call no tools")
    calls = (SimulatedToolCall("get_weather", {"city": "Köln"}), SimulatedToolCall("get_time", {}))
    case.server.reply(Reply(tool_calls=calls, finish="tool_calls", completion_tokens=9))
    streamed = case.read_stream()[1]
    assert streamed is not None
    for response in (case.generate(), streamed):
        assert [call.name for call in response.tool_calls] == ["get_weather", "get_time"]
        assert json.loads(response.tool_calls[0].arguments) == {"city": "Köln"}
        assert all(call.id for call in response.tool_calls)
        assert len({call.id for call in response.tool_calls}) == 2
        assert response.finish_reason == "tool_calls"


@pytest.mark.parametrize("kind", ERRORS, ids=lambda kind: kind.name.lower())
@pytest.mark.parametrize("streamed", [False, True], ids=["call", "stream"])
def test_every_error_kind_has_its_class(case: Case, kind: ErrorKind, streamed: bool) -> None:
    """The provider's documented error becomes one class, with status, from one wire request, in calls and streams."""
    case.server.fail(kind, times=None)
    if kind is ErrorKind.CONTENT_FILTER and _answers_filtered(case):
        return
    with pytest.raises(LLMError) as caught:
        case.read_stream() if streamed else case.generate()
    error = caught.value
    assert isinstance(error, OTHERWISE.get((case.provider, case.api, kind), ERRORS[kind])), repr(error)
    assert isinstance(error, APIError)
    assert error.status_code is not None
    assert error.provider == case.provider
    assert len(error.attempts) == case.server.count == 1


def _answers_filtered(case: Case) -> bool:
    """Some providers report a filtered prompt as an answer without text."""
    try:
        response = case.generate()
    except ContentFilterError:
        case.server.reset()
        case.server.fail(ErrorKind.CONTENT_FILTER, times=None)
        return False
    return response.finish_reason == "content_filter" and not response.content


@pytest.mark.parametrize("kind", [ErrorKind.RATE_LIMIT, ErrorKind.OVERLOADED], ids=lambda kind: kind.name.lower())
def test_retry_after_is_read(case: Case, kind: ErrorKind) -> None:
    """A Retry-After header reaches the error, also where the SDK hides headers."""
    case.server.fail(kind, retry_after=7)
    with pytest.raises(APIError) as caught:
        case.generate()
    assert caught.value.retry_after == 7.0


@pytest.mark.parametrize("fault", UNREADABLE, ids=lambda fault: fault.name.lower())
@pytest.mark.parametrize("streamed", [False, True], ids=["call", "stream"])
def test_an_odd_200_is_a_typed_error(case: Case, fault: Fault, streamed: bool) -> None:
    """A 200 that is no answer is an error after one wire request, never an empty answer."""
    case.server.always(fault)
    with pytest.raises((ParseError, RequestError, StreamInterruptedError)):
        case.read_stream() if streamed else case.generate()
    assert case.server.count == 1


@pytest.mark.parametrize("streamed", [False, True], ids=["call", "stream"])
def test_an_error_inside_a_200_is_an_api_error(case: Case, streamed: bool) -> None:
    """A 200 whose body is the provider's error JSON is that error."""
    case.server.always(Fault.ERROR_WITH_200)
    with pytest.raises(APIError):
        case.read_stream() if streamed else case.generate()


@pytest.mark.parametrize("fault", BROKEN, ids=lambda fault: fault.name.lower())
@pytest.mark.parametrize("streamed", [False, True], ids=["call", "stream"])
def test_a_broken_connection_is_one_request_and_a_request_error(case: Case, fault: Fault, streamed: bool) -> None:
    """Whatever breaks below HTTP is a RequestError (or an interrupted stream) after at most one wire request."""
    case.server.always(fault)
    with pytest.raises((RequestError, StreamInterruptedError)) as caught:
        case.read_stream() if streamed else case.generate()
    assert len(caught.value.attempts) == 1
    assert case.server.count <= 1


def test_a_refused_connection_was_not_sent(case: Case) -> None:
    """A refused connection is a RequestError that says the request never left."""
    case.server.down()
    with pytest.raises(RequestError) as caught:
        case.generate()
    assert caught.value.sent is False


def test_silence_ends_at_the_attempt_timeout(case: Case) -> None:
    """A server that never answers costs the attempt's timeout and one request."""
    case.server.always(Fault.SILENCE)
    with case.build(case.server.url, timeout=0.3) as manager, pytest.raises(RequestError):
        manager.generate("x")
    assert case.server.count == 1


def test_a_redirect_is_not_followed(case: Case) -> None:
    """A redirect would carry the key to another host: one request, and an error that names the target host only."""
    case.server.always(307, body=b"", headers={"location": "http://elsewhere.example/v1?key=secret"})
    with pytest.raises(ModelNotFoundError, match=r"elsewhere\.example") as caught:
        case.generate()
    assert "secret" not in str(caught.value)
    assert case.server.count == 1


@pytest.mark.parametrize("how", ["end", "close", "reset", "error"])
@pytest.mark.parametrize("after", [0, 5], ids=["at-the-start", "in-the-middle"])
def test_a_cut_stream_is_never_a_whole_one(case: Case, how: Any, after: int) -> None:
    """A stream without its terminal event is an error; after content it carries exactly the text received."""
    case.server.reply(Reply("one two three four five six seven", completion_tokens=7))
    case.server.set(fault=StreamFault(how, after))
    received = ""
    with (  # noqa: PT012 - what was received before the error is the point
        pytest.raises((RequestError, ParseError, APIError, StreamInterruptedError)) as caught,
        case.manager.generate_stream("x") as stream,
    ):
        for chunk in stream:
            received += chunk.content
    if isinstance(caught.value, StreamInterruptedError):
        assert caught.value.partial == received
    else:
        assert received == ""
    assert case.server.count == 1


def test_garbage_in_a_stream_is_an_error(case: Case) -> None:
    """An event that cannot be read is not skipped: what it said is missing from the answer."""
    case.server.reply("one two three four", fault=garbage(2))
    with pytest.raises((ParseError, StreamInterruptedError, RequestError)):
        case.read_stream()


def test_a_stream_in_pieces_of_one_byte_reads_the_same(case: Case) -> None:
    """Frames and multi-byte characters may be split anywhere."""
    case.server.reply(Reply("Grüße, 世界 🌍!", completion_tokens=5), fragment=1)
    assert case.read_stream()[0] == "Grüße, 世界 🌍!"


def test_an_early_close_ends_the_call_at_the_provider(case: Case) -> None:
    """Closing a stream early closes its connection; the next call works."""
    case.server.reply(Reply("one two three four five six", completion_tokens=6), pace=0.05)
    with case.manager.generate_stream("x") as stream:
        next(stream)
    assert stream.response is None
    assert case.server.wait_for(lambda server: server.in_flight == 0)
    assert case.manager.instances[0].in_flight == 0
    case.server.reset()
    assert case.generate().success


def test_models_are_listed(case: Case) -> None:
    """`list_models` brings what the provider lists."""
    case.server.set(models=["alpha-1", "beta-2"])
    models = case.manager.list_models()
    # Google's compatible door says "models/alpha-1", Ollama "alpha-1:latest".
    assert {"alpha-1", "beta-2"} <= {model.id.removeprefix("models/").split(":")[0] for model in models}
    assert {model.provider for model in models} == {case.provider}


@pytest.mark.parametrize("ending", ["", "/", "{version}", "{version}/", "{version}{path}"])
def test_an_endpoint_may_be_a_host_a_base_or_a_full_path(case: Case, ending: str) -> None:
    """All spellings of a custom endpoint lead to the same place."""
    path = "/models/model-1:generateContent" if case.spec.path == ":generateContent" else case.spec.path
    endpoint = case.server.url + ending.format(version=case.spec.version, path=path)
    with case.build(endpoint) as manager:
        assert manager.generate("x").success


FAILURES: list[Any] = [
    *ERRORS,
    *UNREADABLE,
    *BROKEN,
    Fault.ERROR_WITH_200,
    cut(2),
    error_event(2),
]


def script(server: SimulatedProvider, failure: Any) -> None:
    """Make `server` fail so, and echo the key where it may say something."""
    server.reset()
    echo = {"message": f"Incorrect API key provided: {CANARY}"} if isinstance(failure, ErrorKind) else {}
    server.always(failure, **echo)


def error_of(send: Callable[[], Any]) -> LLMError | None:
    """Return what `send` raises."""
    try:
        send()
    except LLMError as error:
        return error
    return None


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: getattr(failure, "name", "stream").lower())
def test_no_failure_shows_the_key(case: Case, caplog: pytest.LogCaptureFixture, failure: Any) -> None:
    """The key is in no message, repr, traceback (locals included), log line or pickle of any failure."""
    caplog.set_level(logging.DEBUG)
    script(case.server, failure)
    for send in (case.generate, case.read_stream):
        error = error_of(send)
        if error is None:  # a fault of streams only, or a filtered answer
            continue
        shown = "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
        assert CANARY not in shown + repr(error) + str(error) + repr(vars(error))
        assert CANARY.encode() not in pickle.dumps(error)
        links = [error.__cause__, error.__context__]
        assert all(link is None or isinstance(link, LLMError) for link in links)
    assert CANARY not in repr(case.manager) + repr(case.manager.instances)
    lines = [record.getMessage() for record in caplog.records if record.name.startswith("flyllm")]
    assert lines
    assert CANARY not in "\n".join(lines)
