"""Streams that go on elsewhere, over real sockets: each provider that can go on is sent what its API documents."""

from typing import Any

import pytest

from flyllm import LLMManager, StreamInterruptedError
from flyllm.testing import ProviderSimulator, SimulatedProvider, cut

WHOLE = "The lamp turns, the sea answers."
HALF = "The lamp turns,"
MODELS = {"anthropic": "claude-sonnet-4-5"}


def manager(*servers: SimulatedProvider, **models: str) -> LLMManager:
    """Return a manager that asks the servers in this order."""
    builder = LLMManager.builder()
    for tier, server in enumerate(servers):
        name = server.provider
        builder.add_instance(name, {**MODELS, **models}.get(name, "m"), "key", endpoint=server.url, priority=tier)
    return builder.build()


@pytest.mark.parametrize(
    ("provider", "message"),
    [
        ("anthropic", {"role": "assistant", "content": HALF}),
        ("groq", {"role": "assistant", "content": HALF}),
        ("mistral", {"role": "assistant", "content": HALF, "prefix": True}),
        ("ollama", {"role": "assistant", "content": HALF}),
    ],
)
def test_an_answer_goes_on_at_another_provider(provider: str, message: dict[str, Any]) -> None:
    """The half that was handed over is the beginning that the other provider goes on from; nothing comes twice."""
    with ProviderSimulator() as simulator:
        first, second = simulator.add("openai", reply=WHOLE), simulator.add(provider, reply=" the sea answers.")
        first.enqueue(cut(after=4, how="close"))
        with manager(first, second) as running, running.generate_stream("A line?", on_interrupt="continue") as stream:
            assert "".join(chunk.content for chunk in stream) == WHOLE
        assert stream.response is not None
        assert (stream.response.content, stream.response.provider) == (WHOLE, provider)
        assert second.requests[0].body["messages"][-1] == message
        assert [attempt.outcome for attempt in stream.response.attempts] == ["RequestError", "success"]


def test_a_model_that_refuses_to_go_on_is_passed_over() -> None:
    """Claude answers a prefill with 400 from 4.6 on."""
    with ProviderSimulator() as simulator:
        first, second = simulator.add("openai", reply=WHOLE), simulator.add("anthropic")
        third = simulator.add("groq", reply=" the sea answers.")
        first.enqueue(cut(after=4, how="close"))
        with (
            manager(first, second, third, anthropic="claude-opus-4-6") as running,
            running.generate_stream("A line?", on_interrupt="continue") as stream,
        ):
            assert "".join(chunk.content for chunk in stream) == WHOLE
        assert stream.response is not None
        outcomes = [attempt.outcome for attempt in stream.response.attempts]
        assert outcomes == ["RequestError", "InvalidRequestError", "success"]


def test_where_nobody_can_go_on_the_stream_is_interrupted() -> None:
    """OpenAI would answer the half instead of going on from it, so it is not asked."""
    with ProviderSimulator() as simulator:
        first, second = simulator.add("openai", reply=WHOLE), simulator.add("cohere")
        first.enqueue(cut(after=4, how="close"))
        with manager(first, second) as running:
            with pytest.raises(StreamInterruptedError) as caught:
                list(running.generate_stream("A line?", on_interrupt="continue"))
            assert caught.value.partial == HALF
            assert second.count == 0
            assert not any(snapshot.in_flight for snapshot in running.instances)


def test_any_provider_can_begin_again() -> None:
    """The chunk with `reset` comes first, then the whole answer."""
    with ProviderSimulator() as simulator:
        first, second = simulator.add("anthropic", reply=WHOLE), simulator.add("cohere", reply="Another line.")
        first.enqueue(cut(after=6, how="close"))
        with manager(first, second) as running, running.generate_stream("A line?", on_interrupt="restart") as stream:
            chunks = list(stream)
        before = [chunk.reset for chunk in chunks].index(True)
        assert "".join(chunk.content for chunk in chunks[:before])
        assert "".join(chunk.content for chunk in chunks[before:]) == stream.text == "Another line."
