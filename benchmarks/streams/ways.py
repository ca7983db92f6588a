"""The two ways of reading a stream whole, and what each took."""

from dataclasses import dataclass
from time import perf_counter, process_time
from typing import Any

from benchmarks.streams.hands import KEY, MODEL, Hand, Pieces
from flyllm import LLMManager


@dataclass(frozen=True, slots=True)
class Reading:
    """One stream read whole. Seconds: `cpu` of this process, `first` of real time until the first text."""

    cpu: float
    first: float


def by_flyllm(manager: LLMManager) -> Hand:
    """Return a way of asking through `manager`."""

    def ask(prompt: str) -> Pieces:
        with manager.generate_stream(prompt) as stream:
            for chunk in stream:
                yield chunk.content, chunk.usage

    return ask


def manager_of(target: str, url: str) -> LLMManager:
    """Return a manager with `target` at `url` as its only instance."""
    provider, _, api = target.partition("/")
    options: dict[str, Any] = {"api": api} if api else {}
    builder = LLMManager.builder().add_instance(provider, MODEL, KEY, endpoint=url, **options)
    return builder.build()


def read(ask: Hand, words: int) -> Reading:
    """Ask for an answer of so many words and read it.

    Raises:
        RuntimeError: it is not whole, or has no usage.
    """
    began, cpu = perf_counter(), process_time()
    parts: list[str] = []
    usage: Any = None
    first = 0.0
    for piece, counted in ask(str(words)):
        if piece:
            if not parts:
                first = perf_counter() - began
            parts.append(piece)
        usage = counted or usage
    text = "".join(parts)
    taken = process_time() - cpu
    if text.count(" ") != words or not usage:
        raise RuntimeError(f"the stream came with {text.count(' ')} words of {words} and usage {usage}")
    return Reading(taken, first)
