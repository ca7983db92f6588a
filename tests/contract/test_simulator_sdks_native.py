"""The simulator's native wires as the providers' own SDKs see them: an independent reader of every byte."""

from collections.abc import Iterator
from typing import Any

import anthropic
import cohere
import ollama
import pytest
from cohere import errors as cohere_errors
from google.genai import errors as google_errors
from mistralai.client import errors as mistral_errors

from flyllm.testing import ErrorKind, ProviderSimulator, Reply, SimulatedProvider, SimulatedToolCall, error_event
from tests.contract.native_sdks import KEY, MESSAGES, MODEL, SDKS, GoogleSdk, MistralSdk, Sdk

TEXT = "Hello, wörld! Two  blanks.\n"
WEATHER = SimulatedToolCall("get_weather", {"city": "Zürich", "days": [1, 2]})
COUNTS: dict[str, Any] = {"prompt_tokens": 40, "completion_tokens": 30, "cached_tokens": 16, "reasoning_tokens": 20}
FINISH = {
    "anthropic": ("end_turn", "max_tokens", "tool_use"),
    "google": ("STOP", "MAX_TOKENS", "STOP"),
    "mistral": ("stop", "length", "tool_calls"),
    "cohere": ("COMPLETE", "MAX_TOKENS", "TOOL_CALL"),
    "ollama": ("stop", "length", "stop"),
}
USAGE = {
    # Input without what was cached; output with thinking.
    "anthropic": (24, 30, 16, 20),
    # Candidates without thoughts.
    "google": (40, 10, 16, 20),
    "mistral": (40, 30, 70, 16),
    "cohere": (40, 30, 16),
    "ollama": (40, 30),
}
# Google is not asked for filtered content: it answers that without an error (below).
FAILED_AS: dict[str, dict[ErrorKind, tuple[type[Exception], int]]] = {
    "anthropic": {
        ErrorKind.INVALID_REQUEST: (anthropic.BadRequestError, 400),
        ErrorKind.AUTHENTICATION: (anthropic.AuthenticationError, 401),
        ErrorKind.QUOTA: (anthropic.BadRequestError, 400),
        ErrorKind.PERMISSION: (anthropic.PermissionDeniedError, 403),
        ErrorKind.MODEL_NOT_FOUND: (anthropic.NotFoundError, 404),
        ErrorKind.CONTEXT_LENGTH: (anthropic.BadRequestError, 400),
        ErrorKind.CONTENT_FILTER: (anthropic.BadRequestError, 400),
        ErrorKind.RATE_LIMIT: (anthropic.RateLimitError, 429),
        ErrorKind.SERVER_ERROR: (anthropic.InternalServerError, 500),
        ErrorKind.OVERLOADED: (anthropic.InternalServerError, 529),
    },
    "google": {
        ErrorKind.INVALID_REQUEST: (google_errors.ClientError, 400),
        ErrorKind.AUTHENTICATION: (google_errors.ClientError, 400),
        ErrorKind.QUOTA: (google_errors.ClientError, 402),
        ErrorKind.PERMISSION: (google_errors.ClientError, 403),
        ErrorKind.MODEL_NOT_FOUND: (google_errors.ClientError, 404),
        ErrorKind.CONTEXT_LENGTH: (google_errors.ClientError, 400),
        ErrorKind.RATE_LIMIT: (google_errors.ClientError, 429),
        ErrorKind.SERVER_ERROR: (google_errors.ServerError, 500),
        ErrorKind.OVERLOADED: (google_errors.ServerError, 503),
    },
    "mistral": {
        ErrorKind.INVALID_REQUEST: (mistral_errors.SDKError, 400),
        ErrorKind.AUTHENTICATION: (mistral_errors.SDKError, 401),
        ErrorKind.QUOTA: (mistral_errors.SDKError, 402),
        ErrorKind.PERMISSION: (mistral_errors.SDKError, 403),
        ErrorKind.MODEL_NOT_FOUND: (mistral_errors.SDKError, 400),
        ErrorKind.CONTEXT_LENGTH: (mistral_errors.SDKError, 400),
        ErrorKind.CONTENT_FILTER: (mistral_errors.SDKError, 403),
        ErrorKind.RATE_LIMIT: (mistral_errors.SDKError, 429),
        ErrorKind.SERVER_ERROR: (mistral_errors.SDKError, 500),
        ErrorKind.OVERLOADED: (mistral_errors.SDKError, 503),
    },
    "cohere": {
        ErrorKind.INVALID_REQUEST: (cohere_errors.BadRequestError, 400),
        ErrorKind.AUTHENTICATION: (cohere_errors.UnauthorizedError, 401),
        ErrorKind.QUOTA: (cohere.core.ApiError, 402),
        ErrorKind.PERMISSION: (cohere_errors.ForbiddenError, 403),
        ErrorKind.MODEL_NOT_FOUND: (cohere_errors.NotFoundError, 404),
        ErrorKind.CONTEXT_LENGTH: (cohere_errors.BadRequestError, 400),
        ErrorKind.CONTENT_FILTER: (cohere_errors.InvalidTokenError, 498),
        ErrorKind.RATE_LIMIT: (cohere_errors.TooManyRequestsError, 429),
        ErrorKind.SERVER_ERROR: (cohere_errors.InternalServerError, 500),
        ErrorKind.OVERLOADED: (cohere_errors.ServiceUnavailableError, 503),
    },
    "ollama": {
        kind: (ollama.ResponseError, status)
        for kind, status in {
            ErrorKind.INVALID_REQUEST: 400,
            ErrorKind.AUTHENTICATION: 401,
            ErrorKind.QUOTA: 429,
            ErrorKind.PERMISSION: 403,
            ErrorKind.MODEL_NOT_FOUND: 404,
            ErrorKind.CONTEXT_LENGTH: 400,
            ErrorKind.CONTENT_FILTER: 400,
            ErrorKind.RATE_LIMIT: 429,
            ErrorKind.SERVER_ERROR: 500,
            ErrorKind.OVERLOADED: 503,
        }.items()
    },
}
FAILURES = [
    pytest.param(sdk, kind, id=f"{sdk.provider}-{kind.name}") for sdk in SDKS for kind in FAILED_AS[sdk.provider]
]


