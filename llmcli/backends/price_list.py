"""Prices where an endpoint lists none, from the library genai-prices.

They were collected by hand from the pages of the providers, and can be out of date: each is marked
with its source and date. The library is an extra, and slow to load; only commands that list models
come here.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from importlib.metadata import version
from typing import Any

from llmcli.api.models import Model
from llmcli.api.reply.cost import Price
from llmcli.config import providers
from llmcli.system.dataclass import replace

_MILLION = 1_000_000
_LIBRARY = "genai-prices"


def with_prices(models: Sequence[Model], base_url: str) -> list[Model]:
    """Return `models` with the prices that the library has for exactly their ids.

    Nothing is added for an endpoint that is none of the table of providers, for a model that has a
    price already, or if the library is not installed.
    """
    provider = providers.of_url(base_url)
    if provider is None or provider.prices is None:
        return list(models)
    try:
        from genai_prices.data import providers as listed  # noqa: PLC0415  # an extra
    except ImportError:
        return list(models)
    known = next((one for one in listed if one.id == provider.prices), None)
    now = datetime.now(UTC)
    prices = {one.id: _price(one.get_prices(now)) for one in (known.models if known else ())}
    source = f"{_LIBRARY} {version(_LIBRARY)}, of {_date(listed)} or later"
    return [_with_price(model, prices.get(model.id), source) for model in models]


def _with_price(model: Model, price: Price | None, source: str) -> Model:
    has_own = model.price.prompt is not None or model.price.completion is not None
    if has_own or price is None or None in (price.prompt, price.completion):
        return model
    return replace(model, price=price, price_source=source)


def _price(prices: Any) -> Price:
    """Return the price per token of the library's ModelPrice, which is per million tokens."""
    names = {
        "prompt": "input_mtok",
        "completion": "output_mtok",
        "cache_read": "cache_read_mtok",
        "cache_write": "cache_write_mtok",
    }
    return Price(**{name: _highest(getattr(prices, field, None)) for name, field in names.items()})


def _highest(price: Any) -> Decimal | None:
    """Return the price of a token; of one that grows with the prompt, the highest.

    A budget must hold for a long prompt as well.
    """
    if price is None:
        return None
    steps = [tier.price for tier in getattr(price, "tiers", ())]
    highest: Decimal = max([getattr(price, "base", price), *steps])
    return highest / _MILLION


def _date(listed: Sequence[Any]) -> date:
    """Return the day from which the newest price of the list holds: the list is not older."""
    return max(_dates(listed), default=date.min)


def _dates(listed: Sequence[Any]) -> Iterator[date]:
    for provider in listed:
        for model in provider.models:
            dated = model.prices if isinstance(model.prices, list) else ()
            for one in (*dated, *(model.price_variants or ())):
                if begins := getattr(one.constraint, "start_date", None):
                    yield begins
