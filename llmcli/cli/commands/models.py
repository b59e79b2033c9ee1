"""What the endpoint offers."""

from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any

from llmcli.api.models import Catalogue, Model
from llmcli.api.trace import Trace
from llmcli.backends import connect
from llmcli.backends import models as listing
from llmcli.backends.connect import Connection
from llmcli.config import file, model_cache, url
from llmcli.config.options import Argument, Option
from llmcli.config.settings import DEFAULT_BASE_URL
from llmcli.errors import LlmcliError, NoInput
from llmcli.output import table
from llmcli.output.json import print_json
from llmcli.system.dataclass import dataclass
from llmcli.system.environment import Environment

_FRESH = 86400.0  # seconds
_MILLION = 1_000_000
_HEADING = ("model", "context", "$/M in", "$/M out", "takes", "")


class Sort(StrEnum):
    id = "id"
    price = "price"
    context = "context"


class Takes(StrEnum):
    image = "image"
    tools = "tools"
    reasoning = "reasoning"


@dataclass(frozen=True)
class FilterOptions:
    free: Annotated[bool, Option("--free", help="Only those that cost nothing.")] = False
    takes: Annotated[
        list[Takes] | None, Option("--takes", help="Only those that take it. Repeatable.")
    ] = None
    sort: Annotated[Sort, Option("--sort", help="By id, price, or context (largest first).")] = (
        Sort.id
    )


@dataclass(frozen=True)
class ListingOptions:
    refresh: Annotated[bool, Option("--refresh", help="Ask the endpoint now.")] = False
    as_json: Annotated[bool, Option("--json", help="As JSON.")] = False
    profile: Annotated[
        str | None, Option("--profile", metavar="PROFILE", help="Profile of config.toml.")
    ] = None
    base_url: Annotated[
        str | None, Option("--base-url", metavar="URL", help="Endpoint to ask.")
    ] = None


@dataclass(frozen=True)
class ModelsOptions:
    filter: FilterOptions = FilterOptions()
    listing: ListingOptions = ListingOptions()


Query = Annotated[
    str | None, Argument(metavar="[QUERY]", help="Part of the id.", show_default=False)
]


def models(environment: Environment, options: ModelsOptions, words: Query = None) -> None:
    """Print the models of the endpoint: context, prices, what they take.

    Prices are USD per million tokens. The list is kept for a day and feeds completions, prices of
    answers and budgets. In a pipe the columns are separated by tabs.

    \b
    Examples:
      llmcli models sonnet
      llmcli models --free --takes tools
      llmcli models --json --sort price | jq -r '.models[0].id'
    """
    listing, chosen = options.listing, options.filter
    settings = file.resolve(environment, {"base_url": listing.base_url}, listing.profile)
    environment.start_deadline(settings.deadline)
    at = url.check_base_url(settings.base_url or DEFAULT_BASE_URL)
    listed = _listed(environment, settings, at, listing.refresh)
    found = [m for m in listed.models if _wanted(m, words, chosen)]
    found.sort(key=_ORDER[chosen.sort])
    if listing.as_json:
        print_json({"age": round(listed.age), "models": [_object(model) for model in found]})
    elif not found:
        raise NoInput("no model is like that", hint="llmcli models lists all")
    else:
        table.show_table(environment, _HEADING, [_row(model) for model in found], right="c$")


def _listed(environment: Environment, settings: Any, at: str, refresh: bool) -> Catalogue:
    """From the cache while it is fresh, or where the endpoint cannot be asked: then it is said."""
    kept = model_cache.cached(environment, at)
    if kept and kept.age < _FRESH and not refresh:
        environment.note(f"as listed {_age(kept)} ago; --refresh asks again")
        return kept
    try:
        endpoint = connect.endpoint(environment, settings, Connection("", at), need_key=False)
        return listing.fetch(environment, endpoint, Trace(redact=environment.redact))
    except LlmcliError as error:
        if kept is None:
            raise
        environment.say(f"{error}; as listed {_age(kept)} ago")
        return kept


def _age(listed: Catalogue) -> str:
    for unit, seconds in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if listed.age >= seconds:
            count = int(listed.age // seconds)
            return f"{count} {unit}" + ("s" if count > 1 else "")
    return "less than a minute"


def _wanted(model: Model, query: str | None, chosen: FilterOptions) -> bool:
    named = query is None or query.lower() in model.id.lower()
    affordable = model.free or not chosen.free
    return named and affordable and set(chosen.takes or ()) <= set(_takes(model))


def _takes(model: Model) -> list[str]:
    found = ["image"] if "image" in model.inputs else []
    return found + [name for name in ("tools", "reasoning") if name in model.parameters]


def _row(model: Model) -> tuple[str, ...]:
    marks = [name for name in ("free", "recommended") if getattr(model, name)]
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
        "takes": _takes(model),
        "free": model.free,
        "recommended": model.recommended,
    }


def _by_price(model: Model) -> tuple[Decimal, str]:
    prices = (model.price.prompt, model.price.completion)
    return sum((Decimal("Infinity") if p is None else p for p in prices), Decimal(0)), model.id


_ORDER: dict[Sort, Any] = {
    Sort.id: lambda model: model.id,
    Sort.price: _by_price,
    Sort.context: lambda model: (-(model.context or 0), model.id),
}
