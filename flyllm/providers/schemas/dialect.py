"""What a provider takes of a JSON schema, as data. Which takes what stands in `dialects`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from flyllm.providers.schemas.words import TYPES


@dataclass(frozen=True, slots=True)
class SchemaDialect:
    """What a provider takes of a JSON schema for answers. The defaults take most.

    Attributes:
        keywords: what may stand in a schema beside `$defs`; None for everything, and nothing is changed.
        formats: values of `format`; None for any.
        pattern: returns a regular expression as it is taken, None where it is not.
        values: JSON types of the values in `enum` and `const`.
        float_ranges: whether `minimum` and the like may stand at numbers that are no integers.
        most_min_items: the greatest `minItems`; None for no limit.
        type_lists: whether `type` may be a list.
        any_value: types by which a schema is written that takes any value; () where it may stand as it is.
        closed: whether every object must have `additionalProperties: false`.
        all_required: whether every property must be required. `some_required`: whether one must be, if there are any.
        object_root: whether the answer must be an object, by a schema that is no `anyOf`.
        levels: so deep schemas are written out that refer to themselves; None where they are taken.
        optional_cycles: whether what refers to itself must stand in properties that are not required; `levels` is then
            for what has no properties to leave out.
        on_request: whether all this holds only where `strict` is true; otherwise a schema is but a hint, any will do.
        enforcing: patterns of the models that can be strict; None for all.
        size: of a strict schema: the most properties, levels of objects, enum values and characters of names; None for
            no limits.
        tuned: keywords that fine-tuned models ("ft:...") do not take.
    """

    keywords: frozenset[str] | None = None
    formats: frozenset[str] | None = None
    pattern: Callable[[str], str | None] | None = None
    values: frozenset[str] = frozenset(TYPES)
    float_ranges: bool = True
    most_min_items: int | None = None
    type_lists: bool = True
    any_value: tuple[str, ...] = ()
    closed: bool = False
    all_required: bool = False
    some_required: bool = False
    object_root: bool = False
    levels: int | None = None
    optional_cycles: bool = False
    on_request: bool = False
    enforcing: str | None = None
    size: tuple[int, int, int, int] | None = None
    tuned: frozenset[str] = frozenset()


class Adapted(NamedTuple):
    """A `response_format` in the chat-completions shape for one provider, and what had to be changed for it."""

    response_format: Mapping[str, Any]
    changes: tuple[str, ...]
