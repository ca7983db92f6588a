"""Whole answers of the simulator, byte for byte."""

import socket
import threading
from dataclasses import dataclass
from urllib.parse import urlsplit

from flyllm.testing import Call, ProviderSimulator

_END = b"\r\n0\r\n\r\n"
_WORDS = ("the ", "stream ", "carries ", "one ", "word ", "at ", "a ", "time, ", "naïve ", "or ", "“quoted”. ")


@dataclass(frozen=True, slots=True)
class Recording:
    """One answer: `parts` are its head with the first chunk, then one chunk each."""

    whole: bytes
    parts: tuple[bytes, ...]


class Recorder:
    """Answers of one simulated provider, rendered once for each different request."""

    def __init__(self, simulator: ProviderSimulator, provider: str) -> None:
        self._url = urlsplit(simulator.add(provider).url)
        simulator[provider].reply(_said)
        self._lock = threading.Lock()
        self._known: dict[tuple[bytes, bytes], Recording] = {}

    def answer(self, head: bytes, body: bytes) -> Recording:
        """Return what the simulator answers to this request; of the head only the first line makes a difference."""
        key = head.partition(b"\r\n")[0], body
        with self._lock:
            if key not in self._known:
                self._known[key] = recording(self._ask(head + body))
            return self._known[key]

    def _ask(self, request: bytes) -> bytes:
        with socket.create_connection((self._url.hostname or "", self._url.port or 0), 30) as connection:
            connection.sendall(request)
            answer = bytearray()
            while not answer.endswith(_END):
                piece = connection.recv(1 << 20)
                if not piece:
                    raise RuntimeError(f"the simulator did not stream: {bytes(answer[:300])!r}")
                answer += piece
        return bytes(answer)


def recording(answer: bytes) -> Recording:
    """Return a chunked HTTP answer with its chunks apart."""
    begin = answer.index(b"\r\n\r\n") + 4
    parts, at = [answer[:begin]], begin
    while at < len(answer):
        first = answer.index(b"\r\n", at)
        end = first + 2 + int(answer[at:first], 16) + 2
        parts.append(answer[at:end])
        at = end
    return Recording(answer, (parts[0] + parts[1], *parts[2:]))


def _said(call: Call) -> str:
    """Return as many words as the prompt asks for."""
    return "".join(_WORDS[number % len(_WORDS)] for number in range(int(call.prompt)))