@pytest.fixture(scope="module")
def simulator() -> Iterator[ProviderSimulator]:
    with ProviderSimulator() as running:
        yield running


@pytest.fixture(params=SDKS, ids=lambda sdk: sdk.provider)
def sdk(request: pytest.FixtureRequest) -> Sdk:
    chosen: Sdk = request.param
    return chosen


@pytest.fixture
def provider(simulator: ProviderSimulator, sdk: Sdk) -> SimulatedProvider:
    return simulator[sdk.provider].reset()


def test_a_whole_answer_reads_as_it_was_scripted(sdk: Sdk, provider: SimulatedProvider) -> None:
    """Text arrives byte for byte, and the finish reason is the provider's word for it."""
    provider.reply(TEXT)
    assert sdk.ask(provider.url) == (TEXT, [], FINISH[sdk.provider][0])
    provider.reply(Reply("Cut of", finish="length"))
    assert sdk.ask(provider.url) == ("Cut of", [], FINISH[sdk.provider][1])


def test_tool_calls_read_as_they_were_scripted(sdk: Sdk, provider: SimulatedProvider) -> None:
    """Names and arguments of all calls arrive, beside text."""
    provider.reply(Reply("Let me look.", tool_calls=(WEATHER, SimulatedToolCall("now"))))
    text, calls, finish = sdk.ask(provider.url)
    assert (text, finish) == ("Let me look.", FINISH[sdk.provider][2])
    assert calls == [("get_weather", {"city": "Zürich", "days": [1, 2]}), ("now", {})]


def test_thoughts_are_not_taken_for_text(sdk: Sdk, provider: SimulatedProvider) -> None:
    """An SDK tells thoughts from text, whole and streamed."""
    provider.reply(Reply(TEXT, reasoning="Hm, well."))
    assert sdk.ask(provider.url)[0] == TEXT
    assert sdk.stream(provider.url) == (TEXT, FINISH[sdk.provider][0])


