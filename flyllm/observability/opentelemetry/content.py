"""Prompts and answers in the shape of the GenAI semantic conventions, as JSON text.

They are recorded only where the environment says so, with the variable that OpenTelemetry's own instrumentations obey.
"""

import os
from collections.abc import Iterator, Mapping
from typing import Any

from flyllm.observability.events import AttemptEvent
from flyllm.observability.lenient_json import encoder
from flyllm.observability.shortened import shortened
from flyllm.request import GenerationRequest

VARIABLE = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"

_json = encoder()


def wanted() -> bool:
    """Whether prompts and answers are to be recorded on spans."""
    return os.environ.get(VARIABLE, "").strip().lower() in ("true", "span_only", "span_and_event")


def of(event: AttemptEvent) -> dict[str, str]:
    """Return what was asked, and what came of it."""
    request = event.request
    found = {"gen_ai.input.messages": _json(list(_asked(request)))}
    if request.system:
        found["gen_ai.system_instructions"] = _json([_text(request.system)])
    if event.content:
        found["gen_ai.output.messages"] = _json([{"role": "assistant", "parts": [_text(event.content)]}])
    return found


def _asked(request: GenerationRequest) -> Iterator[dict[str, Any]]:
    for message in request.messages or ():
        yield {"role": message.get("role"), "parts": list(_parts(message))}
    if request.prompt or request.images:
        shown = [{"type": "image_url"} for _ in request.images or ()]
        yield {"role": "user", "parts": [*shown, *([_text(request.prompt)] if request.prompt else [])]}


def _parts(message: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    content = message.get("content")
    if message.get("role") == "tool":
        yield {"type": "tool_call_response", "id": message.get("tool_call_id"), "response": shortened(content)}
        return
    for part in [content] if isinstance(content, str) else content or ():
        if isinstance(part, str):
            yield _text(part)
        elif isinstance(part, Mapping):  # of images and files only that they were there
            yield _text(part["text"]) if "text" in part else {"type": part.get("type")}
    for call in message.get("tool_calls") or ():
        function = call.get("function") or {}
        arguments = function.get("arguments")
        yield {"type": "tool_call", "id": call.get("id"), "name": function.get("name"), "arguments": arguments}


def _text(text: Any) -> dict[str, Any]:
    return {"type": "text", "content": text}
