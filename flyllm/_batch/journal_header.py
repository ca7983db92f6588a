"""The first line of a journal, by which it is told from somebody's data."""

import json
from typing import Any

from flyllm.errors import ConfigError

VERSION = 1
HEADER = json.dumps({"flyllm_journal": VERSION}).encode() + b"\n"


def has_header(first: bytes, name: str) -> bool:
    """Return whether a file that begins with the line `first` is a journal, False for one that is to be begun.

    Raises ConfigError for anything else; `name` says in the message which file it is.
    """
    if HEADER.startswith(first) and first != HEADER:
        return False  # it is new, or the process that began it was killed in its first moment
    told = _object(first)
    if "flyllm_journal" not in told:
        raise ConfigError(f"{name} is no journal but {_kind(told)}: it was left as it is; give another path")
    if (version := told["flyllm_journal"]) != VERSION:
        raise ConfigError(
            f"{name} is of journal version {version}, and this flyllm reads version {VERSION}: use the flyllm that "
            "wrote it, or a newer one, or give another path"
        )
    return True


def _kind(told: dict[str, Any]) -> str:
    names = ", ".join(repr(name[:40]) for name in list(told)[:5])
    return f"JSON Lines with the fields {names}" if names else "a file of another kind"


def _object(line: bytes) -> dict[str, Any]:
    try:
        told = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}
