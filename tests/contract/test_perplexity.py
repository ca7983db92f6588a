"""Perplexity's Agent API: Sonar's names and parameters go on working, answers are read, models listed."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from flyllm.errors import AuthenticationError, ModelNotFoundError, ServerError
from flyllm.providers.registry import provider_spec
from tests.contract.recordings import adapter, of_deltas, request
from tests.contract.replay import ReplayServer, Reply, replay_server

SOURCES = {"type": "search_results", "queries": ["q"], "results": [{"id": 1, "url": "https://a.example", "title": "A"}]}
MESSAGE = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Yes.[1]"}]}
USAGE = {"input_tokens": 30, "output_tokens": 4, "total_tokens": 34, "input_tokens_details": {"cached_tokens": 10}}
OWN_CALL = {"type": "function_call", "call_id": "c", "name": "search_web", "arguments": "{}", "status": "completed"}


def answer(*output: Any, **fields: Any) -> dict[str, Any]:
    return {
        "id": "resp_1",
        "status": "completed",
        "error": None,
        "model": "perplexity/sonar",
        "output": output,
        **fields,
    }


def stream(*events: dict[str, Any]) -> Reply:
    """As the vendor sends them: no `event:` line, no sentinel."""
    body = "".join(f"data: {json.dumps(event)}\n\n" for event in events)
    return Reply(content_type="text/event-stream", body=body.encode())


@pytest.fixture
def server() -> Iterator[ReplayServer]:
    with replay_server() as running:
        yield running


@pytest.fixture
def provider(server: ReplayServer) -> Iterator[Any]:
    made = adapter("perplexity", server.origin + "/v1")
    yield made
    made.close()


def sent(provider: Any, model: str, **fields: Any) -> dict[str, Any]:
    body: dict[str, Any] = provider.body(request(model, **fields))
    return body


@pytest.mark.parametrize(
    ("model", "engine"),
    [
        ("sonar", {"model": "perplexity/sonar", "preset": "fast"}),
        ("sonar-pro", {"model": "perplexity/sonar", "preset": "low"}),
        ("sonar-reasoning", {"model": "perplexity/sonar", "preset": "low"}),
        ("sonar-reasoning-pro", {"model": "perplexity/sonar", "preset": "low"}),
        ("sonar-deep-research", {"model": "perplexity/sonar", "preset": "medium"}),
        ("perplexity/sonar", {"model": "perplexity/sonar"}),
        ("openai/gpt-5.1", {"model": "openai/gpt-5.1"}),
        ("xhigh", {"preset": "xhigh"}),
    ],
)
def test_a_name_picks_model_and_preset(provider: Any, model: str, engine: dict[str, str]) -> None:
    """Old names are mapped, presets may stand in place of a model, others go as they are."""
    body = sent(provider, model)
    assert {name: body[name] for name in ("model", "preset") if name in body} == engine


def test_a_preset_of_the_users_wins(provider: Any) -> None:
    """As a parameter."""
    assert sent(provider, "sonar-pro", params={"preset": "high"})["preset"] == "high"


def test_a_system_message_does_not_replace_the_presets_instructions(provider: Any) -> None:
    """Those tell the model how to search."""
    system = {"role": "system", "content": "Be brief."}
    body = sent(provider, "sonar", messages=[system, {"role": "user", "content": "Hi"}])
    assert "instructions" not in body
    assert body["input"][0] == system


def test_the_format_stands_where_this_api_wants_it(provider: Any) -> None:
    """`text.format` is a 400 here."""
    wanted = {"type": "json_schema", "json_schema": {"name": "s", "schema": {"type": "object"}}}
    body = sent(provider, "sonar", response_format=wanted)
    assert body["response_format"] == wanted
    assert "text" not in body


def test_sonars_search_parameters_move_to_the_search_tool(provider: Any) -> None:
    """At the top level they would be refused; a search tool of the user's keeps its own word."""
    params = {
        "search_domain_filter": ["a.example"],
        "search_recency_filter": "week",
        "web_search_options": {"search_context_size": "low"},
        "num_search_results": 5,
        "temperature": 0.2,
    }
    filters = {"search_domain_filter": ["a.example"], "search_recency_filter": "week"}
    tool = {"type": "web_search", "search_context_size": "low", "max_results": 5, "filters": filters}
    body = sent(provider, "sonar", params=params)
    assert body["tools"] == [tool]
    assert not set(params) & (set(body) - {"temperature"})
    own = {"type": "web_search", "max_results": 9}
    both = sent(provider, "sonar", params=params, tools=[own, {"type": "fetch_url"}])
    assert both["tools"] == [{"type": "fetch_url"}, {**tool, "max_results": 9}]


