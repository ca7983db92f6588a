"""The answer as JSON: one object; of a stream one for each chunk, and then {"response": ...} with the whole."""

from dataclasses import asdict
from typing import Any

from flyllm.cli.response_json import response_object, usage_object, write_json
from flyllm.errors import LLMError, StreamInterruptedError
from flyllm.manager import LLMManager
from flyllm.request import GenerationRequest
from flyllm.types import LLMResponse, StreamChunk, TokenUsage


def print_object(manager: LLMManager, request: GenerationRequest) -> None:
    """Print the response, of whatever success. Raises LLMError."""
    try:
        response = manager.generate(request)
    except LLMError as error:
        write_json(response_object(_failed(error, request)))
        raise
    write_json(response_object(response))


def print_objects(manager: LLMManager, request: GenerationRequest) -> None:
    """Print the chunks as they come, then the response, of whatever success. Raises LLMError."""
    try:
        with manager.generate_stream(request) as stream:
            for chunk in stream:
                write_json(_chunk(chunk))
    except LLMError as error:
        write_json({"response": response_object(_failed(error, request))})
        raise
    if stream.response is not None:
        write_json({"response": response_object(stream.response)})


def _failed(error: LLMError, request: GenerationRequest) -> LLMResponse:
    attempts = error.attempts
    interrupted = error if isinstance(error, StreamInterruptedError) else StreamInterruptedError()
    return LLMResponse(
        content=interrupted.partial,
        error=error,
        usage=interrupted.usage or TokenUsage(),
        model=error.model,
        provider=error.provider,
        instance_name=error.instance,
        task=request.task,
        attempts=attempts,
        duration=attempts[-1].started + attempts[-1].duration - attempts[0].started if attempts else 0.0,
    )


def _chunk(chunk: StreamChunk) -> dict[str, Any]:
    """Return those fields of `chunk` that are not empty."""
    told = {name: value for name, value in chunk._asdict().items() if value != chunk._field_defaults[name]}
    for name in ("tool_calls", "tool_call_deltas"):
        if name in told:
            told[name] = [asdict(call) for call in told[name]]
    if chunk.usage is not None:
        told["usage"] = usage_object(chunk.usage)
    return told
