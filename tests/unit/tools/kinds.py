"""Functions with annotations as text, as `from __future__ import annotations` makes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flyllm.tools import Tool

if TYPE_CHECKING:
    from decimal import Decimal


def late(city: str, days: list[int] | None = None) -> str:
    """Tell it."""
    return f"{city} {days}"


def unknown(amount: Decimal) -> None:
    """Take what only a type checker knows."""


@Tool
def decorated(x: int) -> int:
    """Take a number."""
    return x
