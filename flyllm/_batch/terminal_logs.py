"""Log lines on a terminal with a bar: handlers keep the stream they were made with, and would write across it."""

import logging
from typing import IO, Any


class TerminalLogs:
    """The root logger's handlers that write to given streams, None among which stands for none."""

    def __init__(self, *streams: IO[str] | None) -> None:
        self._streams = streams
        self._led: list[tuple[logging.StreamHandler[Any], IO[str], IO[str]]] = []

    def lead_to(self, *others: IO[str] | None) -> None:
        """Let them write to `others` instead, stream by stream."""
        for old, new in zip(self._streams, others, strict=True):
            if old is None or new is None or old is new:
                continue
            for handler in logging.getLogger().handlers:
                if isinstance(handler, logging.StreamHandler) and handler.stream is old:
                    handler.setStream(new)
                    self._led.append((handler, old, new))

    def lead_back(self) -> None:
        """Let them write where they did before, unless somebody else has changed that since."""
        while self._led:
            handler, old, new = self._led.pop()
            if handler.stream is new:
                handler.setStream(old)
