"""Published prices, from the package genai-prices where it is installed.

Only the data that comes with it is used: nothing here goes to the network. What it takes to compute a cost there is
more than a request may cost, so the prices of a model are taken over once.
"""

import logging
from typing import TYPE_CHECKING, Any, NamedTuple

from flyllm._fork import imports
from flyllm._routing.price import Price
from flyllm.types import TokenUsage

if TYPE_CHECKING:
    from genai_prices.types import ModelPrice

logger = logging.getLogger("flyllm.prices")

_KNOWN_AS = {"//api.together.ai": "//api.together.xyz"}
"""Hosts that the package knows by another name."""

_KEYS = ("input_mtok", "output_mtok", "cache_read_mtok", "output_reasoning_mtok", "requests_kcount")


class Listing(NamedTuple):
    """What is published for a model; empty where nothing is.

    `source` says by whom; `tiers` are the prices of prompts longer than so many tokens, the longest first.
    """

    source: str | None = None
    tiers: tuple[tuple[int, Price], ...] = ()


class ListPrice:
    """The published price of `model` at `base_url`, whose host tells who sends the bill. Looked up at its first use.

    It stays as it was then. Models on one's own machine, or behind a gateway, have none.
    """

    __slots__ = ("_base_url", "_listing", "_model")

    def __init__(self, model: str, base_url: str) -> None:
        self._model, self._base_url = model, base_url
        self._listing: Listing | None = None

    @property
    def source(self) -> str | None:
        """The package and its version, None where it has no price."""
        return self._listed().source

    def of(self, usage: TokenUsage) -> float | None:
        """Return the cost of `usage` in US dollars, None where a price or a number of tokens is not known."""
        prompt = usage.prompt_tokens
        if prompt is not None:
            for longer_than, price in self._listed().tiers:
                if prompt > longer_than:
                    return price.of(usage)
        return None

    def _listed(self) -> Listing:
        if self._listing is None:
            with imports:
                if self._listing is None:
                    self._listing = _look_up(self._model, self._base_url)
        return self._listing


def price_of(configured: Price, model: str, base_url: str) -> Price | ListPrice:
    """Return what is configured, or the list's price where nothing is."""
    return ListPrice(model, base_url) if configured == Price() else configured


def _look_up(model: str, base_url: str) -> Listing:
    try:
        import genai_prices

        name = model.removeprefix("models/")  # as Google writes them
        found = genai_prices.calc_price(genai_prices.Usage(), name, provider_api_url=_as_known(base_url))
        tiers = _tiers(found.model_price)
        return Listing(f"genai-prices {genai_prices.__version__}", tiers) if tiers else Listing()
    except (ImportError, LookupError):
        return Listing()
    except Exception as exc:  # a version of it that is not as it was: a cost is not worth a request
        logger.warning("genai-prices could not tell the price of %s: %s: %s", model, type(exc).__name__, exc)
        return Listing()


def _as_known(base_url: str) -> str:
    for host, known in _KNOWN_AS.items():
        base_url = base_url.replace(host, known)
    return base_url


def _tiers(listed: "ModelPrice") -> tuple[tuple[int, Price], ...]:
    values = {key: getattr(listed, key) for key in _KEYS}
    steps = {tier.start for value in values.values() for tier in getattr(value, "tiers", ())}
    tiers = []
    for start in sorted({-1, *steps}, reverse=True):
        at = {key: _beyond(start, value) for key, value in values.items()}
        price = Price(
            at["input_mtok"],
            at["output_mtok"],
            at["cache_read_mtok"],
            at["output_reasoning_mtok"],
            (at["requests_kcount"] or 0.0) / 1000,
        )
        tiers.append((start, price))
    return tuple(tiers) if all(price.input is not None for _, price in tiers) else ()


def _beyond(start: int, value: Any) -> float | None:
    """Return the price of prompts longer than `start`: a number, or one of a base and tiers."""
    if value is None:
        return None
    reached = [tier.price for tier in getattr(value, "tiers", ()) if tier.start <= start]
    return float(reached[-1] if reached else getattr(value, "base", value))
