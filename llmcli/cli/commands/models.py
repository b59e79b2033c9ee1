"""The command `models`: what the endpoint offers."""

import time
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any

from llmcli.api.models import Catalogue, Model
from llmcli.api.reply.cost import Price
from llmcli.api.trace import Trace
from llmcli.backends import connect
from llmcli.backends import models as listings
from llmcli.backends.connect import Connection
from llmcli.backends.embedded import weights
from llmcli.config import file, model_cache
from llmcli.config.options import Argument, Option
from llmcli.config.settings import Settings
from llmcli.errors import LlmcliError, NoInput
from llmcli.output import table
from llmcli.output.json import print_json
from llmcli.system.dataclass import dataclass
from llmcli.system.environment import Environment

# Seconds for which a list that was fetched is shown without asking again.
_FRESH = 86400.0
# Prices are kept in USD a token, and shown in USD a million tokens.
_MILLION = 1_000_000
_HEADING = ("model", "context", "$/M in", "$/M out", "takes", "")


class Sort(StrEnum):
    """The values of --sort: the order of the models."""

    id = "id"
    price = "price"
    context = "context"


class Takes(StrEnum):
    """The values of --takes: what a model can be given besides text."""

    image = "image"
    tools = "tools"
    reasoning = "reasoning"


@dataclass(frozen=True)
class FilterOptions:
    """The options that say which models are shown, and in which order."""

    free: Annotated[bool, Option("--free", help="Only those that cost nothing.")] = False
    takes: Annotated[
        list[Takes] | None, Option("--takes", help="Only those that take it. Repeatable.")
    ] = None
    sort: Annotated[Sort, Option("--sort", help="By id, price, or context (largest first).")] = (
        Sort.id
    )


@dataclass(frozen=True)
class ListingOptions:
    """The options that say whose models are listed, and in which form."""

    refresh: Annotated[bool, Option("--refresh", help="Ask the endpoint now.")] = False
    as_json: Annotated[bool, Option("--json", help="As JSON.")] = False
    profile: Annotated[
        str | None,
        Option("--profile", metavar="PROFILE", help="A profile, or a provider."),
    ] = None
    base_url: Annotated[
        str | None, Option("--base-url", metavar="URL", help="Endpoint to ask.")
    ] = None


@dataclass(frozen=True)
class ModelsOptions:
    """All options of `models`."""

    filter: FilterOptions = FilterOptions()
    listing: ListingOptions = ListingOptions()


Query = Annotated[
    str | None, Argument(metavar="[QUERY]", help="Part of the id.", show_default=False)
]


def models(environment: Environment, options: ModelsOptions, words: Query = None) -> None:
    """Print the models of the endpoint: context, prices, features.

    Prices are USD per million tokens; those marked estimated are not the endpoint's own. The list
    is kept for a day. The shell completes model ids from it, and answers and budgets are priced by
    it. In a pipe tabs separate the columns.

    \b
    Examples:
      llmcli models sonnet
      llmcli models --free --takes tools
      llmcli models --json --sort price | jq -r '.models[0].id'
    """
    listing, filters = options.listing, options.filter
    settings = file.resolve(environment, {"base_url": listing.base_url}, listing.profile)
    environment.start_deadline(settings.deadline)
    base_url = connect.listing_url(environment, settings)
    if base_url is None:
        catalogue = _embedded(environment)
    else:
        catalogue = _catalogue(environment, settings, base_url, refresh=listing.refresh)
    chosen = [m for m in catalogue.models if _is_wanted(m, words, filters)]
    chosen.sort(key=_ORDER[filters.sort])
    if listing.as_json:
        print_json({"age": round(catalogue.age), "models": [_object(model) for model in chosen]})
    elif not chosen:
        raise NoInput("no model matches", hint="`llmcli models` lists all")
    else:
        table.show_table(environment, _HEADING, [_row(model) for model in chosen], right="c$")


def _embedded(environment: Environment) -> Catalogue:
    """Return the one model that answers where no key and no endpoint is configured; say so."""
    environment.note(
        "no key or endpoint configured: this is the embedded model; see `llmcli help keys`"
    )
    free = Price(prompt=Decimal(0), completion=Decimal(0))
    model = Model(weights.MODEL, context=weights.CONTEXT, price=free, inputs=("text",), free=True)
    return Catalogue([model], time.time())


def _catalogue(
    environment: Environment, settings: Settings, base_url: str, *, refresh: bool
) -> Catalogue:
    """Return the models of the endpoint at `base_url`, as it lists them now or has listed before.

    A list from the cache is taken while it is fresh, unless `refresh` is True, and where the
    endpoint cannot be asked. A line on stderr then says how old it is. Raises the LlmcliError of
    the request where no cached list is left to show.
    """
    cached = model_cache.cached(environment, base_url)
    if cached and cached.age < _FRESH and not refresh:
        environment.note(f"models as listed {_age(cached)} ago; --refresh asks again")
        return cached
    try:
        # Many endpoints list their models to anybody, so a missing key is no error yet.
        connection = Connection("", base_url)
        endpoint = connect.endpoint(environment, settings, connection, need_key=False)
        return listings.fetch(environment, endpoint, Trace(redact=environment.redact))
    except LlmcliError as error:
        if cached is None:
            raise
        environment.say(f"{error}; models as listed {_age(cached)} ago")
        return cached


def _age(catalogue: Catalogue) -> str:
    """Return the age in the largest unit that fits, such as `2 hours`."""
    for unit, seconds in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if catalogue.age >= seconds:
            count = int(catalogue.age // seconds)
            return f"{count} {unit}" + ("s" if count > 1 else "")
    return "less than a minute"


def _is_wanted(model: Model, query: str | None, filters: FilterOptions) -> bool:
    named = query is None or query.lower() in model.id.lower()
    affordable = model.free or not filters.free
    return named and affordable and set(filters.takes or ()) <= set(_takes(model))


def _takes(model: Model) -> list[str]:
    """Return the values of `Takes` that hold for the model."""
    image = ["image"] if "image" in model.inputs else []
    return image + [name for name in ("tools", "reasoning") if name in model.parameters]


def _row(model: Model) -> tuple[str, ...]:
    marks = [name for name in ("free", "recommended") if getattr(model, name)]
    marks += ["estimated"] if model.price_source else []
    price = model.price
    return (
        model.id,
        "-" if model.context is None else str(model.context),
        _per_million(price.prompt),
        _per_million(price.completion),
        ",".join(_takes(model)) or "-",
        ",".join(marks) or "-",
    )


def _per_million(usd: Decimal | None) -> str:
    return "-" if usd is None else f"{(usd * _MILLION).normalize():f}"


def _object(model: Model) -> dict[str, Any]:
    """Return the model as --json shows it, with all prices but that of a request."""
    price = {
        name: None if usd is None else float(usd * _MILLION)
        for name, usd in vars(model.price).items()
        if name != "request"
    }
    return {
        "id": model.id,
        "context": model.context,
        "max_output": model.max_output,
        "usd_per_million": price,
        "price_source": model.price_source,
        "takes": _takes(model),
        "free": model.free,
        "recommended": model.recommended,
    }


def _by_price(model: Model) -> tuple[Decimal, str]:
    """Return a sort key: the sum of both prices, unknown ones last, then the id."""
    prices = (model.price.prompt, model.price.completion)
    return sum((Decimal("Infinity") if p is None else p for p in prices), Decimal(0)), model.id


_ORDER: dict[Sort, Any] = {
    Sort.id: lambda model: model.id,
    Sort.price: _by_price,
    Sort.context: lambda model: (-(model.context or 0), model.id),
}
