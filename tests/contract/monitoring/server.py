"""A real Prometheus: Debian's, on a port and in a folder of its own."""

import json
import math
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest

BOOT = 15.0
"""Seconds that it may take to begin on a busy machine; half a second on others."""

TRIES = 3
"""It is told a port, which somebody else may have taken by the time it begins."""

needed = pytest.mark.skipif(
    not all(map(shutil.which, ("prometheus", "promtool"))),
    reason="no prometheus and promtool on the PATH; .ci/prometheus fetches them",
)


def promtool(*words: str | Path) -> str:
    """Run promtool; return what it says, or fail with it."""
    done = subprocess.run(["promtool", *map(str, words)], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


class Prometheus:
    """One that runs by the configuration file `config` until the end of the `with`."""

    def __init__(self, config: Path, folder: Path) -> None:
        self._config, self._folder, self._log = config, folder, folder / "prometheus.log"

    def _start(self) -> None:
        self._port = _free_port()
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [
                    "prometheus",
                    f"--config.file={self._config}",
                    f"--storage.tsdb.path={self._folder / 'data'}",
                    f"--web.listen-address=127.0.0.1:{self._port}",
                ],
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def _stop(self) -> None:
        self._process.kill()  # it has nothing to save
        self._process.wait(10)

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Return the result of an instant query now. Raises ValueError where Prometheus refuses it."""
        found: list[dict[str, Any]] = self._get("query", query=expression)["result"]
        return found

    def values(self, expression: str) -> list[float]:
        """Return the numbers that an expression has now, without those that are NaN."""
        numbers = [float(row["value"][1]) for row in self.query(expression)]
        return [number for number in numbers if not math.isnan(number)]

    def rules(self) -> list[dict[str, Any]]:
        """Return all rules with what their last evaluation said."""
        return [rule for group in self._get("rules")["groups"] for rule in group["rules"]]

    def until(self, condition: Callable[[], object], seconds: float) -> None:
        """Wait until `condition` holds, it has ended, or so many `seconds` have passed."""
        end = time.monotonic() + seconds
        while self._process.poll() is None and not condition() and time.monotonic() < end:
            time.sleep(0.2)

    def _ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/-/ready", timeout=5):
                return True
        except OSError:
            return False

    def _get(self, what: str, **query: str) -> Any:
        url = f"http://127.0.0.1:{self._port}/api/v1/{what}?{urllib.parse.urlencode(query)}"
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            raise ValueError(error.read().decode()) from error

    def __enter__(self) -> Self:
        for _ in range(TRIES):
            self._start()
            self.until(self._ready, BOOT)
            if self._ready():
                return self
            self._stop()
        raise AssertionError(self._log.read_text())

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        self._stop()


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port
