"""Debug files in FlyLLM's layout: `<folder>/<start>/<id>_<provider>_<model>/debug.json`, a JSON array of attempts.

Nothing here fails a request: a full disk or a lost folder costs one warning, and what was written before stays.
"""

import logging
import os
import re
import threading

from flyllm._fork import after_fork
from flyllm.observability.debug_entry import entry
from flyllm.observability.events import AttemptEvent, Observer
from flyllm.observability.json_array import append
from flyllm.types import Attempt

logger = logging.getLogger("flyllm.debug_files")

_UNSAFE = re.compile(r"[^\w.-]+", re.ASCII)
_LONGEST_NAME = 120


class DebugFiles(Observer):
    """Writes what was asked and answered, one file per instance, for their owner only (mode 0600, folders 0700).

    Without `prompts` the files hold no text of prompts, answers, metadata, parameters or errors, only its length.
    """

    def __init__(self, folder: str, *, prompts: bool = True) -> None:
        self._folder, self._prompts = folder, prompts
        # Guards the files; one entry is written at a time, which is why this lock is held across I/O.
        self._lock = threading.Lock()
        self._started: int | None = None
        self._warned = False
        after_fork(self, DebugFiles._let_go)

    def on_attempt(self, event: AttemptEvent) -> None:
        """Append an attempt to its instance's file."""
        text = entry(event, prompts=self._prompts)
        try:
            with self._lock:
                self._append(event.attempt, text)
        except OSError as exc:
            if self._is_first_failure():
                logger.warning("debug files cannot be written in %s: %s; requests go on without", self._folder, exc)

    def _let_go(self) -> None:
        self._lock = threading.Lock()

    def _is_first_failure(self) -> bool:
        with self._lock:
            first, self._warned = not self._warned, True
        return first

    def _append(self, attempt: Attempt, text: bytes) -> None:
        if self._started is None:
            self._started = int(attempt.started)
        # Model names may hold "/" or "..": what is no word character, dot or dash cannot leave the folder.
        name = _UNSAFE.sub("_", f"{attempt.instance_id}_{attempt.provider}_{attempt.model}")[:_LONGEST_NAME]
        start = os.path.join(self._folder, str(self._started))
        append(os.path.join(start, name, "debug.json"), text)
