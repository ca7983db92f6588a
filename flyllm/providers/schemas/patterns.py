"""Regular expressions as providers take them in a schema: each returns one that says the same, None for none."""

import re

_LOOKAROUNDS = re.compile(r"\(\?(?!:)")
_BACKREFERENCES = re.compile(r"\\[1-9k]")
_BOUNDARIES = re.compile(r"\\[bBAZzGpP]")
_REPEATED = re.compile(r"\{(\d*),?(\d*)\}")
_LARGE = 100


def without_lookarounds(pattern: str) -> str | None:
    """Patterns but for lookarounds and the like (OpenAI)."""
    return None if _LOOKAROUNDS.search(_unescaped(pattern)) else pattern


def plain(pattern: str) -> str | None:
    """Patterns but for lookarounds, backreferences, word boundaries and long repetitions (Anthropic)."""
    repeated = (int(number) for pair in _REPEATED.findall(_unescaped(pattern)) for number in pair if number)
    if _BACKREFERENCES.search(pattern) or _BOUNDARIES.search(pattern) or any(number > _LARGE for number in repeated):
        return None
    return without_lookarounds(pattern)


def anchored(pattern: str) -> str | None:
    """Patterns of a whole text, from `^` to `$` (llama.cpp)."""
    whole = pattern.startswith("^") and pattern.endswith("$") and not pattern.endswith("\\$")
    return plain(pattern) if whole and not _alternatives(pattern) else None


def _alternatives(pattern: str) -> bool:
    depth = 0
    for character in re.sub(r"\[[^\]]*\]", "", _unescaped(pattern)):
        depth += (character == "(") - (character == ")")
        if character == "|" and depth == 0:
            return True  # ^a|b$ is two patterns, of a beginning and an end
    return False


def _unescaped(pattern: str) -> str:
    return re.sub(r"\\.", "", pattern, flags=re.DOTALL)
