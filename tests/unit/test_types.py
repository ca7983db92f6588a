"""Rules of the values users hand in and get back."""

import dataclasses
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyllm import GenerationRequest, LLMResponse, ProviderType, RateLimitError, StreamChunk, TokenUsage, ToolCall
from flyllm.request import COMMON_PARAMS
from flyllm.types import Attempt, ModelInfo

COUNTS = st.none() | st.integers(0, 10**9)
USAGES = st.builds(
    TokenUsage,
    COUNTS,
    COUNTS,
    COUNTS,
    COUNTS,
    COUNTS,
    st.frozensets(st.sampled_from(["prompt_tokens", "completion_tokens", "total_tokens"])),
)
ATTEMPT = Attempt(1, 0, "i0", "openai", "m", 1.0, 0.0, 0.5, "success")


@given(USAGES, USAGES, USAGES)
def test_usage_adds_up_in_any_order(a: TokenUsage, b: TokenUsage, c: TokenUsage) -> None:
    """Sums of usage do not depend on the order in which threads add them."""
    assert a + b == b + a
    assert (a + b) + c == a + (b + c)
    assert a + TokenUsage() == a


@given(USAGES, USAGES)
def test_a_sum_is_unknown_only_where_both_are(a: TokenUsage, b: TokenUsage) -> None:
    """Unknown plus a number is that number, and an estimate makes the sum an estimate."""
    total = a + b
    for name in ("prompt_tokens", "completion_tokens", "total_tokens", "cached_tokens", "reasoning_tokens"):
        parts = [value for value in (getattr(a, name), getattr(b, name)) if value is not None]
        assert getattr(total, name) == (sum(parts) if parts else None)
    assert total.estimated == a.estimated | b.estimated


def test_usage_tells_where_a_number_comes_from() -> None:
    """Each number is reported, estimated or unknown."""
    usage = TokenUsage(prompt_tokens=3, completion_tokens=2, estimated=frozenset({"completion_tokens"}))
    assert usage.source("prompt_tokens") == "reported"
    assert usage.source("completion_tokens") == "estimated"
    assert usage.source("cached_tokens") == "unknown"


