"""What a docstring says: its first paragraph, and of each parameter what Google's or reST's style has."""

import re
from collections.abc import Iterator
from inspect import cleandoc
from typing import NamedTuple

_SECTION = re.compile(r"\s*(?:args|arguments|params|parameters|keyword args|keyword arguments)\s*:\s*", re.IGNORECASE)
_ANY_SECTION = re.compile(r"[A-Z][A-Za-z ]*:\s*")
_ENTRY = re.compile(r"\s*\*{0,2}(\w+(?:\s*,\s*\*{0,2}\w+)*)\s*(?:\(.*?\))?\s*:\s*(.*)")
_FIELD = re.compile(r"\s*:(?:param|parameter|arg|argument|key|keyword)\s+(?:[^:]*?\s)?\*{0,2}(\w+)\s*:\s*(.*)")


class Docstring(NamedTuple):
    """The first paragraph as one line, "" where there is none, and descriptions by the names of parameters."""

    summary: str
    parameters: dict[str, str]


def read_docstring(text: str | None) -> Docstring:
    """Return what `text` says."""
    lines = cleandoc(text or "").splitlines()
    return Docstring(_summary(lines), dict(_parameters(lines)))


def _summary(lines: list[str]) -> str:
    kept: list[str] = []
    for line in lines:
        if not line.strip() or line.lstrip().startswith(":") or _ANY_SECTION.fullmatch(line):
            break
        kept.append(line.strip())
    return " ".join(kept)


def _parameters(lines: list[str]) -> Iterator[tuple[str, str]]:
    for number, line in enumerate(lines):
        if match := _FIELD.fullmatch(line):
            yield match[1], _joined(match[2], _below(lines, number))
        elif _SECTION.fullmatch(line):
            yield from _entries(_below(lines, number))


def _entries(lines: list[str]) -> Iterator[tuple[str, str]]:
    outermost = min((_indent(line) for line in lines if line.strip()), default=0)
    for number, line in enumerate(lines):
        match = _ENTRY.fullmatch(line)
        if match and _indent(line) == outermost:
            text = _joined(match[2], _below(lines, number))
            yield from ((name.strip(" *"), text) for name in match[1].split(","))


def _below(lines: list[str], number: int) -> list[str]:
    """Return the lines after `number` that are indented more than it."""
    kept: list[str] = []
    for line in lines[number + 1 :]:
        if line.strip() and _indent(line) <= _indent(lines[number]):
            break
        kept.append(line)
    return kept


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _joined(first: str, more: list[str]) -> str:
    return " ".join(filter(None, [first.strip(), *map(str.strip, more)]))
