"""The line of everything in a TOML text, which the standard library's parser does not tell.

Only for texts that tomllib has accepted: what stands where is known to be right, so that a key, a value and a header
are told apart by where they begin. A text that is no TOML gives some lines or none, and never an exception.
"""

import re
import tomllib
from contextlib import suppress
from typing import Any

Path = tuple[Any, ...]

_TOKEN = re.compile(
    r"""
      (?P<skipped> [ \t]+ | \#[^\n]* )
    | \"""(?:\\[\s\S]|[^\\])*?\"""\"{0,2} | '''[\s\S]*?''''{0,2}
    | "(?:\\.|[^"\\\n])*" | '[^'\n]*'
    | [\[\]{}=,.\n]
    | [^\s\[\]{}=,.\#"']+
    | .
    """,
    re.VERBOSE,
)
_AFTER_A_VALUE = frozenset({",", "]", "}", "\n", ""})


def lines_of(text: str) -> dict[Path, int]:
    """Return the line, from 1, of each path in `text`: of a table its header, of a value its key, of an item itself."""
    scanner = _Scanner(text.replace("\r\n", "\n"))
    with suppress(RecursionError):  # what is nested deeper counts as standing where its surroundings stand
        scanner.document()
    return scanner.lines


class _Scanner:
    def __init__(self, text: str) -> None:
        self.lines: dict[Path, int] = {}
        self._lengths: dict[Path, int] = {}  # of arrays of tables, so far
        self._tokens: list[tuple[str, int]] = []
        self._at = 0
        line = 1
        for match in _TOKEN.finditer(text):
            if match["skipped"] is None:
                self._tokens.append((match[0], line))
            line += match[0].count("\n")

    def document(self) -> None:
        table: Path = ()
        while self._peek():
            if self._peek() == "[":
                table = self._header()
            elif not self._take("\n"):
                self._pair(table)

    def _header(self) -> Path:
        line = self._line()
        self._take("[")
        repeated = self._take("[")
        *parents, last = self._key()
        path: Path = ()
        for part in parents:
            path = (*path, part)
            self.lines.setdefault(path, line)
            if path in self._lengths:
                path = (*path, self._lengths[path] - 1)
        path = (*path, last)
        if repeated:
            self.lines.setdefault(path, line)
            self._lengths[path] = self._lengths.get(path, 0) + 1
            path = (*path, self._lengths[path] - 1)
        self.lines[path] = line
        while self._take("]"):
            pass
        return path

    def _pair(self, table: Path) -> None:
        line, path = self._line(), table
        for part in self._key():
            path = (*path, part)
            self.lines.setdefault(path, line)
        self._take("=")
        self._value(path)

    def _key(self) -> list[str]:
        parts = [_name(self._advance())]
        while self._take("."):
            parts.append(_name(self._advance()))
        return parts

    def _value(self, path: Path) -> None:
        if self._take("["):
            self._array(path)
        elif self._take("{"):
            while not self._ends("}"):
                self._pair(path)
        else:
            self._advance()
            while self._peek() not in _AFTER_A_VALUE:
                self._advance()

    def _array(self, path: Path) -> None:
        index = 0
        while not self._ends("]"):
            self.lines[*path, index] = self._line()
            self._value((*path, index))
            index += 1

    def _ends(self, bracket: str) -> bool:
        """Step over what parts the items; then over `bracket`, if it is there, and say so."""
        while self._take(",") or self._take("\n"):
            pass
        return self._take(bracket) or not self._peek()

    def _peek(self) -> str:
        return self._tokens[self._at][0] if self._at < len(self._tokens) else ""

    def _line(self) -> int:
        return self._tokens[self._at][1] if self._at < len(self._tokens) else 0

    def _advance(self) -> str:
        token = self._peek()
        self._at += 1
        return token

    def _take(self, token: str) -> bool:
        found = self._peek() == token
        self._at += found
        return found


def _name(token: str) -> str:
    """Return the key that `token` writes, which may have quotes and escapes."""
    with suppress(ValueError):
        if token[:1] in ('"', "'"):
            return next(iter(tomllib.loads(f"{token} = 0")))
    return token
