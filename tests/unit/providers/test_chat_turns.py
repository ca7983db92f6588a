"""Conversations on their way to servers of the chat-completions shape, each with its own rules."""

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyllm.providers.chat_rules import OPENAI, ChatRules, rules_of
from flyllm.providers.chat_turns import fitted, says_nothing
from flyllm.providers.mistral_turns import turns

STRICT = ChatRules(plain=True, empty=False, alternating=True)
IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}


def said(role: str, content: Any = None, **more: Any) -> dict[str, Any]:
    return {"role": role, "content": content, **more}


def text(*words: str) -> list[dict[str, Any]]:
    return [{"type": "text", "text": word} for word in words]


USER, ANSWER = said("user", "Hi"), said("assistant", "Yes?")
CALL = said("assistant", None, tool_calls=[{"id": "abcdefgh1", "type": "function", "function": {"name": "f"}}])
RESULT = said("tool", "1", tool_call_id="abcdefgh1")


def test_a_conversation_that_fits_goes_out_as_it_is() -> None:
    """The very messages."""
    messages = [said("developer", "x"), USER, CALL, RESULT, USER, said("user", [*text("a"), IMAGE])]
    assert all(new is old for new, old in zip(fitted(messages, OPENAI), messages, strict=True))
    assert rules_of("unheard of") is OPENAI


@pytest.mark.parametrize(
    ("message", "nothing"),
    [
        (said("assistant"), True),
        (said("assistant", ""), True),
        (said("assistant", []), True),
        (said("assistant", text("", "")), True),
        (said("assistant", None, name="bob", refusal=None, tool_calls=[]), True),
        (said("assistant", " "), False),
        (said("assistant", text("a")), False),
        (said("user", [IMAGE]), False),
        (said("assistant", None, refusal="No."), False),
        (said("assistant", None, extra_content={"anthropic": {"thinking": [1]}}), False),
        (CALL, False),
    ],
)
def test_what_says_nothing(message: dict[str, Any], nothing: bool) -> None:
    """Neither content nor calls, refusals or thoughts."""
    assert says_nothing(message) == nothing
    assert fitted([USER, message, USER], OPENAI) == ([USER, USER] if nothing else [USER, message_sent(message), USER])


def message_sent(message: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in message.items() if name == "content" or value not in (None, [])}


def test_fields_without_a_value_are_left_out() -> None:
    """An SDK's own message has many, and other servers refuse their names."""
    given_message = said("assistant", "A", refusal=None, annotations=[], tool_calls=[], audio=None)
    assert fitted([given_message], OPENAI) == [said("assistant", "A")]


def test_images_of_results_follow_all_of_them() -> None:
    """The results of parallel calls must stand together."""
    messages = [CALL, said("tool", [IMAGE]), said("tool", [*text("b"), IMAGE]), ANSWER, said("tool", [IMAGE])]
    assert fitted(messages, OPENAI) == [
        CALL,
        said("tool", ""),
        said("tool", text("b")),
        said("user", [IMAGE, IMAGE]),
        ANSWER,
        said("tool", ""),
        said("user", [IMAGE]),
    ]


def test_texts_are_joined_where_one_is_wanted() -> None:
    """An assistant's were one; those of others were apart. The user's parts are taken everywhere."""
    messages = [said("system", text("a", "b")), said("user", text("a", "b")), said("assistant", text("a", "b"))]
    plain = fitted(messages, ChatRules(plain=True))
    assert [message["content"] for message in plain] == ["a\n\nb", text("a", "b"), "ab"]
    assert fitted([said("user", text("a", ""))], OPENAI) == [said("user", text("a"))]
    assert fitted([said("user", text(""))], OPENAI) == [said("user", "")]


def test_roles_take_turns_where_they_must() -> None:
    """The system first, in one message; neighbours made one; results of calls stay."""
    messages = [
        USER,
        said("system", "a"),
        said("user", text("b")),
        ANSWER,
        CALL,
        RESULT,
        RESULT,
        said("developer", "c"),
    ]
    assert fitted(messages, STRICT) == [
        said("system", "a\n\nc"),
        said("user", text("Hi", "b")),
        {**CALL, "content": "Yes?"},
        RESULT,
        RESULT,
    ]
    assert fitted([said("system", "a"), said("system", "b")], STRICT) == [said("user", "a\n\nb")]
    assert fitted([USER, said("assistant", ""), USER], STRICT) == [said("user", "Hi\n\nHi")]
    assert fitted([], STRICT) == []


CONTENTS = st.sampled_from([None, "", "ß", [], text(""), text("ß"), [*text("ß"), IMAGE]])
MESSAGES = st.lists(st.builds(said, st.sampled_from(["system", "developer", "user", "assistant", "tool"]), CONTENTS))


@given(MESSAGES, st.builds(ChatRules, st.booleans(), st.booleans(), st.booleans(), st.booleans()))
def test_no_text_and_no_image_is_ever_lost(messages: list[Any], rules: ChatRules) -> None:
    """Whatever the rules; what fits once is not changed again."""
    once = fitted(messages, rules)
    assert str(once).count("ß") == str(messages).count("ß")
    assert str(once).count("AA==") == str(messages).count("AA==")
    assert fitted(once, rules) == once


@given(MESSAGES)
def test_mistral_s_order_holds_whatever_is_said(messages: list[Any]) -> None:
    """No user after a result, no system after the assistant; nothing but a blank is added."""
    made = turns(messages)
    roles = [message["role"] for message in made]
    pairs = set(pairwise(roles))
    assert not pairs & {("tool", "user"), ("tool", "system"), ("assistant", "system")}
    assert str(made).count("ß") == str(messages).count("ß")
    added = len(made) - sum(not (message["role"] == "assistant" and says_nothing(message)) for message in messages)
    assert added == sum(message["content"] == " " for message in made)


def test_mistral_gets_a_blank_where_the_assistant_must_speak() -> None:
    """Between a result and what the user says next."""
    assert turns([USER, CALL, RESULT, USER]) == [USER, CALL, RESULT, said("assistant", " "), USER]
    assert turns([USER, CALL, RESULT, said("assistant", ""), USER])[3] == said("assistant", " ")


def test_mistral_goes_on_from_what_the_assistant_began() -> None:
    """Unless it called something, or the request says it already."""
    assert turns([USER, ANSWER]) == [USER, {**ANSWER, "prefix": True}]
    assert turns([USER, CALL]) == [USER, CALL]
    assert turns([USER, {**ANSWER, "prefix": True}]) == [USER, {**ANSWER, "prefix": True}]
    assert turns([]) == []


def test_mistral_s_system_messages_move_only_where_they_must() -> None:
    """Then all of them, in their order."""
    one, other = said("system", "a"), said("developer", "b")
    assert turns([one, USER, other, USER]) == [one, USER, said("system", "b"), USER]
    assert turns([USER, one, ANSWER, other, USER]) == [one, said("system", "b"), USER, ANSWER, USER]
    assert turns([USER, one]) == [one, USER]
