"""The bench's end of its other processes: the server, peers, and those whose memory or start is measured."""

import json
import subprocess
import sys
from types import TracebackType
from typing import Any, Self


class Child:
    """`python -m module arguments` that says JSON, a line each. A context manager, at whose end its input ends."""

    def __init__(self, module: str, *arguments: object, python: str = sys.executable) -> None:
        command = [python, "-m", module, *map(str, arguments)]
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

    def ask(self, what: object = "") -> dict[str, Any]:
        """Have it say something, to a line that says `what`, and return that."""
        print(what, file=self._process.stdin, flush=True)
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


def server(*places: str) -> Child:
    """Return the server of `places`, each `provider:seconds` until its answers.

    It says the address by each of them, and asked, what it did since.
    """
    return Child("benchmarks.server", *places)
