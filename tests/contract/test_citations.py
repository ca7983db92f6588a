"""What an answer brings beside its text - sources, searches, annotations - is in `response.raw` as it came.

Bodies of Perplexity, Cohere and Mistral are written by hand from docs.perplexity.ai/api-reference,
docs.cohere.com/docs/rag-citations and docs.mistral.ai/capabilities/citations; the others are recordings.
"""

import json
from collections.abc import Callable, Iterator
from functools import reduce
from operator import getitem

import pytest

from flyllm import LLMManager, LLMResponse
from flyllm.testing import ProviderSimulator
from tests.contract.recordings import Recording, cases
from tests.contract.replay import ReplayServer, Reply, replay_server, reply

SOURCE = "https://example.com/a"
COHERE = {
    "id": "1",
    "finish_reason": "COMPLETE",
    "message": {
        "role": "assistant",
        "content": [{"type": "text", "text": "Emperor penguins are tall."}],
        "citations": [
            {
                "start": 0,
                "end": 16,
                "text": "Emperor penguins",
                "sources": [{"type": "document", "id": "doc:0", "document": {"id": "doc:0", "text": "They are."}}],
            }
        ],
    },
}
MISTRAL = {
    "id": "1",
    "object": "chat.completion",
    "model": "mistral-large-latest",
    "created": 1,
    "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
    "choices": [
        {
            "index": 0,
            "finish_reason": "stop",
            "message": {
                "role": "assistant",
                "content": [{"type": "text", "text": "They are tall."}, {"type": "reference", "reference_ids": [0]}],
            },
        }
    ],
}
AGENT = {
    "id": "resp_1",
    "object": "response",
    "status": "completed",
    "model": "perplexity/sonar",
    "output": [
        {"type": "search_results", "queries": ["penguins"], "results": [{"id": 1, "title": "A", "url": SOURCE}]},
        {
            "type": "message",
            "role": "assistant",
            "content": [
                {
                    "type": "output_text",
                    "text": "They are tall.",
                    "annotations": [{"type": "url_citation", "start_index": 0, "end_index": 4, "url": SOURCE}],
                }
            ],
        },
    ],
}
WRITTEN = {
    ("cohere", "chat"): (COHERE, ("message", "citations", 0, "sources", 0, "document", "id"), "doc:0"),
    ("mistral", "chat_completions"): (MISTRAL, ("choices", 0, "message", "content", 1, "reference_ids"), [0]),
    ("perplexity", "responses"): (AGENT, ("output", 1, "content", 0, "annotations", 0, "url"), SOURCE),
}
RECORDED = ["citations", "web_search_tool_result", "groundingMetadata", "url_citation", "search_results"]

Ask = Callable[[str, str, Reply], LLMResponse]


@pytest.fixture
def ask() -> Iterator[Ask]:
    """Return a function that has a provider's server give one reply to a request through a manager."""
    with replay_server() as server:

        def asked(provider: str, api: str, answer: Reply) -> LLMResponse:
            server.play(answer)
            return _asked(provider, api, server)

        yield asked


def _asked(provider: str, api: str, server: ReplayServer) -> LLMResponse:
    builder = LLMManager.builder().add_instance(provider, "m", "sk-key", api=api, endpoint=server.origin)
    with builder.max_retries(0).build() as manager:
        return manager.generate("Hi")


@pytest.mark.parametrize("row", WRITTEN, ids="-".join)
def test_sources_are_in_raw(ask: Ask, row: tuple[str, str]) -> None:
    """At the place where the provider documents them; the text is without them."""
    body, place, wanted = WRITTEN[row]
    response = ask(*row, Reply(body=json.dumps(body).encode()))
    assert reduce(getitem, place, response.raw) == wanted
    assert response.raw == body
    assert response.content.endswith("are tall.")


