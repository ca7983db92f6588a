"""Requests of any shape over all rows: an answer or an `LLMError` that says what is wrong, never anything else."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flyllm import GenerationRequest, LLMManager, ProviderError
from flyllm.providers.registry import REGISTRY
from flyllm.testing import ProviderSimulator

ROWS = [(spec.name, api.name) for spec in REGISTRY.values() for api in spec.apis]

WORDS = st.sampled_from(
    ["", "a", "text", "name", "id", "function", "\ud800", "data:,x", "https://example.com/a.png", "ä\x00"]
)
SCALARS = st.none() | st.booleans() | st.integers(-2, 10**20) | st.floats() | WORDS | st.binary(max_size=4)
JUNK = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3), max_leaves=6
)
URLS = WORDS | st.sampled_from(["data:image/png;base64,aGk=", "data:image/png;base64,?", "ftp://x", "/etc/passwd"])
IMAGES = URLS | st.binary(max_size=9) | st.sampled_from([b"\x89PNG\r\n\x1a\n", Path("/nowhere.png"), Path("/")])


def mostly(usual: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Draw from `usual` eleven times of twelve, else junk."""
    return st.integers(0, 11).flatmap(lambda n: usual if n else JUNK)


FUNCTIONS = st.fixed_dictionaries(
    {},
    optional={"name": mostly(WORDS), "arguments": mostly(st.sampled_from(["{}", '{"a":1}', "[", ""])), "x": JUNK},
)
CALLS = st.fixed_dictionaries(
    {}, optional={"id": mostly(WORDS), "type": mostly(st.just("function")), "function": mostly(FUNCTIONS)}
)
PARTS = st.one_of(
    WORDS,
    IMAGES,
    st.fixed_dictionaries({"type": st.just("text")}, optional={"text": mostly(WORDS)}),
    st.fixed_dictionaries(
        {"type": st.just("image_url")},
        optional={
            "image_url": mostly(IMAGES | st.fixed_dictionaries({"url": mostly(IMAGES)}, optional={"detail": JUNK}))
        },
    ),
    st.fixed_dictionaries({"type": mostly(st.sampled_from(["file", "thinking", "tool_use"]))}, optional={"file": JUNK}),
)
MESSAGES = st.fixed_dictionaries(
    {"role": mostly(st.sampled_from(["system", "developer", "user", "assistant", "tool"]))},
    optional={
        "content": mostly(WORDS | st.lists(mostly(PARTS), max_size=3)),
        "tool_calls": mostly(st.lists(mostly(CALLS), max_size=2)),
        "tool_call_id": mostly(WORDS),
        "name": JUNK,
        "extra_content": mostly(st.dictionaries(st.sampled_from(list(REGISTRY)), JUNK, max_size=2)),
    },
)
SCHEMAS = st.fixed_dictionaries(
    {},
    optional={
        "type": mostly(st.sampled_from(["object", "json_schema", "json_object"])),
        "properties": JUNK,
        "json_schema": JUNK,
    },
)
TOOLS = st.fixed_dictionaries(
    {},
    optional={
        "type": mostly(st.just("function")),
        "function": mostly(FUNCTIONS | st.fixed_dictionaries({"parameters": JUNK})),
    },
)
REQUESTS = st.fixed_dictionaries(
    {"prompt": st.just("Hi") | WORDS, "messages": st.lists(MESSAGES, max_size=4)},
    optional={
        "images": st.lists(IMAGES, max_size=2),
        "system": WORDS,
        "tools": st.lists(mostly(TOOLS), max_size=2),
        "tool_choice": st.sampled_from(["auto", "none", "required"])
        | st.fixed_dictionaries({}, optional={"function": mostly(FUNCTIONS)}),
        "response_format": SCHEMAS,
        "params": st.dictionaries(
            st.sampled_from(["temperature", "stop", "reasoning_effort", "seed", "max_tokens"]), JUNK, max_size=2
        ),
        "fail_on": st.just(("empty",)),
    },
)


@pytest.fixture(scope="module")
def managers() -> Iterator[dict[tuple[str, str], LLMManager]]:
    with ProviderSimulator() as simulator:
        made = {}
        for provider, api in ROWS:
            server = simulator.add(provider, name=f"{provider}-{api}")
            builder = (
                LLMManager.builder().add_instance(provider, "model-1", "sk-key", api=api).custom_endpoint(server.url)
            )
            made[provider, api] = builder.max_retries(0).build()
        yield made
        for manager in made.values():
            manager.close()


@pytest.mark.parametrize("row", ROWS, ids="-".join)
@settings(
    max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None
)
@given(fields=REQUESTS)
def test_any_request_is_answered_or_refused(
    managers: dict[tuple[str, str], LLMManager], row: tuple[str, str], fields: dict[str, Any]
) -> None:
    """By flyllm before anything is sent, or by the provider. An exception nobody foresaw is a bug."""
    manager = managers[row]
    for instance in manager.instances:
        manager.enable(instance.id)  # forgets what an earlier request made of it
    (response,) = manager.generate_sequentially([GenerationRequest(**fields)])
    assert type(response.error) is not ProviderError
