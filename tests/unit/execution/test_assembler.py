"""Rules of putting a streamed answer together."""

from hypothesis import given
from hypothesis import strategies as st

from flyllm._execution.assembler import Assembler
from flyllm.providers.base import Delta, ToolCallDelta
from flyllm.types import StreamChunk, TokenUsage, ToolCall


def assembled(*deltas: Delta) -> Assembler:
    assembler = Assembler()
    for delta in deltas:
        assembler.take(delta)
    return assembler


def test_a_chunk_is_what_a_consumer_would_notice() -> None:
    """Text, reasoning and fragments of tool calls become chunks; roles and usage do not."""
    assembler = Assembler()
    assert assembler.take(Delta(content="a")) == StreamChunk("a")
    assert assembler.take(Delta(reasoning="b")) == StreamChunk(reasoning="b")
    for silent in (Delta(), Delta(usage=TokenUsage(1)), Delta(finish_reason="stop"), Delta(model="m")):
        assert assembler.take(silent) is None
    fragments = (ToolCallDelta(0, "c", "f", "{"),)
    assert assembler.take(Delta(tool_calls=fragments)) == StreamChunk(tool_call_deltas=fragments)


@given(st.lists(st.text(max_size=4), max_size=20), st.lists(st.text(max_size=4), max_size=20))
def test_the_answer_is_its_pieces(content: list[str], reasoning: list[str]) -> None:
    """Text and reasoning are joined in order, whatever the pieces are."""
    assembler = assembled(*(Delta(content=c) for c in content), *(Delta(reasoning=r) for r in reasoning))
    whole = assembler.completion({}, None)
    assert whole.content == assembler.content == "".join(content)
    assert (whole.reasoning or "") == "".join(reasoning)


def test_tool_calls_are_joined_by_index() -> None:
    """Fragments of several calls may be mixed; id and name come once, arguments in pieces."""
    whole = assembled(
        Delta(tool_calls=(ToolCallDelta(1, "c1", "g", ""), ToolCallDelta(0, "c0", "f", '{"a"'))),
        Delta(tool_calls=(ToolCallDelta(0, arguments=":1}"),)),
        Delta(tool_calls=(ToolCallDelta(1, "ignored", "ignored", "{}"),)),
    ).completion({"x": "y"}, "r-1")
    assert whole.tool_calls == (ToolCall("c0", "f", '{"a":1}'), ToolCall("c1", "g", "{}"))
    assert (whole.headers, whole.request_id) == ({"x": "y"}, "r-1")


def test_the_latest_usage_model_and_finish_count() -> None:
    """Providers repeat and correct these; the last word stands, and silence does not erase it."""
    whole = assembled(
        Delta(usage=TokenUsage(1), model="a"),
        Delta(usage=TokenUsage(1, 2, 3), finish_reason="length", model="b"),
        Delta(),
    ).completion({}, None)
    assert (whole.usage, whole.finish_reason, whole.model) == (TokenUsage(1, 2, 3), "length", "b")


def test_an_answer_without_usage_has_unknown_usage() -> None:
    """What no provider counted is not invented for a whole answer."""
    assert assembled(Delta(content="abc")).completion({}, None).usage == TokenUsage()


def test_a_broken_answer_costs_what_was_received() -> None:
    """Four characters are about a token, rounded up; the numbers are marked as estimates."""
    usage = assembled(Delta(content="12345", reasoning="678"), Delta(tool_calls=(ToolCallDelta(0, arguments="9"),)))
    assert usage.usage_so_far().completion_tokens == 3
    assert usage.usage_so_far().source("completion_tokens") == "estimated"
    assert usage.usage_so_far().prompt_tokens is None


def test_usage_reported_at_the_start_is_not_the_bill_of_a_broken_answer() -> None:
    """Anthropic's first event counts the prompt and one token; the text received since is added as an estimate."""
    begun = assembled(Delta(usage=TokenUsage(100, 1, 101)), Delta(content="x" * 400))
    usage = begun.usage_so_far()
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (100, 100, 200)
    assert usage.source("prompt_tokens") == "reported"
    assert usage.estimated == {"completion_tokens", "total_tokens"}


def test_a_reported_bill_stands() -> None:
    """Where the provider's number is final, or above the estimate, it is taken as it is."""
    final = TokenUsage(10, 2, 12)
    assert assembled(Delta(content="x" * 400), Delta(usage=final, finish_reason="stop")).usage_so_far() == final
    more = TokenUsage(10, 500, 510)
    assert assembled(Delta(content="x" * 400), Delta(usage=more)).usage_so_far() == more
