"""The formats of an input, and how one is told by the name of a file."""

from enum import StrEnum
from pathlib import Path

from flyllm.errors import ConfigError

STDIN = "-"


class Format(StrEnum):
    """The formats of an input. JSON Lines may be in OpenAI's shape, which shows line by line."""

    JSONL = "jsonl"
    CSV = "csv"
    TEXT = "text"


_ENDINGS = {".jsonl": Format.JSONL, ".ndjson": Format.JSONL, ".csv": Format.CSV, ".txt": Format.TEXT}


def format_of(path: str) -> Format:
    """Return the format that the name of a file tells; stdin is JSON Lines. Raises ConfigError."""
    if path == STDIN:
        return Format.JSONL
    found = _ENDINGS.get(Path(path).suffix.lower())
    if found is None:
        raise ConfigError(f"The name '{path}' does not tell its format: give --format jsonl, csv or text")
    return found
