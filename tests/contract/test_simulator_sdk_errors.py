"""The official SDKs, pointed at the simulator, see errors and broken exchanges as they would see the provider's."""

from collections.abc import Iterator
from typing import Any

import openai
import pytest

from flyllm.testing import ErrorKind, Fault, ProviderSimulator, cut, error_event

MESSAGES: Any = [{"role": "user", "content": "What is the answer?"}]
OPENAI_SHAPED = {
    "openai": "/v1",
    "togetherai": "/v1",
    "lmstudio": "/v1",
    "perplexity": "",
    "ollama": "/v1",
    "google": "/v1beta/openai",
}


@pytest.fixture
def sim() -> Iterator[ProviderSimulator]:
    with ProviderSimulator(seed=7) as simulator:
        yield simulator


def client(sim: ProviderSimulator, provider: str) -> openai.OpenAI:
    return openai.OpenAI(api_key="sk-test", base_url=sim.url(provider) + OPENAI_SHAPED[provider], max_retries=0)


@pytest.mark.parametrize(
    ("kind", "error", "code"),
    [
        (ErrorKind.AUTHENTICATION, openai.AuthenticationError, "invalid_api_key"),
        (ErrorKind.QUOTA, openai.RateLimitError, "insufficient_quota"),
        (ErrorKind.PERMISSION, openai.PermissionDeniedError, "missing_scope"),
        (ErrorKind.MODEL_NOT_FOUND, openai.NotFoundError, "model_not_found"),
        (ErrorKind.CONTEXT_LENGTH, openai.BadRequestError, "context_length_exceeded"),
        (ErrorKind.CONTENT_FILTER, openai.BadRequestError, "invalid_prompt"),
        (ErrorKind.RATE_LIMIT, openai.RateLimitError, "rate_limit_exceeded"),
        (ErrorKind.SERVER_ERROR, openai.InternalServerError, None),
        (ErrorKind.OVERLOADED, openai.InternalServerError, "server_is_overloaded"),
    ],
)
def test_errors(sim: ProviderSimulator, kind: ErrorKind, error: type[openai.APIStatusError], code: str | None) -> None:
    """Each kind of error is the SDK's class for it, with OpenAI's code, request id and Retry-After."""
    sim["openai"].fail(kind, retry_after=1.5)
    with client(sim, "openai") as sdk, pytest.raises(error) as caught:
        sdk.chat.completions.create(model="m", messages=MESSAGES)
    assert caught.value.code == code
    assert (caught.value.request_id or "").startswith("req_")
    assert caught.value.response.headers["retry-after"] == "1.5"
    assert sim["openai"].count == 1


def test_explicit_status_keeps_the_providers_body(sim: ProviderSimulator) -> None:
    """`fail(529)` answers 529 with a body in the provider's shape."""
    sim["openai"].fail(529)
    with client(sim, "openai") as sdk, pytest.raises(openai.InternalServerError) as caught:
        sdk.chat.completions.create(model="m", messages=MESSAGES)
    assert caught.value.status_code == 529
    assert caught.value.code == "server_is_overloaded"


@pytest.mark.parametrize("provider", OPENAI_SHAPED)
def test_error_in_a_stream(sim: ProviderSimulator, provider: str) -> None:
    """An error event in the middle of a stream raises after the frames before it."""
    sim[provider].enqueue(error_event(2, message="broke in the middle"))
    with client(sim, provider) as sdk:
        stream = sdk.chat.completions.create(model="m", messages=MESSAGES, stream=True)
        assert len([next(stream), next(stream)]) == 2
        with pytest.raises(openai.APIError, match="broke in the middle"):
            next(stream)


def test_stream_without_its_end_looks_complete_to_the_sdk(sim: ProviderSimulator) -> None:
    """A body that ends properly without the terminal event is no error to the SDK: only finish_reason is missing."""
    sim["openai"].enqueue(cut(after=3))
    with client(sim, "openai") as sdk:
        chunks = list(sdk.chat.completions.create(model="m", messages=MESSAGES, stream=True))
    assert len(chunks) == 3
    assert not any(c.choices[0].finish_reason for c in chunks)


@pytest.mark.parametrize("how", ["close", "reset"])
def test_stream_that_breaks_raises(sim: ProviderSimulator, how: Any) -> None:
    """A connection that closes or resets inside a stream is the SDK's connection error."""
    sim["openai"].enqueue(cut(after=3, how=how))
    with client(sim, "openai") as sdk, pytest.raises(openai.APIConnectionError):
        list(sdk.chat.completions.create(model="m", messages=MESSAGES, stream=True))


