"""How much a model is to think (`reasoning_effort`), in the words of its provider.

The words are none, minimal, low, medium, high, xhigh and max. A provider that has the word is sent it as it is, and so
is a word unknown here; where there is none such, the nearest one is sent that the provider documents.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

PARAM = "reasoning_effort"
"""The common parameter."""


@dataclass(frozen=True, slots=True)
class Effort:
    """How a family of models is told.

    Attributes:
        path: where in the body, names joined by dots.
        words: what stands there for a word; one that is missing goes out as it is.
        instead: words that are said by other fields.
        beside: fields that are sent with every word but those.
    """

    path: str
    words: Mapping[str, Any] = field(default_factory=dict)
    instead: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    beside: Mapping[str, Any] = field(default_factory=dict)

    def said(self, word: Any) -> dict[str, Any]:
        """Return the fields of a body that say `word`."""
        known = word if isinstance(word, str) else ""
        if known in self.instead:
            return dict(self.instead[known])
        said = self.words.get(known, word)
        for name in reversed(self.path.split(".")):
            said = {name: said}
        return merged(self.beside, said)


Efforts = Sequence[tuple[str, Effort | None]]
"""Patterns found in the names of models, with how these are told, None for not at all; the first that fits counts."""


def effort_of(efforts: Efforts, model: str) -> Effort | None:
    """Return how `model` is told; None where it cannot be."""
    return next((effort for pattern, effort in efforts if re.search(pattern, model, re.IGNORECASE)), None)


def merged(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> dict[str, Any]:
    """Return both, objects merged; `theirs` wins."""
    both = dict(ours)
    for name, value in theirs.items():
        known = both.get(name)
        both[name] = merged(known, value) if isinstance(known, Mapping) and isinstance(value, Mapping) else value
    return both