def test_sonar_s_citations_and_search_results_are_in_raw() -> None:
    """The simulator sends them as Sonar does, beside the choices."""
    with ProviderSimulator() as simulator:
        server = simulator.add("perplexity")
        builder = LLMManager.builder().add_instance(
            "perplexity", "sonar-pro", "k", api="chat_completions", endpoint=server.url
        )
        with builder.build() as manager:
            raw = manager.generate("Hi").raw
    assert raw["citations"] == [raw["search_results"][0]["url"]]
    assert raw["usage"]["cost"]["total_cost"] > 0


def _cites(recording: Recording) -> bool:
    return not recording.streamed and not recording.failed and any(word in recording.body for word in RECORDED)


def _row(recording: Recording) -> tuple[str, str]:
    if ":generateContent" in recording.path:
        return "google", "generate_content"
    if "/messages" in recording.path:
        return "anthropic", "messages"
    if "/responses" in recording.path:
        return "openai", "responses"
    return ("groq" if "executed_tools" in recording.body else "openai"), "chat_completions"


@pytest.mark.parametrize("recording", cases("anthropic", "gemini", "groq", "openai", where=_cites))
def test_recorded_sources_are_in_raw(ask: Ask, recording: Recording) -> None:
    """Anthropic's citations, Google's grounding, OpenAI's annotations, Groq's searches: nothing is taken away."""
    response = ask(*_row(recording), reply(recording))
    assert response.raw == recording.json
    assert any(word in json.dumps(response.raw) for word in RECORDED)


def test_sonar_s_streamed_sources_are_in_raw() -> None:
    """In the last event, which is kept; those that only bring text are not."""
    with ProviderSimulator() as simulator:
        server = simulator.add("perplexity", reply="They are tall, and stand in the cold.")
        builder = LLMManager.builder().add_instance(
            "perplexity", "sonar-pro", "k", api="chat_completions", endpoint=server.url
        )
        with builder.build() as manager, manager.generate_stream("Hi") as stream:
            list(stream)
        assert stream.response is not None
        (last,) = stream.response.raw
    assert last["citations"]


MARKS = ("citation", "web_search_tool_result", "groundingMetadata", "url_citation")
"""Of sources, as they stand in streamed events."""


def _cites_streamed(recording: Recording) -> bool:
    return recording.streamed and not recording.failed and any(f'"{mark}"' in recording.body for mark in MARKS)


def _streamed_row(recording: Recording) -> tuple[str, str]:
    return ("google", "generate_content") if ":streamGenerateContent" in recording.path else _row(recording)


@pytest.mark.parametrize("recording", cases("anthropic", "gemini", "openai", where=_cites_streamed))
def test_recorded_streams_keep_their_sources(recording: Recording) -> None:
    """Each mark as often as it was sent, in the order in which it was sent."""
    with replay_server() as server:
        server.play(reply(recording))
        provider, api = _streamed_row(recording)
        builder = LLMManager.builder().add_instance(provider, "m", "sk-key", api=api, endpoint=server.origin)
        with builder.max_retries(0).build() as manager, manager.generate_stream("Hi") as stream:
            list(stream)
    assert stream.response is not None
    kept = json.dumps(stream.response.raw)
    assert any(f'"{mark}"' in kept for mark in MARKS)


def test_cohere_s_streamed_citations_are_in_raw() -> None:
    """The events that start them."""
    citation = {"type": "citation-start", "index": 0, "delta": {"message": {"citations": {"start": 0, "text": "They"}}}}
    events = [
        {"type": "message-start", "id": "1", "delta": {"message": {"role": "assistant", "content": []}}},
        {"type": "content-start", "index": 0, "delta": {"message": {"content": {"type": "text", "text": ""}}}},
        {"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": "They are tall."}}}},
        citation,
        {"type": "message-end", "delta": {"finish_reason": "COMPLETE", "usage": {}}},
    ]
    body = "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events)
    with replay_server() as server:
        server.play(Reply(body=body.encode(), content_type="text/event-stream"))
        builder = LLMManager.builder().add_instance("cohere", "m", "sk-key", endpoint=server.origin)
        with builder.max_retries(0).build() as manager, manager.generate_stream("Hi") as stream:
            list(stream)
    assert stream.response is not None
    assert [event["type"] for event in stream.response.raw] == ["citation-start", "message-end"]
