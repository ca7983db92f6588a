"""Messages on their way to a chat-completions API, of which some may be another provider's: the same conversation
goes on wherever a request is routed, and several servers refuse an id or a field that is not of their own kind.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from flyllm.providers.call_ids import CHAT_LONGEST, at_most
from flyllm.providers.messages import calls, own_extra

_chat_id = partial(at_most, longest=CHAT_LONGEST)


def sent(message: Mapping[str, Any], provider: str, fit: Callable[[str], str] = _chat_id) -> Mapping[str, Any]:
    """Return `message` for `provider`: ids made to `fit`, `extra_content` only where it is the provider's own."""
    changed = _own(message, provider)
    if calls(message):
        changed = {**changed, "tool_calls": [_call(call, provider, fit) for call in calls(message)]}
    if isinstance(answered := message.get("tool_call_id"), str):
        changed = {**changed, "tool_call_id": fit(answered)}
    return changed


def _call(call: Mapping[str, Any], provider: str, fit: Callable[[str], str]) -> Mapping[str, Any]:
    given = call.get("id")
    return {**_own(call, provider), "id": fit(given)} if isinstance(given, str) else _own(call, provider)


def _own(holder: Mapping[str, Any], provider: str) -> Mapping[str, Any]:
    if "extra_content" not in holder:
        return holder
    kept = {name: value for name, value in holder.items() if name != "extra_content"}
    own = own_extra(holder, provider)
    return {**kept, "extra_content": own} if own else kept
