"""The answer as text: on stdout it and nothing else, on stderr what should be known about it."""

import sys
from collections.abc import Iterator

from flyllm.manager import LLMManager
from flyllm.request import GenerationRequest
from flyllm.types import LLMResponse


def print_whole(manager: LLMManager, request: GenerationRequest) -> None:
    """Print the answer's text once it is complete. Raises LLMError."""
    response = manager.generate(request)
    _print(response.content)
    _end(response.content)
    _note(response)


def print_stream(manager: LLMManager, request: GenerationRequest) -> None:
    """Print the answer's text piece by piece as it comes. Raises LLMError, after what had come."""
    with manager.generate_stream(request) as stream:
        try:
            for chunk in stream:
                _print(chunk.content)
        finally:
            _end(stream.text)
    if stream.response is not None:
        _note(stream.response)


def _print(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def _end(text: str) -> None:
    """On a terminal the shell's prompt begins on a line of its own; a pipe gets the answer as it is."""
    if sys.stdout.isatty() and text and not text.endswith("\n"):
        _print("\n")


def _note(response: LLMResponse) -> None:
    for note in _notes(response):
        print(f"flyllm: {note}", file=sys.stderr)


def _notes(response: LLMResponse) -> Iterator[str]:
    if response.finish_reason == "length":
        yield "the answer is cut off at its limit; --param max_tokens=... sets another"
    if response.finish_reason == "content_filter":
        yield "the provider's content filter ended the answer"
    if response.dropped_params:
        yield f"{response.instance_name} cannot take {', '.join(response.dropped_params)}: left out"