@pytest.mark.parametrize(
    "value",
    [
        TokenUsage(1, 2, 3, estimated=frozenset({"total_tokens"})),
        ToolCall("c1", "f", "{}"),
        ModelInfo("m", "openai", raw={"id": "m"}),
        ATTEMPT,
        GenerationRequest("Hi", task="t", params={"a": 1}, messages=[{"role": "user", "content": "x"}]),
        LLMResponse("Hello", attempts=(ATTEMPT,), raw={"a": 1}),
        StreamChunk("H"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_values_are_immutable_and_pickle(value: object) -> None:
    """Values cross thread and process boundaries as they are."""
    assert pickle.loads(pickle.dumps(value)) == value
    first = "content" if isinstance(value, StreamChunk) else dataclasses.fields(value)[0].name  # type: ignore[arg-type]
    with pytest.raises((dataclasses.FrozenInstanceError, AttributeError)):
        setattr(value, first, None)
    assert not hasattr(value, "__dict__")


def test_the_builder_builds_what_the_constructor_builds() -> None:
    """Both ways to write a request give the same one."""
    built = (
        GenerationRequest.builder("Summarize")
        .task("summary")
        .max_tokens(200)
        .param("temperature", 0.95)
        .params({"top_p": 0.5, "max_tokens": 100})
        .system("Be brief")
        .messages([{"role": "user", "content": "x"}])
        .provider_params("ollama", num_ctx=8192)
        .provider_params("ollama", mirostat=1)
        .provider_params("groq", user="u")
        .timeout(3.0)
        .metadata(a=1)
        .metadata(b=2)
        .build()
    )
    assert built == GenerationRequest(
        "Summarize",
        task="summary",
        params={"max_tokens": 100, "temperature": 0.95, "top_p": 0.5},
        system="Be brief",
        messages=[{"role": "user", "content": "x"}],
        provider_params={"ollama": {"num_ctx": 8192, "mirostat": 1}, "groq": {"user": "u"}},
        timeout=3.0,
        metadata={"a": 1, "b": 2},
    )


def test_a_built_request_does_not_change_when_its_builder_goes_on() -> None:
    """A builder can be used as a template."""
    builder = GenerationRequest.builder("x").max_tokens(1)
    first = builder.build()
    second = builder.max_tokens(2).build()
    assert first.params == {"max_tokens": 1}
    assert second.params == {"max_tokens": 2}


def test_a_response_raises_its_error_or_returns_itself() -> None:
    """`raise_for_error` is the way from batch responses to exceptions."""
    good = LLMResponse("x")
    assert good.success
    assert good.raise_for_error() is good
    error = RateLimitError("slow down", retry_after=3.0)
    bad = LLMResponse(error=error)
    assert not bad.success
    with pytest.raises(RateLimitError) as caught:
        bad.raise_for_error()
    assert caught.value is error
    assert str(bad.error) == "slow down"


def test_a_response_does_not_print_its_raw_answer() -> None:
    """A log line with a response is not flooded by the provider's JSON."""
    assert "secret-blob" not in repr(LLMResponse("x", raw={"blob": "secret-blob"}))


def test_a_failed_response_pickles_with_its_error() -> None:
    """Results of a batch can be stored, failures included."""
    back = pickle.loads(pickle.dumps(LLMResponse(error=RateLimitError("slow", retry_after=2.0), attempts=(ATTEMPT,))))
    assert back.error.retry_after == 2.0
    assert back.attempts == (ATTEMPT,)


def test_provider_types_are_their_names() -> None:
    """A provider type is its lower-case name, usable wherever a name is."""
    assert ProviderType.OPENAI == "openai"
    assert f"{ProviderType.LMSTUDIO}" == "lmstudio"
    assert all(kind.value == kind.name.lower() for kind in ProviderType)
    assert len(ProviderType) == 10


def test_the_common_parameters_are_the_contracts() -> None:
    """The parameters that are translated are the eight of the design, and how much a model is to think."""
    assert set(COMMON_PARAMS) == {
        "max_tokens",
        "temperature",
        "top_p",
        "top_k",
        "stop",
        "seed",
        "presence_penalty",
        "frequency_penalty",
        "reasoning_effort",
    }


def test_a_call_s_result_is_text_or_json() -> None:
    """The message that a model is told it by."""
    call = ToolCall("c1", "f", "{}")
    assert call.result("as it is") == {"role": "tool", "tool_call_id": "c1", "content": "as it is"}
    assert call.result({"ü": [1, None]})["content"] == '{"ü": [1, null]}'
    assert call.result(ATTEMPT)["content"].startswith('{"number": 1, ')
    ring: list[object] = []
    ring.append(ring)
    with pytest.raises(ValueError, match="Circular"):
        call.result(ring)


def test_a_response_s_message_can_be_sent_again() -> None:
    """With its calls; null in place of no text beside them; what a provider wants back comes along."""
    assert LLMResponse("Hi").message == {"role": "assistant", "content": "Hi"}
    extra = {"google": {"thought_signature": "s"}}
    calls = (ToolCall("a", "f", '{"x": 1}', extra), ToolCall("b", "g", ""), ToolCall("c", "h", "{x"))
    message = LLMResponse(tool_calls=calls, extra_content={"anthropic": {}}).message
    assert (message["role"], message["content"], message["extra_content"]) == ("assistant", None, {"anthropic": {}})
    assert [call["function"] for call in message["tool_calls"]] == [
        {"name": "f", "arguments": '{"x": 1}'},
        {"name": "g", "arguments": "{}"},
        {"name": "h", "arguments": '{"INVALID_JSON": "{x"}'},
    ]
    assert [call.get("extra_content") for call in message["tool_calls"]] == [extra, None, None]
    assert LLMResponse("I look.", tool_calls=calls).message["content"] == "I look."


def test_a_failure_has_no_message() -> None:
    """Asked for it, it raises its error."""
    with pytest.raises(RateLimitError):
        _ = LLMResponse(error=RateLimitError("slow down")).message


def test_a_call_can_be_hashed_whatever_it_carries() -> None:
    """It is a value."""
    assert len({ToolCall("a", "f", "{}", {"x": {}}), ToolCall("a", "f", "{}", {"x": {}})}) == 1
