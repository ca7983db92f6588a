"""What holds in every row, whatever fails: L, D, O, K and R of the specification, one function each."""

import os
import pickle
import re
import socket
import threading
import time
import traceback
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from flyllm import LLMError, LLMManager, LLMResponse, StreamInterruptedError

CANARY = "7f3a9b2c4d5e6f70"
"""Part of every key of a `World`."""

PATIENCE = 20.0
"""Seconds in which threads and connections must be gone, however busy the machine; what is kept stays for minutes."""

OURS = ("raw-", "flyllm-simulator", "fault-matrix")
"""Names of the harness's own threads."""


@dataclass(frozen=True)
class Result:
    """What came of one request. `text` is what its consumer got; `seconds` are real ones."""

    prompt: str
    text: str
    response: LLMResponse | None
    error: LLMError | None
    seconds: float

    @property
    def ok(self) -> bool:
        """Whether there is an answer."""
        return self.error is None

    @property
    def attempts(self) -> Sequence[object]:
        """The ledger."""
        owner = self.response or self.error
        return owner.attempts if owner is not None else ()


def answer_to(prompt: str) -> str:
    """Return the one right answer to `prompt`."""
    return f"The answer to {prompt} is wörld ✓ and {len(prompt)}."


def echo(text: str) -> str:
    """Answer the request whose prompt is somewhere in `text`."""
    found = re.search(r"request-\d+", text)
    return answer_to(found.group()) if found else "Nobody asked."


def one_result_each(results: Collection[Result], asked: int) -> None:
    """L: as many results as requests, each an answer or an error."""
    assert len(results) == asked
    for result in results:
        assert (result.response is None) != (result.error is None) or (
            result.response is not None and result.response.error is result.error
        )


def none_twice(results: Collection[Result], wires: Callable[[str], int], spare: int) -> None:
    """D: nothing is sent after a success, and nothing is sent that is not in the ledger (but `spare` free resends)."""
    for result in results:
        outcomes = [attempt.outcome for attempt in result.attempts]  # type: ignore[attr-defined]
        words = [outcome for outcome in outcomes if outcome != "outrun"]
        assert "success" not in words[:-1], words
        assert (words[-1:] == ["success"]) == result.ok, words
        assert wires(result.prompt) <= len(outcomes) + spare, (wires(result.prompt), outcomes)


def in_order(results: Collection[Result]) -> None:
    """O: each result is the answer to its own request, or of it a beginning that says to be one."""
    for result in results:
        whole = answer_to(result.prompt)
        if result.ok:
            assert result.text == whole
        else:
            assert whole.startswith(result.text)
        if isinstance(result.error, StreamInterruptedError):
            assert result.error.partial == result.text


def no_key(texts: Iterator[str]) -> None:
    """K: the canary is in no text."""
    for text in texts:
        at = text.find(CANARY)
        assert at < 0, f"a key shows: ...{text[max(0, at - 200) : at]}<KEY>"


def shown(results: Collection[Result], most: int = 12) -> Iterator[str]:
    """Yield all texts a user may see of results: messages, tracebacks with locals, pickles."""
    for error in [result.error for result in results if result.error is not None][:most]:
        yield "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
        yield f"{error} {error!r} {vars(error)!r}"
        yield repr(pickle.dumps(error))
    for response in [result.response for result in results if result.response is not None][:most]:
        yield repr(response) + repr(pickle.dumps(response))


def released(manager: LLMManager, threads: frozenset[int], ports: Collection[int]) -> None:
    """R: after `close()`, no lease is out, no thread is left, no connection is open."""
    eventually(lambda: not any(snapshot.in_flight for snapshot in manager.instances), "leases are out")
    eventually(lambda: not started_since(threads), f"threads are left: {started_since(threads)}")
    eventually(lambda: not connections_to(ports), "connections are open")


def eventually(holds: Callable[[], bool], otherwise: str, seconds: float = PATIENCE) -> None:
    """Wait until `holds()`, at most `seconds`."""
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until, otherwise
        time.sleep(0.01)


def threads_now() -> frozenset[int]:
    """Return the idents of all threads."""
    return frozenset(thread.ident or 0 for thread in threading.enumerate())


def started_since(threads: frozenset[int]) -> list[str]:
    """Return the names of threads that were not there then."""
    fresh = [thread.name for thread in threading.enumerate() if thread.ident not in threads]
    return [name for name in fresh if not name.startswith(OURS)]


def connections_to(ports: Collection[int]) -> int:
    """Return how many of this process's sockets are connected to one of `ports`; 0 where /proc is missing."""
    return sum(_peer(int(number)) in ports for number in _files())


def _files() -> list[str]:
    return os.listdir("/proc/self/fd") if os.path.isdir("/proc/self/fd") else []


def _peer(number: int) -> int | None:
    with suppress(OSError):
        if os.readlink(f"/proc/self/fd/{number}").startswith("socket:"):
            with socket.socket(fileno=os.dup(number)) as twin:
                name = twin.getpeername()
                return int(name[1]) if isinstance(name, tuple) else None
    return None
