"""On whose account requests go: the ledger, the budgets and the price that hold for them."""

import threading
from collections.abc import Callable
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING

from llmcli.api.models import Model
from llmcli.api.usage import Price, amount
from llmcli.config import model_cache, url
from llmcli.config.options import AccountOptions
from llmcli.config.settings import Settings
from llmcli.errors import UsageError
from llmcli.spending.ledger import About, Ledger
from llmcli.spending.max_cost import Allowance
from llmcli.system.dataclass import dataclass
from llmcli.system.environment import Environment

if TYPE_CHECKING:
    from llmcli.spending.budget import Budget

_ANY = "*"
_MILLION = 1_000_000


@dataclass
class Account:
    """On whose account the requests of a run go. `recorded`: whether the ledger is kept; `alone`:
    no other thread looks at a budget; `of_model`: the same, for another model."""

    environment: Environment
    about: About
    model: Model | None
    price: Price | None
    recorded: bool
    budget: "Budget | None"
    allowance: Allowance
    ledger: Ledger
    alone: "threading.Lock"
    of_model: Callable[[str], "Account"]


@dataclass(frozen=True)
class Purpose:
    """What requests are made for: `command` asks `model` at `base_url` (None: in this process), in
    `session` if there is one; `many`: one run makes many of them."""

    command: str
    model: str
    base_url: str | None
    session: str | None = None
    many: bool = False


def account(
    environment: Environment, settings: Settings, options: AccountOptions, purpose: Purpose
) -> Account:
    """Return the account for the first model. Raises UsageError, ConfigError."""
    base_url = purpose.base_url
    holds = _budget(settings, options)
    recorded = settings.ledger and not options.no_ledger
    # A budget is to be settled at once: what is left of it depends on that.
    ledger = Ledger(environment, lazily=purpose.many and holds is None)
    shared = recorded, holds, Allowance(max_cost(options)), ledger, threading.Lock()

    @cache
    def of_model(name: str) -> Account:
        model = model_cache.find_model(environment, base_url, name) if base_url else None
        about = About(
            model=name,
            host=url.host_of(base_url) if base_url else None,
            profile=settings.profile,
            command=purpose.command,
            tag=settings.tag,
            session=purpose.session,
        )
        price = price_of(settings, name, model)
        return Account(environment, about, model, price, *shared, of_model)

    return of_model(purpose.model)


def _budget(settings: Settings, options: AccountOptions) -> "Budget | None":
    """Return the budgets that hold. Raises ConfigError where they do without the ledger."""
    if not settings.budget:
        return None
    from llmcli.spending import budget

    holds = budget.parse_budget(settings.budget, settings.source("budget"))
    if holds and holds.of_tag(settings.tag) and (options.no_ledger or not settings.ledger):
        raise budget.ledger_missing("--no-ledger" if settings.ledger else "ledger = false")
    return holds


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