@pytest.mark.parametrize(
    "fault",
    [
        Fault.RESET_ON_ACCEPT,
        Fault.RESET,
        Fault.CLOSE,
        Fault.CUT_IN_HEADERS,
        Fault.CUT_AFTER_HEADERS,
        Fault.SHORT_BODY,
        Fault.CUT_IN_CHUNK,
    ],
)
def test_broken_exchanges_raise_connection_errors(sim: ProviderSimulator, fault: Fault) -> None:
    """Faults below HTTP are the SDK's connection error, once; the next request is answered again."""
    sim["openai"].enqueue(fault)
    with client(sim, "openai") as sdk:
        with pytest.raises(openai.APIConnectionError):
            sdk.chat.completions.create(model="m", messages=MESSAGES)
        assert sdk.chat.completions.create(model="m", messages=MESSAGES).choices[0].message.content
    assert sim["openai"].connections == 2


@pytest.mark.parametrize("fault", [Fault.SILENCE, Fault.BLACKHOLE])
def test_silence_times_out(sim: ProviderSimulator, fault: Fault) -> None:
    """A server that does not answer runs into the read timeout; the client's going is noticed where it can be."""
    sim["openai"].enqueue(fault)
    with client(sim, "openai") as sdk, pytest.raises(openai.APITimeoutError):
        sdk.chat.completions.create(model="m", messages=MESSAGES, timeout=0.1)
    if fault is Fault.SILENCE:
        assert sim["openai"].wait_for(lambda i: i.requests[0].disconnected)
    else:
        assert sim["openai"].count == 0


def test_refused_connection(sim: ProviderSimulator) -> None:
    """While an instance is down its port refuses; afterwards it answers at the same address."""
    instance, url = sim["openai"], sim.url("openai")
    with client(sim, "openai") as sdk:
        instance.down()
        with pytest.raises(openai.APIConnectionError) as caught:
            sdk.chat.completions.create(model="m", messages=MESSAGES)
        assert "refused" in str(caught.value.__cause__)
        instance.up()
        assert sdk.chat.completions.create(model="m", messages=MESSAGES).choices
    assert instance.url == url
    assert instance.count == 1


def test_keys(sim: ProviderSimulator) -> None:
    """With `keys`, others are turned down as the provider does."""
    sim["openai"].set(keys={"good"})
    with client(sim, "openai") as sdk:
        with pytest.raises(openai.AuthenticationError):
            sdk.chat.completions.create(model="m", messages=MESSAGES)
        good = sdk.with_options(api_key="good")
        assert good.chat.completions.create(model="m", messages=MESSAGES).choices


def test_rate_limits(sim: ProviderSimulator) -> None:
    """Requests beyond `rpm` get the provider's 429 with Retry-After; the headers count down before that."""
    sim["openai"].set(rpm=2)
    with client(sim, "openai") as sdk:
        raw = sdk.chat.completions.with_raw_response
        left = [raw.create(model="m", messages=MESSAGES).headers["x-ratelimit-remaining-requests"] for _ in range(2)]
        with pytest.raises(openai.RateLimitError) as caught:
            sdk.chat.completions.create(model="m", messages=MESSAGES)
    assert left == ["1", "0"]
    assert 25 < float(caught.value.response.headers["retry-after"]) <= 30
    assert caught.value.response.headers["x-ratelimit-limit-requests"] == "2"


def test_models(sim: ProviderSimulator) -> None:
    """`models` names what exists: the list shows it, other models are unknown."""
    sim["openai"].set(models=["only-this"])
    with client(sim, "openai") as sdk:
        assert [m.id for m in sdk.models.list()] == ["only-this"]
        assert sdk.chat.completions.create(model="only-this", messages=MESSAGES).choices
        with pytest.raises(openai.NotFoundError):
            sdk.chat.completions.create(model="other", messages=MESSAGES)


def test_together_lists_models_as_a_bare_array(sim: ProviderSimulator) -> None:
    """Together's model list is an array without an envelope."""
    with client(sim, "togetherai") as sdk:
        names = sdk.get("/models", cast_to=list[Any])
    assert isinstance(names, list)
    assert names[0]["object"] == "model"
