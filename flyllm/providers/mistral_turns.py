"""Conversations as Mistral takes them, with all that they say.

Source of the order that it wants: github.com/mistralai/mistral-common, protocol/instruct/validator.py (2026). Images
may stand in results (mistralai/mistral-vibe pull request 900).
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from flyllm.providers.call_ids import nine_characters
from flyllm.providers.chat_history import sent
from flyllm.providers.chat_turns import says_nothing
from flyllm.providers.messages import calls

Message = Mapping[str, Any]

_BLANK: Message = {"role": "assistant", "content": " "}
"""Between a result and a user's message, where Mistral wants the assistant to speak ("Unexpected role 'user' after role
'tool'") and something to be said. There is no other way to say both."""


def turns(messages: Sequence[Message]) -> list[Message]:
    """Return `messages` as Mistral takes them.

    System messages go to the beginning where one of them follows the assistant's or a result, or is the last one. An
    assistant's message at the end is the beginning of the answer, which then repeats it.
    """
    told = [_sent(each) for each in messages if each.get("role") != "assistant" or not says_nothing(each)]
    if _misplaced([each["role"] for each in told]):
        told.sort(key=lambda each: each["role"] != "system")
    made = told[:1]
    for before, each in pairwise(told):
        made += [_BLANK, each] if (before["role"], each["role"]) == ("tool", "user") else [each]
    return _open(made)


def _misplaced(roles: Sequence[str]) -> bool:
    late = any(role == "system" and before in ("assistant", "tool") for before, role in pairwise(roles))
    return late or roles[-1:] == ["system"]


def _sent(message: Message) -> Message:
    # Its schema is closed: whose name is whose, and fields of other providers' messages without a value, are refused.
    named = message.get("role") == "tool"
    kept = {
        field: value
        for field, value in message.items()
        if field in ("role", "content") or (value and (named or field != "name"))
    }
    if kept.get("role") == "developer":
        kept["role"] = "system"
    return sent(kept, "mistral", nine_characters)


def _open(made: list[Message]) -> list[Message]:
    last = made[-1] if made else {}
    if last.get("role") != "assistant" or calls(last) or "prefix" in last:
        return made
    return [*made[:-1], {**last, "prefix": True}]
