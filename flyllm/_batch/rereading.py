"""Answers out of a journal, read once more as their requests want them: a journal has their text only."""

from dataclasses import replace

from flyllm.errors import ConfigError
from flyllm.request import GenerationRequest
from flyllm.structured import Mismatch, read_form
from flyllm.types import LLMResponse


def reread(response: LLMResponse | None, request: GenerationRequest) -> LLMResponse | None:
    """Return `response` with `parsed`; None, as for one that is missing, where it is not of the form wanted."""
    if response is None or request.response_format is None or response.tool_calls:
        return response
    try:
        form = read_form(request.response_format)
        return response if form is None or form.read is None else replace(response, parsed=form.read(response.content))
    except (ConfigError, Mismatch):
        return None
