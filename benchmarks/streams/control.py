"""The bench's end of the server process."""

import json
import subprocess
import sys
from collections.abc import Iterable
from types import TracebackType
from typing import Any, Self


class ServerProcess:
    """The providers as a process of its own, a context manager. `urls[provider]`: its ports "at_once" and "paced"."""

    def __init__(self, providers: Iterable[str]) -> None:
        command = [sys.executable, "-m", "benchmarks.streams.server", *providers]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # noqa: S603
        self.urls: dict[str, dict[str, str]] = self._hear()

    def connections(self, url: str) -> int:
        """Return how many connections the port at `url` has accepted so far."""
        print(file=self._process.stdin, flush=True)
        return int(self._hear()[url])

    def _hear(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the server process ended with code {self._process.wait()}")
        heard: dict[str, Any] = json.loads(line)
        return heard

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        self._process.stdin.close()  # type: ignore[union-attr]
        self._process.wait(10)
        self._process.stdout.close()  # type: ignore[union-attr]
