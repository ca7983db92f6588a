"""Log lines on stderr, for scripts that set up no logging of their own. Only the logger `flyllm` is touched."""

import logging
import os
import sys
import threading
from typing import TextIO

from flyllm.errors import ConfigError

VARIABLE = "FLYLLM_LOG"
LEVELS = ("debug", "info", "warning", "error")

_lock = threading.Lock()  # guards the one handler's being there once
_logger = logging.getLogger("flyllm")


class _Stderr(logging.StreamHandler[TextIO]):
    """Writes to what is `sys.stderr` at the moment, which notebooks and tests replace."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)
        self.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s"))

    @property
    def stream(self) -> TextIO:  # type: ignore[override]
        return sys.stderr


def use_logging(level: str | None = None) -> None:
    """Print what flyllm logs to stderr, from `level` on: "debug", "info", "warning" or "error", in any case.

    None takes the environment variable FLYLLM_LOG, else "info". May be called again with another level. Applications
    that set up logging do not need it: they configure the logger `flyllm` as any other. Its lines do not go to the
    root's handlers as well from then on. Raises ConfigError for any other level.
    """
    wanted: object = level if level is not None else os.environ.get(VARIABLE) or "info"
    if not isinstance(wanted, str) or wanted.strip().lower() not in LEVELS:
        origin = "level" if level is not None else VARIABLE
        raise ConfigError(f"{origin} must be one of {', '.join(LEVELS)}, not {wanted!r:.40}")
    with _lock:
        _logger.setLevel(wanted.strip().upper())
        _logger.propagate = False
        if not any(isinstance(handler, _Stderr) for handler in _logger.handlers):
            _logger.addHandler(_Stderr())


def use_logging_if_wanted(level: str | None) -> None:
    """Do what a configuration's `log_level` or the environment asks for; nothing where neither does.

    The environment comes first: whoever sets it for one run wants to see more than the configuration says.
    """
    if os.environ.get(VARIABLE):
        use_logging()
    elif level is not None:
        use_logging(level)
