"""What some calls took. Imports nothing of flyllm: it is used where that is not installed, too."""

import gc
from collections.abc import Callable
from time import perf_counter, process_time, thread_time
from typing import Any, NamedTuple


class Taken(NamedTuple):
    """Seconds per call: processor time of the `process` and of the calling `thread`, and of real time."""

    process: float
    thread: float
    wall: float


def settle() -> None:
    """Let nothing that exists by now be walked over again."""
    gc.collect()
    gc.freeze()
    gc.disable()


def time_calls(ask: Callable[[str], tuple[str | None, Any]], calls: int) -> Taken:
    """Make `calls` one after the other and clear away their garbage, which the next way is not to pay for.

    Raises:
        RuntimeError: an answer came without text or usage.
    """
    prompts = [f"What is the capital of country {number}?" for number in range(calls)]
    wall, process, thread = perf_counter(), process_time(), thread_time()
    for prompt in prompts:
        text, usage = ask(prompt)
        if not text or not usage:
            raise RuntimeError(f"an answer came with text {text!r} and usage {usage}")
    gc.collect()
    taken = process_time() - process, thread_time() - thread, perf_counter() - wall
    return Taken(*(seconds / calls for seconds in taken))
