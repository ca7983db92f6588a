"""The simulator's native wires against recordings of real traffic: the same fields, at the same places."""

import json

import pytest

from flyllm.testing.wires.base import Json
from tests.contract.native_wires import REPLIES, SPEC_OF, events, payloads, shapes, whole
from tests.contract.recordings import FOLDER, Recording, load

UNRECORDED = {
    # Documented, but in no recording.
    "anthropic": {".stop_details.", ".delta.stop_details."},
    "gemini": {".promptFeedback"},
    "cohere": {".message.content[thinking]"},
}


def recorded(name: str, streamed: bool) -> list[Json]:
    """Return what a provider sent in recordings of its own API: whole answers, or the events of streams."""
    native = [r for r in load(name) if not r.failed and "/openai/" not in r.path and r.streamed is streamed]
    if not native:
        pytest.skip(f"no recordings in {FOLDER} (set FLYLLM_RECORDINGS)")
    return [event for recording in native for event in _bodies(recording)]


def _bodies(recording: Recording) -> list[Json]:
    if not recording.streamed:
        return [recording.json]
    return [json.loads(data) for data in payloads(recording.body) if data != "[DONE]"]


@pytest.mark.parametrize("provider", ["anthropic", "google", "mistral", "cohere"])
def test_whole_answers_have_no_field_that_no_real_one_had(provider: str) -> None:
    """Each field of a whole answer was seen in real traffic, at the same place."""
    name = SPEC_OF.get(provider, provider)
    real = {shape for body in recorded(name, streamed=False) for shape in shapes(body)}
    sent = {shape for reply in REPLIES.values() for shape in shapes(whole(provider, reply))}
    documented = tuple(UNRECORDED.get(name, ["?"]))
    assert {s for s in sent - real if not s.startswith(documented)} == SEEN_STREAMED.get(name, set())


SEEN_STREAMED = {
    # No whole answer with thoughts was recorded; in streams they were.
    "gemini": {".candidates[].content.parts[].thought"},
    "mistral": {
        ".choices[].message.content[thinking].type",
        ".choices[].message.content[thinking].thinking",
        ".choices[].message.content[thinking].thinking[text].type",
        ".choices[].message.content[thinking].thinking[text].text",
        ".choices[].message.content[text].type",
        ".choices[].message.content[text].text",
    },
}


@pytest.mark.parametrize("provider", ["anthropic", "google", "mistral", "cohere"])
def test_whole_answers_have_every_field_that_all_real_ones_had(provider: str) -> None:
    """No field is missing that every recorded answer has."""
    bodies = [set(shapes(body)) for body in recorded(SPEC_OF.get(provider, provider), streamed=False)]
    usual = [shapes for shapes in bodies if len(shapes) > 5]
    always = {s for s in set.intersection(*usual[:1], *usual) if "[" not in s}
    assert always <= set(shapes(whole(provider, REPLIES["text"])))


@pytest.mark.parametrize("provider", ["anthropic", "google", "mistral"])
def test_events_have_no_field_that_no_real_one_had(provider: str) -> None:
    """Each field of an event was seen in a real event of the same type, or in a whole answer."""
    name = SPEC_OF.get(provider, provider)
    real = {(event.get("type"), s) for event in recorded(name, streamed=True) for s in shapes(event)}
    in_whole = {s for body in recorded(name, streamed=False) for s in shapes(body)}
    sent = {(e.get("type"), s) for reply in REPLIES.values() for e in events(provider, reply) for s in shapes(e)}
    unseen = {(kind, s) for kind, s in sent - real if s.removeprefix(".message") not in in_whole}
    allowed = (*UNRECORDED.get(name, ()), *EVENT_FIELDS_SEEN_WHOLE)
    assert {(kind, s) for kind, s in unseen if not s.startswith(allowed)} == set()


EVENT_FIELDS_SEEN_WHOLE = (
    # Recorded in whole answers with calls of tools, which no recorded stream has in this form.
    ".content_block.caller",
    ".choices[].delta.tool_calls",
    ".usage.prompt_tokens_details",
)


def test_the_anthropic_events_come_in_the_recorded_order() -> None:
    """message_start, then each block started, filled and stopped, a ping in the first, message_delta, message_stop."""
    kinds = [event["type"] for event in events("anthropic", REPLIES["reasoning"])]
    collapsed = [kind for kind, before in zip(kinds, ["", *kinds], strict=False) if kind != before]
    assert collapsed == [
        "message_start",
        "content_block_start",
        "ping",
        "content_block_delta",
        "content_block_stop",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
