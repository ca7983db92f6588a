"""The official SDKs, pointed at the simulator as they would be at the provider, get what they expect."""

from collections.abc import Iterator
from typing import Any

import groq
import openai
import pytest

from flyllm.testing import ProviderSimulator, Reply, SimulatedToolCall

MESSAGES: Any = [{"role": "user", "content": "What is the answer?"}]
OPENAI_SHAPED = {
    "openai": "/v1",
    "togetherai": "/v1",
    "lmstudio": "/v1",
    "perplexity": "",
    "ollama": "/v1",
    "google": "/v1beta/openai",
}
REPLY = Reply("The answer is 42.", prompt_tokens=11, completion_tokens=7, cached_tokens=4)
TOOLS = Reply(tool_calls=(SimulatedToolCall("add", {"a": 1, "b": 2}), SimulatedToolCall("now")))


@pytest.fixture
def sim() -> Iterator[ProviderSimulator]:
    with ProviderSimulator(seed=7) as simulator:
        yield simulator


def client(sim: ProviderSimulator, provider: str) -> openai.OpenAI:
    return openai.OpenAI(api_key="sk-test", base_url=sim.url(provider) + OPENAI_SHAPED[provider], max_retries=0)


@pytest.mark.parametrize("provider", OPENAI_SHAPED)
def test_chat(sim: ProviderSimulator, provider: str) -> None:
    """A scripted answer arrives with text, finish reason and usage; the request is on record."""
    sim[provider].reply(REPLY)
    with client(sim, provider) as sdk:
        answer = sdk.chat.completions.create(model="m", messages=MESSAGES, temperature=0.5)
    assert answer.choices[0].message.content == REPLY.text
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens, answer.usage.total_tokens) == (11, 7, 18)
    (record,) = sim[provider].requests
    assert record.path == OPENAI_SHAPED[provider] + "/chat/completions"
    assert record.body == {"model": "m", "messages": MESSAGES, "temperature": 0.5}
    assert record.key == "sk-test"
    assert not record.disconnected


@pytest.mark.parametrize("provider", OPENAI_SHAPED)
def test_chat_stream(sim: ProviderSimulator, provider: str) -> None:
    """The pieces of a stream make up the text, and the usage comes where the provider puts it."""
    sim[provider].reply(REPLY)
    with client(sim, provider) as sdk:
        options: Any = {"include_usage": True}
        stream = sdk.chat.completions.create(model="m", messages=MESSAGES, stream=True, stream_options=options)
        chunks = list(stream)
    choices = [c.choices[0] for c in chunks if c.choices]
    assert "".join(c.delta.content or "" for c in choices) == REPLY.text
    assert [c.finish_reason for c in choices if c.finish_reason] == ["stop"]
    usage = [c.usage for c in chunks if c.usage][-1]
    assert (usage.prompt_tokens, usage.completion_tokens) == (11, 7)


def test_openai_gives_stream_usage_only_when_asked(sim: ProviderSimulator) -> None:
    """Without include_usage no chunk has a usage; with it, the last one has it and no choices."""
    with client(sim, "openai") as sdk:
        plain = list(sdk.chat.completions.create(model="m", messages=MESSAGES, stream=True))
        asked = list(
            sdk.chat.completions.create(
                model="m", messages=MESSAGES, stream=True, stream_options={"include_usage": True}
            )
        )
    assert not any(c.usage for c in plain)
    assert all(c.choices for c in plain)
    assert asked[-1].choices == []
    assert asked[-1].usage is not None


@pytest.mark.parametrize("provider", ["openai", "togetherai", "lmstudio", "ollama"])
def test_tool_calls(sim: ProviderSimulator, provider: str) -> None:
    """Tool calls arrive with ids and JSON arguments, whole and streamed alike."""
    sim[provider].reply(TOOLS)
    with client(sim, provider) as sdk:
        whole = sdk.chat.completions.create(model="m", messages=MESSAGES).choices[0]
        stream = sdk.chat.completions.create(model="m", messages=MESSAGES, stream=True)
        parts = [t for c in stream if c.choices for t in c.choices[0].delta.tool_calls or []]
    assert whole.finish_reason == "tool_calls"
    calls: Any = whole.message.tool_calls
    assert [(c.function.name, c.function.arguments) for c in calls] == [("add", '{"a":1,"b":2}'), ("now", "{}")]
    assert len({c.id for c in calls}) == 2
    arguments = ["".join((p.function and p.function.arguments) or "" for p in parts if p.index == n) for n in (0, 1)]
    assert arguments == ['{"a":1,"b":2}', "{}"]


