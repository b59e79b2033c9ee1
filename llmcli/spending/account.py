"""From options and settings to a meter: prices, budgets, and on whose account it goes."""

import threading
from decimal import Decimal
from functools import cache

from llmcli.api import models
from llmcli.api.models import Model
from llmcli.api.usage import Price, amount
from llmcli.backends.connect import Connection
from llmcli.config import url
from llmcli.config.options import AccountOptions
from llmcli.config.settings import Settings
from llmcli.errors import UsageError
from llmcli.spending.ledger import About, Ledger
from llmcli.spending.max_cost import Allowance
from llmcli.spending.meter import Account
from llmcli.system.environment import Environment

_ANY = "*"
_MILLION = 1_000_000


def account(
    environment: Environment,
    settings: Settings,
    options: AccountOptions,
    chosen: Connection,
    command: str,
    session: str | None = None,
    many: bool = False,
) -> Account:
    """`many`: one run makes many requests. Raises UsageError, ConfigError."""
    base_url = chosen.base_url
    holds = None
    if settings.budget:
        from llmcli.spending import budget

        holds = budget.parse(settings.budget, settings.source("budget"))
    recorded = settings.ledger and not options.no_ledger
    if holds and holds.of_tag(settings.tag) and not recorded:
        raise budget.ledger_missing("--no-ledger" if settings.ledger else "ledger = false")
    # A budget is to be settled at once: what is left of it depends on that.
    ledger = Ledger(environment, lazily=many and holds is None)
    shared = recorded, holds, Allowance(max_cost(options)), ledger, threading.Lock()

    @cache
    def of_model(name: str) -> Account:
        model = models.lookup(environment, base_url, name) if base_url else None
        about = About(
            model=name,
            host=url.host_of(base_url) if base_url else None,
            profile=settings.profile,
            command=command,
            tag=settings.tag,
            session=session,
        )
        price = price_of(settings, name, model)
        return Account(environment, about, model, price, *shared, of_model)

    return of_model(chosen.model)


def max_cost(options: AccountOptions) -> Decimal | None:
    if options.max_cost is None:
        return None
    usd = amount(options.max_cost)
    if usd is None:
        raise UsageError(f"--max-cost {options.max_cost} is no amount", hint="USD, such as 0.05")
    return usd


def price_of(settings: Settings, name: str, model: Model | None) -> Price | None:
    """The configured one, for the model or for all; else that of the catalogue, if it has one."""
    table = settings.prices.get(name, settings.prices.get(_ANY))
    if table is not None:
        usd = {key: amount(number) for key, number in table.items()}
        return Price(**{key: None if n is None else n / _MILLION for key, n in usd.items()})
    known = model is not None and None not in (model.price.prompt, model.price.completion)
    return model.price if model and known else None