def test_a_call_keeps_its_sources_in_raw(server: ReplayServer, provider: Any) -> None:
    """Citations are the provider's own output items."""
    server.play(Reply(body=json.dumps(answer(SOURCES, MESSAGE, usage=USAGE)).encode()))
    got = provider.generate(request("sonar"))
    assert (got.content, got.finish_reason, got.model) == ("Yes.[1]", "stop", "perplexity/sonar")
    assert (got.usage.prompt_tokens, got.usage.cached_tokens) == (30, 10)
    assert got.raw["output"][0]["results"][0]["url"] == "https://a.example"
    assert (server.seen[0].path, server.seen[0].json["preset"]) == ("/v1/responses", "fast")


def test_a_stream_shows_neither_the_text_twice_nor_the_providers_own_searches(
    server: ReplayServer, provider: Any
) -> None:
    """The order of events as recorded by Vercel's AI SDK (packages/perplexity, 2026-09)."""
    deltas = [{"type": "response.output_text.delta", "output_index": 1, "delta": piece} for piece in ("Ye", "s.[1]")]
    server.play(
        stream(
            {"type": "response.created", "response": answer(model="fast", status="in_progress")},
            {"type": "response.output_item.added", "output_index": 0, "item": OWN_CALL},
            {"type": "response.reasoning.search_queries", "queries": ["q"], "thought": "Searching the web..."},
            {"type": "response.output_item.done", "output_index": 0, "item": SOURCES},
            {"type": "response.output_item.added", "output_index": 1, "item": {**MESSAGE, "content": None}},
            *deltas,
            {"type": "response.output_item.done", "output_index": 1, "item": MESSAGE},
            {"type": "response.completed", "response": answer(SOURCES, MESSAGE, usage=USAGE)},
        )
    )
    got = of_deltas(provider.stream(request("sonar")))
    assert (got.text, got.tool_calls, got.finish_reason, got.model) == ("Yes.[1]", (), "stop", "perplexity/sonar")
    assert got.usage is not None
    assert got.usage.completion_tokens == 4
    assert server.seen[0].json["stream"] is True


def test_text_that_comes_only_at_the_end_is_not_lost(server: ReplayServer, provider: Any) -> None:
    """Short answers may have no deltas."""
    server.play(stream({"type": "response.completed", "response": answer(SOURCES, MESSAGE, usage=USAGE)}))
    assert of_deltas(provider.stream(request("sonar"))).text == "Yes.[1]"


@pytest.mark.parametrize("status", ["failed", "cancelled"])
def test_a_failed_run_is_an_error(server: ReplayServer, provider: Any, status: str) -> None:
    """They come with status 200."""
    failed = answer(status=status, error={"message": "m", "type": "internal_error"} if status == "failed" else None)
    server.play(Reply(body=json.dumps(failed).encode()))
    with pytest.raises(ServerError):
        provider.generate(request("sonar"))
    server.play(stream({"type": f"response.{status}", "response": failed}))
    with pytest.raises(ServerError):
        list(provider.stream(request("sonar")))


def test_models_are_listed_live(server: ReplayServer, provider: Any) -> None:
    """From the published endpoint."""
    models = {
        "object": "list",
        "data": [{"id": "perplexity/sonar", "owned_by": "perplexity"}, {"id": "openai/gpt-5.4"}],
    }
    server.play(Reply(body=json.dumps(models).encode()))
    assert [model.id for model in provider.list_models(5)] == ["perplexity/sonar", "openai/gpt-5.4"]
    assert [(seen.method, seen.path) for seen in server.seen] == [("GET", "/v1/models")]


def test_without_a_model_list_the_documented_names_are_given(server: ReplayServer, provider: Any) -> None:
    """Only a 404 means that there is none."""
    server.play(Reply(404, body=b'{"error":{"message":"no such route"}}'))
    assert [model.id for model in provider.list_models(5)] == list(provider_spec("perplexity").static_models)
    server.play(Reply(401, body=b'{"error":{"message":"bad key"}}'))
    with pytest.raises(AuthenticationError):
        provider.list_models(5)


def test_every_listed_name_can_be_used(provider: Any) -> None:
    """A preset, a mapped name, or the vendor's model."""
    bodies = [sent(provider, name) for name in provider_spec("perplexity").static_models]
    assert all("preset" in body or body["model"] == "perplexity/sonar" for body in bodies)


def test_a_chat_completions_endpoint_keeps_its_shape(server: ReplayServer) -> None:
    """For gateways that still speak it: nothing is mapped there."""
    server.play(Reply(404, body=b'{"error":{"message":"Sonar is now the Agent API"}}'))
    made = adapter("perplexity", server.origin, api="chat_completions")
    with pytest.raises(ModelNotFoundError, match="Sonar is now the Agent API"):
        made.generate(request("sonar-pro"))
    made.close()
    assert (server.seen[0].path, server.seen[0].json["model"]) == ("/chat/completions", "sonar-pro")
