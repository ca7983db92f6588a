"""Debug files in FlyLLM's layout: `<folder>/<start>/<id>_<provider>_<model>/debug.json`, a JSON array of attempts.

Every attempt is appended in constant time and the file is a valid array at any moment a reader may look. Nothing
here fails a request: a full disk or a lost folder costs one warning.
"""

import json
import logging
import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path
from typing import Any

from flyllm._fork import after_fork
from flyllm.observability.events import AttemptEvent, RequestEvent

try:
    import fcntl
except ImportError:  # Windows: processes that share a file may spoil it
    fcntl = None  # type: ignore[assignment]

logger = logging.getLogger("flyllm.debug_files")

_END = b"\n]"
_UNSAFE = re.compile(r"[^\w.-]+", re.ASCII)
_LONGEST_NAME = 120


class DebugFiles:
    """Writes what was asked and answered, one file per instance. The files hold prompts: their mode is 0600."""

    def __init__(self, folder: str) -> None:
        self._root = Path(folder)
        # Guards the files; one entry is written at a time, which is why this lock is held across I/O.
        self._lock = threading.Lock()
        self._started: int | None = None
        self._warned = False
        after_fork(self, DebugFiles._let_go)

    def on_attempt(self, event: AttemptEvent) -> None:
        """Append an attempt to its instance's file."""
        entry = json.dumps(_entry(event), indent=2, ensure_ascii=False, default=str, skipkeys=True)
        try:
            with self._lock:
                _append(self._path(event), entry.encode("utf-8", "replace"))
        except OSError as exc:
            if self._is_first_failure():
                logger.warning("debug files cannot be written in %s: %s; requests go on without", self._root, exc)

    def on_request(self, event: RequestEvent) -> None:
        """Requests are written attempt by attempt."""

    def _let_go(self) -> None:
        self._lock = threading.Lock()

    def _is_first_failure(self) -> bool:
        with self._lock:
            first, self._warned = not self._warned, True
        return first

    def _path(self, event: AttemptEvent) -> Path:
        attempt = event.attempt
        if self._started is None:
            self._started = int(attempt.started)
        # Model names may hold "/" or "..": what is no word character, dot or dash cannot leave the folder.
        name = _UNSAFE.sub("_", f"{attempt.instance_id}_{attempt.provider}_{attempt.model}")
        return self._root / str(self._started) / name[:_LONGEST_NAME] / "debug.json"


def _entry(event: AttemptEvent) -> dict[str, Any]:
    attempt, request = event.attempt, event.request
    output: dict[str, Any] = {"success": event.error is None and attempt.success, "content": event.content}
    if event.error is not None:
        output["error"] = str(event.error)
    usage = attempt.usage
    output["usage"] = {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.total_tokens,
    }
    return {
        "metadata": {
            "timestamp": int(attempt.started),
            "instance_id": attempt.instance_id,
            "instance_name": attempt.instance_name,
            "instance_model": attempt.model,
            "duration_ms": round(attempt.duration * 1000),
            "attempt": attempt.number,
            "outcome": attempt.outcome,
            "request_id": attempt.request_id,
        },
        "input": {
            "prompt": request.prompt,
            "system": request.system,
            "messages": request.messages,
            "task": request.task,
            "parameters": dict(event.params),
            "metadata": request.metadata,
        },
        "output": output,
    }


def _append(path: Path, entry: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "r+b", buffering=0, opener=_private) as file, _alone_with(file):
        size = file.seek(0, os.SEEK_END)
        at = max(0, size - len(_END))
        try:
            _write(file, at, (b",\n" if size else b"[\n") + entry + _END)
        except OSError:
            file.truncate(size)
            if size:
                _write(file, at, _END)
            raise


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CREAT, 0o600)


@contextmanager
def _alone_with(file: FileIO) -> Iterator[None]:
    """Lock: a forked child, or a worker begun in the same second, has the same path."""
    if fcntl is not None:
        fcntl.flock(file, fcntl.LOCK_EX)
    try:
        yield
    finally:
        if fcntl is not None:
            # Closing does not unlock while a child that was forked meanwhile has the file open as well.
            fcntl.flock(file, fcntl.LOCK_UN)


def _write(file: FileIO, at: int, text: bytes) -> None:
    file.seek(at)
    while text:
        text = text[file.write(text) :]