def test_responses(sim: ProviderSimulator) -> None:
    """The Responses API answers at OpenAI's and at Perplexity's address, whole and streamed."""
    for provider, base in (("openai", "/v1"), ("perplexity", "/v1")):
        sim[provider].reply(REPLY)
        with openai.OpenAI(api_key="k", base_url=sim.url(provider) + base, max_retries=0) as sdk:
            answer = sdk.responses.create(model="m", input="Hi", instructions="Be brief")
            assert answer.output_text == REPLY.text
            assert answer.status == "completed"
            assert answer.usage is not None
            assert (answer.usage.input_tokens, answer.usage.output_tokens) == (11, 7)
            assert answer.usage.input_tokens_details.cached_tokens == 4
            events = list(sdk.responses.create(model="m", input="Hi", stream=True))
        assert [e.sequence_number for e in events] == sorted(e.sequence_number for e in events)
        assert "".join(e.delta for e in events if e.type == "response.output_text.delta") == REPLY.text
        assert events[0].type == "response.created"
        assert events[-1].type == "response.completed"
        assert events[-1].response.output_text == REPLY.text


def test_responses_with_tools_reasoning_and_length(sim: ProviderSimulator) -> None:
    """Function calls, reasoning summaries and an answer cut short come as items and status of their own."""
    sim["openai"].enqueue(TOOLS).enqueue(Reply("Yes.", reasoning="I think so.")).enqueue(Reply("Cut", finish="length"))
    with client(sim, "openai") as sdk:
        calls = sdk.responses.create(model="m", input="Hi").output
        thought = list(sdk.responses.create(model="m", input="Hi", stream=True))
        short = sdk.responses.create(model="m", input="Hi")
    assert [c.name for c in calls if c.type == "function_call"] == ["add", "now"]
    told = [e.delta for e in thought if e.type == "response.reasoning_summary_text.delta"]
    assert "".join(told) == "I think so."
    assert short.status == "incomplete"
    assert short.incomplete_details is not None
    assert short.incomplete_details.reason == "max_output_tokens"


def test_groq(sim: ProviderSimulator) -> None:
    """The groq SDK reads answers, its usage in the last chunk, and models below /openai/v1."""
    sim["groq"].reply(REPLY)
    with groq.Groq(api_key="k", base_url=sim.url("groq"), max_retries=0) as sdk:
        answer = sdk.chat.completions.create(model="m", messages=MESSAGES)
        chunks = list(sdk.chat.completions.create(model="m", messages=MESSAGES, stream=True))
        models = sdk.models.list().data
    assert answer.choices[0].message.content == REPLY.text
    assert "".join(c.choices[0].delta.content or "" for c in chunks) == REPLY.text
    last: Any = chunks[-1]
    assert last.x_groq.usage.completion_tokens == last.usage.completion_tokens == 7
    assert models[0].id == "llama-3.3-70b-versatile"
    assert sim["groq"].requests[0].path == "/openai/v1/chat/completions"


def test_embeddings(sim: ProviderSimulator) -> None:
    """Embeddings depend on the text alone and arrive as floats, base64 or not."""
    with client(sim, "openai") as sdk:
        packed = sdk.embeddings.create(model="m", input=["a", "b"], dimensions=8)
        plain = sdk.embeddings.create(model="m", input="b", dimensions=8, encoding_format="float")
    assert len(packed.data[0].embedding) == 8
    assert packed.data[1].embedding == plain.data[0].embedding
    assert packed.data[0].embedding != packed.data[1].embedding
