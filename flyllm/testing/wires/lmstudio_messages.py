"""What LM Studio refuses in messages, in its own words.

The templates of Gemma, Mistral and other models want user and assistant in turn; LM Studio hands on what they raise.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from flyllm.testing.wires.base import BadRequest, Json
from flyllm.testing.wires.chat_messages import spoken
from flyllm.testing.wires.message_parts import is_data, parts_of, says_something, url_in

_ROLES = ("user", "assistant", "system", "tool")
_PAYLOAD = "Invalid 'messages' in payload. Please check the structure of your 'messages' and try again."
_TEMPLATE = 'Error rendering prompt with jinja template: "{}".'


def check_lmstudio(messages: Sequence[Json]) -> None:
    """Raise `BadRequest` where LM Studio answers 400.

    lmstudio-ai/lmstudio-bug-tracker issues 669 and 1120, microsoft/autogen issue 1521, QwenLM/qwen-code issue 3616.
    """
    for number, message in enumerate(messages):
        _check_role(message.get("role"))
        if message["role"] in ("user", "system") and not says_something(message):
            raise BadRequest("'messages' array must only contain objects with a 'content' field that is not empty.")
        for _, part in parts_of(number, message):
            if part.get("type") == "image_url" and message["role"] != "user":
                raise BadRequest(_PAYLOAD)
            if part.get("type") == "image_url" and not is_data(url_in(part)):
                raise BadRequest("'url' field must be a base64 encoded image.")
    _check_turns([message["role"] for message in messages])


def _check_role(role: Any) -> None:
    if role not in _ROLES:
        known = f"[{', '.join(_ROLES)}]"
        raise BadRequest(
            f"'messages' array must only contain objects with a 'role' field that is in {known}. Got '{role}'"
        )


def _check_turns(roles: Sequence[str]) -> None:
    turns = spoken(roles)
    if "system" in turns or len(roles) - len(turns) > 1:
        raise BadRequest(_TEMPLATE.format("System message must be at the beginning."))
    if any(one == other != "tool" for one, other in pairwise(turns)):
        raise BadRequest(_TEMPLATE.format("Conversation roles must alternate user/assistant/user/assistant/..."))
