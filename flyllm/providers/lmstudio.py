"""Adapter for LM Studio: chat completions through the openai SDK, but for the choice of a tool by its name."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from flyllm.providers.base import ProviderRequest
from flyllm.providers.messages import function_name
from flyllm.providers.openai_chat import OpenAIChat


class LMStudioChat(OpenAIChat):
    """Chat completions, with words for `tool_choice`."""

    def body(self, request: ProviderRequest) -> dict[str, Any]:
        """Return the wire body of `request`."""
        return super().body(_with_a_word(request))


def _with_a_word(request: ProviderRequest) -> ProviderRequest:
    """Return `request` with no other tool where one is named.

    "Invalid tool_choice type: 'object'. Supported string values: none, auto, required"
    (lmstudio-ai/lmstudio-bug-tracker issue 670).
    """
    if not isinstance(request.tool_choice, Mapping):
        return request
    named = function_name(request.tool_choice)
    return replace(
        request, tools=[tool for tool in request.tools or () if function_name(tool) == named], tool_choice="required"
    )
