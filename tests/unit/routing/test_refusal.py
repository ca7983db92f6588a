"""Nobody who can: one clear error that says what was needed, who was left out, and who could."""

import pytest

from flyllm._clock import SystemClock
from flyllm._routing.instance import Instance, InstanceState
from flyllm._routing.refusal import refusal
from flyllm._routing.route import Route
from flyllm.errors import NoInstanceError
from flyllm.providers.capabilities import EMBED, FORCED_TOOLS, IMAGE_URLS, IMAGES, JSON, SCHEMAS, TOOLS
from flyllm.providers.registry import provider_spec
from tests.unit.fakes import instance

OPENAI, SONAR = provider_spec("openai").apis[0], provider_spec("perplexity").api("chat_completions")
OLLAMA = provider_spec("ollama").apis[0]


def told(route: Route, *instances: Instance) -> str:
    clock = SystemClock()
    states = [InstanceState(each, clock, enabled=True, last_selected=0) for each in instances]
    error = refusal(route, states, [s for s in states if route.serves(s.instance) and route.allows(s.instance)], 0.0)
    assert isinstance(error, NoInstanceError)
    return str(error)


def test_what_was_needed_is_said_in_words() -> None:
    text = told(Route(None, needs=frozenset({TOOLS})), instance(0, api=SONAR))
    assert text == (
        "no instance can call tools. Providers that can: "
        "openai, anthropic, google, mistral, cohere, groq, togetherai, perplexity, ollama, lmstudio"
    )


def test_several_needs_make_one_sentence() -> None:
    """Who could is who could do all of it."""
    needs = frozenset({TOOLS, FORCED_TOOLS, IMAGES, IMAGE_URLS, EMBED, JSON})
    text = told(Route(None, needs=needs), instance(0, api=OLLAMA))
    assert text.startswith(
        "no instance can embed, be made to call a tool, fetch images by their URL and answer in JSON without a schema. "
        "Providers that can: openai, google, mistral, cohere, togetherai"
    )


def test_instances_left_out_by_their_settings_are_named() -> None:
    """With the words that did it, as they may be wrong; an API that cannot is not the settings' doing."""
    first = instance(0, name="small", api=OPENAI, cannot=("schemas", "tools", "images"))
    second = instance(1, name="other", api=OPENAI, cannot=("images",))
    needs = frozenset({TOOLS, IMAGES})
    text = told(Route(None, needs=needs), first, second, instance(2, name="sonar", api=SONAR))
    assert text.startswith(
        "no instance can call tools and look at images. Left out by their settings: "
        'small (cannot = ["tools", "images"]), other (cannot = ["images"]). Providers that can: openai, '
    )
    assert "sonar" not in text


def test_a_task_is_named_and_only_its_instances_are() -> None:
    summary = instance(0, name="a", api=OPENAI, tasks=frozenset({"summary"}), cannot=("schemas",))
    chat = instance(1, name="b", api=OPENAI, tasks=frozenset({"chat"}), cannot=("schemas",))
    text = told(Route("summary", needs=frozenset({SCHEMAS})), summary, chat)
    assert text.startswith(
        "no instance that supports task 'summary' can answer by a JSON schema. "
        'Left out by their settings: a (cannot = ["schemas"]). Providers that can: openai,'
    )


def test_one_who_can_is_no_refusal() -> None:
    able = instance(1, api=OPENAI)
    state = InstanceState(able, SystemClock(), enabled=True, last_selected=0)
    route = Route(None, needs=frozenset({TOOLS, IMAGES, SCHEMAS}))
    assert refusal(route, [state], [state], 0.0) is None


@pytest.mark.parametrize(
    ("cannot", "needs", "suits"),
    [
        ((), {TOOLS, FORCED_TOOLS, IMAGES, IMAGE_URLS, SCHEMAS, JSON, EMBED}, True),
        (("tools",), {TOOLS}, False),
        (("tools",), {FORCED_TOOLS}, False),
        (("tools",), {IMAGES, IMAGE_URLS, SCHEMAS, JSON, EMBED}, True),
        (("images",), {IMAGE_URLS}, False),
        (("schemas",), {JSON}, True),
        (("schemas",), {SCHEMAS}, False),
        (("embeddings",), {EMBED}, False),
        (("tools", "images"), {SCHEMAS}, True),
    ],
)
def test_a_model_s_truth_goes_before_its_api_s(cannot: tuple[str, ...], needs: set[str], suits: bool) -> None:
    """What it cannot do is taken from what its API can."""
    route = Route(None, needs=frozenset(needs))
    place = instance(0, api=OPENAI, cannot=cannot)
    assert (route.suits(place), route.allows(place)) == (suits, suits)
