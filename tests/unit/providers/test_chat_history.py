"""Messages of a conversation that began elsewhere, on their way to a chat-completions API."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from flyllm.providers.call_ids import at_most, invented_id, nine_characters
from flyllm.providers.chat_history import sent

EXTRA = {"google": {"thought_signature": "s"}, "anthropic": {"thinking": []}}
FUNCTION = {"name": "f", "arguments": "{}"}


def said(call_id: Any, **more: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": None, "tool_calls": [{"id": call_id, "function": FUNCTION, **more}]}


def test_a_message_of_one_s_own_goes_out_as_it_is() -> None:
    """The very object, where there is nothing to change."""
    message = {"role": "user", "content": "Hi", "name": "me"}
    assert sent(message, "openai") is message
    assert sent(said("c1", type="function"), "openai") == said("c1", type="function")
    assert sent(said(None), "openai") == said(None)


def test_extras_go_to_their_own_provider_only() -> None:
    """Of messages and of calls."""
    message = {**said("c1", extra_content=EXTRA), "extra_content": EXTRA}
    assert "extra_content" not in str(sent(message, "openai"))
    google = sent(message, "google")
    assert google["extra_content"] == {"google": EXTRA["google"]}
    assert google["tool_calls"][0]["extra_content"] == {"google": EXTRA["google"]}
    assert message["extra_content"] is EXTRA


@given(st.text(max_size=100))
def test_a_call_and_its_result_keep_one_id(call_id: str) -> None:
    """Made to fit in the same way, as often as it is sent."""
    result = {"role": "tool", "tool_call_id": call_id, "content": "x"}
    for provider, fit in (("openai", lambda given: at_most(given, 40)), ("mistral", nine_characters)):
        one, other = sent(said(call_id), provider, fit), sent(result, provider, fit)
        assert one["tool_calls"][0]["id"] == other["tool_call_id"]
        assert len(other["tool_call_id"]) <= 40
        assert sent(one, provider, fit) == one


def test_ids_that_fit_stay() -> None:
    """Mistral's own, and what is no longer than others take."""
    assert nine_characters("aB3dE6gH9") == "aB3dE6gH9"
    assert nine_characters("call_abcd") != "call_abcd"
    assert nine_characters("call_abcd").isalnum()
    assert at_most("x" * 40, 40) == "x" * 40
    assert at_most("x" * 41, 40) != at_most("x" * 42, 40)


def test_invented_ids_are_all_different() -> None:
    """And no longer than any provider takes but one."""
    ids = {invented_id() for _ in range(1000)}
    assert len(ids) == 1000
    assert max(map(len, ids)) <= 40
