"""`${VAR}` and `${VAR:-default}` in any string of a configuration; `$${` stands for the characters `${`.

As in a shell, the default also replaces a variable that is set but empty. A value that came from a variable is
carried as text that shows only what the file says, so that no fault can print it.
"""

import re
from collections.abc import Mapping
from typing import Any, Self

from flyllm.config.fault import Fault, Place

_REFERENCE = re.compile(r"\$\$\{|\$\{([^}]*)(\})?")
# Far beyond any real configuration, and well below the interpreter's own limit.
_MAX_DEPTH = 60


class EnvironmentText(str):
    """A string whose variables are filled in; printed in whatever way, it shows the text as it was `written`."""

    written: str

    def __new__(cls, value: str, written: str) -> Self:
        """Hold `value`, and show `written` for it."""
        text = super().__new__(cls, value)
        text.written = written
        return text

    def __str__(self) -> str:
        return self.written

    def __repr__(self) -> str:
        return repr(self.written)

    def __format__(self, spec: str) -> str:
        return format(self.written, spec)


class Unresolved(EnvironmentText):
    """A text that could not be had. Its fault is reported already; other checks leave it alone."""


def plain(text: str) -> str:
    """Return the value of `text` as an ordinary string."""
    return str.__str__(text)  # not str(text), which for an EnvironmentText is what was written


def is_unresolved(value: object) -> bool:
    """Whether `value`, or an item of the list `value`, could not be had."""
    return isinstance(value, Unresolved) or (
        isinstance(value, list | tuple) and any(isinstance(item, Unresolved) for item in value)
    )


def expand(value: Any, environ: Mapping[str, str], faults: list[str], path: tuple[Any, ...] = ()) -> Any:
    """Return a copy of `value` with all references replaced; append what is missing to `faults`."""
    if len(path) > _MAX_DEPTH:
        place = Place(path[:3])
        faults.append(Fault(f"{place} is nested deeper than {_MAX_DEPTH} levels", place))
        return None
    if isinstance(value, str):
        return _expand_text(value, environ, faults, Place(path))
    if isinstance(value, Mapping):
        return {key: expand(item, environ, faults, (*path, key)) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [expand(item, environ, faults, (*path, index)) for index, item in enumerate(value)]
    return value


def _expand_text(text: str, environ: Mapping[str, str], faults: list[str], place: Place) -> str:
    if "${" not in text:
        return text
    missing: list[Fault] = []

    def fill(match: re.Match[str]) -> str:
        if match[0] == "$${":
            return "${"
        if not match[2]:
            advice = "Write ${NAME}, or $${ for these two characters"
            missing.append(Fault(f"Unclosed '${{' in {place}\n  → {advice}", place))
            return ""
        name, has_default, default = match[1].partition(":-")
        # os.environ raises for a name that the file system's encoding has no bytes for.
        value = environ.get(name) if name.isascii() else None
        if has_default:
            return value or default
        if value is None:
            missing.append(_missing(name, place))
        return value or ""

    filled = _REFERENCE.sub(fill, text)
    faults += missing
    return Unresolved(text, text) if missing else EnvironmentText(filled, text)


def _missing(name: str, place: Place) -> Fault:
    return Fault(
        f"Environment variable '{name}' not found\n"
        f"  → Referenced in {place}\n"
        f'  → Set it with: export {name}="your-key"',
        place,
    )
