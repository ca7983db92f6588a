"""Parameters on their way to the wire: common ones renamed, the rest untouched, none lost silently."""

from collections.abc import Mapping, Sequence
from typing import Any

from flyllm.request import COMMON_PARAMS


def wire_params(
    params: Mapping[str, Any], names: Mapping[str, str], common: Sequence[str] = COMMON_PARAMS
) -> dict[str, Any]:
    """Return `params` under the provider's names; `common` ones missing in `names` and values of None are left out."""
    return {
        names.get(name, name): value
        for name, value in params.items()
        if value is not None and (name in names or name not in common)
    }


def unsupported(
    params: Mapping[str, Any], names: Mapping[str, str], common: Sequence[str] = COMMON_PARAMS
) -> tuple[str, ...]:
    """Return the `common` parameters in `params` that a provider with these `names` cannot take."""
    return tuple(name for name, value in params.items() if value is not None and name in common and name not in names)


def as_list(value: Any) -> list[Any]:
    """Return `value` as a list: some providers want `stop` as one even for a single word."""
    return list(value) if isinstance(value, list | tuple) else [value]
