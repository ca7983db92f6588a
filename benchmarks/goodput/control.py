"""The bench's end of the control channel: starts the server process and tells it what to do."""

import json
import subprocess
import sys
from types import TracebackType
from typing import Any, Self

from benchmarks.goodput.world import World


class ServerProcess:
    """The server as a process of its own. A context manager."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "benchmarks.goodput.server"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # noqa: S603

    def open(self, world: World) -> list[str]:
        """Open the world's providers, ready for warming up; return their addresses."""
        urls: list[str] = self._ask(do="open", world=world.as_json())["urls"]
        return urls

    def begin(self) -> None:
        """Set the world's time to zero and let it run."""
        self._ask(do="begin")

    def end(self) -> dict[str, Any]:
        """Close the world; return what the server counted."""
        return self._ask(do="end")

    def _ask(self, **command: Any) -> dict[str, Any]:
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        print(json.dumps(command), file=process.stdin, flush=True)
        line = process.stdout.readline()
        if not line:
            raise RuntimeError(f"the server process ended with code {process.wait()}")
        reply: dict[str, Any] = json.loads(line)
        return reply

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        self._process.stdin.close()  # type: ignore[union-attr]
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()  # type: ignore[union-attr]