def test_a_stream_adds_up_to_the_answer(sdk: Sdk, provider: SimulatedProvider) -> None:
    """The pieces of a stream join to the text, and its end names the finish reason."""
    provider.reply(TEXT)
    assert sdk.stream(provider.url) == (TEXT, FINISH[sdk.provider][0])
    provider.reply(Reply("Cut of", finish="length"))
    assert sdk.stream(provider.url) == ("Cut of", FINISH[sdk.provider][1])


def test_usage_is_counted_as_the_provider_counts(sdk: Sdk, provider: SimulatedProvider) -> None:
    """Cached and thinking tokens stand where the provider puts them."""
    provider.reply(Reply("Yes.", reasoning="Hm.", **COUNTS))
    assert sdk.usage(provider.url) == USAGE[sdk.provider]


def test_models_are_listed(sdk: Sdk, provider: SimulatedProvider) -> None:
    """The model list reads, with the provider's form of names."""
    provider.set(models=["a-1", "b-2"])
    form = {"google": "models/{}", "ollama": "{}:latest"}.get(sdk.provider, "{}")
    assert sdk.models(provider.url) == [form.format("a-1"), form.format("b-2")]


def test_embeddings_read(sdk: Sdk, provider: SimulatedProvider) -> None:
    """There is one vector per text, the same one for the same text."""
    if sdk.provider == "anthropic":
        pytest.skip("Anthropic has no embeddings")
    one, two, again = sdk.embed(provider.url, ["one", "two", "one"])
    assert one == again != two


@pytest.mark.parametrize(("sdk", "kind"), FAILURES)
def test_every_error_raises_the_class_the_sdk_has_for_it(
    sdk: Sdk, kind: ErrorKind, simulator: ProviderSimulator
) -> None:
    """Each kind of error, whole and streamed, raises the SDK's own class with the provider's own status."""
    provider = simulator[sdk.provider].reset()
    expected, status = FAILED_AS[sdk.provider][kind]
    for attempt in (sdk.ask, sdk.stream):
        provider.fail(kind)
        with pytest.raises(expected) as raised:
            attempt(provider.url)
        assert sdk.status(raised.value) == status
    assert provider.count == 2


IN_BAND = {
    "anthropic": anthropic.APIStatusError,
    "google": google_errors.ServerError,
    "mistral": mistral_errors.ResponseValidationError,
    "ollama": ollama.ResponseError,
}


def test_an_error_inside_a_stream_is_what_the_sdk_takes_for_one(sdk: Sdk, provider: SimulatedProvider) -> None:
    """The SDK raises at the provider's own error event; Cohere's has no such event, but ends with ERROR."""
    provider.reply(TEXT).enqueue(error_event(2, ErrorKind.OVERLOADED))
    if sdk.provider == "cohere":
        assert sdk.stream(provider.url)[1] == "ERROR"
        return
    with pytest.raises(IN_BAND[sdk.provider]):
        sdk.stream(provider.url)


def test_a_blocked_prompt_is_no_error_at_google(simulator: ProviderSimulator) -> None:
    """Google answers a blocked prompt 200, with the reason and no candidates."""
    provider = simulator["google"].reset().fail(ErrorKind.CONTENT_FILTER)
    answer = GoogleSdk().generate(provider.url)
    assert answer.candidates is None
    assert answer.prompt_feedback.block_reason.value == "PROHIBITED_CONTENT"


def test_a_schema_breaking_request_is_a_422_at_mistral(simulator: ProviderSimulator) -> None:
    """The SDK takes the refusal of a schema-breaking request for its HTTPValidationError."""
    provider = simulator["mistral"].reset()
    with pytest.raises(mistral_errors.HTTPValidationError) as raised:
        MistralSdk().complete(provider.url, temperature=3.0)
    assert raised.value.status_code == 422


def test_anthropic_asks_for_max_tokens(simulator: ProviderSimulator) -> None:
    """A request without `max_tokens` is refused in Anthropic's words."""
    provider = simulator["anthropic"].reset()
    with anthropic.Anthropic(api_key=KEY, base_url=provider.url, max_retries=0) as client:
        body = {"model": MODEL, "messages": MESSAGES}
        with pytest.raises(anthropic.BadRequestError, match="max_tokens: Field required"):
            client.post("/v1/messages", cast_to=object, body=body)
