"""The bench's end of its other processes: the server, and those whose memory is measured."""

import json
import subprocess
import sys
from types import TracebackType
from typing import Any, Self


class Child:
    """`python -m module arguments` that says JSON, a line each. A context manager, at whose end its input ends."""

    def __init__(self, module: str, *arguments: object) -> None:
        command = [sys.executable, "-m", module, *map(str, arguments)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # noqa: S603

    def hear(self) -> dict[str, Any]:
        """Return what it says next.

        Raises:
            RuntimeError: it has ended.
        """
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"a process of the bench ended with code {self._process.wait()}")
        heard: dict[str, Any] = json.loads(line)
        return heard

    def ask(self) -> dict[str, Any]:
        """Have it say something, and return that."""
        print(file=self._process.stdin, flush=True)
        return self.hear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        self._process.stdin.close()  # type: ignore[union-attr]
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()  # type: ignore[union-attr]


def server(*delays: float) -> Child:
    """Return the server; it says the address by each of `delays` (seconds, as text), and asked, what it did since."""
    return Child("benchmarks.batches.server", *delays)
