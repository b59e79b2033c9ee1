"""Accounts: the price, the limits and the ledger for the requests of one run."""

from collections.abc import Callable
from decimal import Decimal
from functools import cache, cached_property
from typing import TYPE_CHECKING

from llmcli.api.models import Model
from llmcli.api.reply.cost import Price, amount
from llmcli.config import model_cache, url
from llmcli.config.options import AccountOptions
from llmcli.config.settings import Settings
from llmcli.errors import UsageError
from llmcli.spending.ledger import Labels, Ledger
from llmcli.spending.max_cost import Allowance
from llmcli.system.dataclass import dataclass
from llmcli.system.environment import Environment

if TYPE_CHECKING:
    from llmcli.spending.budget import Budget
    from llmcli.spending.sums.spent import Spent

# The entry of the setting `prices` for every model that has no entry of its own.
_ANY_MODEL = "*"
_MILLION = 1_000_000


@dataclass
class Account:
    """What a run needs to price, limit and record its requests to one model.

    `labels` stand in the ledger beside each request. `model` is the model as the endpoint listed
    it, and `price` its price per token; both are None where they are not known. `recorded` says
    whether the ledger is kept. `budget` has the limits over all runs, and `spent` what counts
    against them; `allowance` is the limit of this run (--max-cost). `of_model` returns the account
    for another model in the same run, which shares all but labels, model and price.
    """

    environment: Environment
    labels: Labels
    model: Model | None
    price: Price | None
    recorded: bool
    budget: "Budget | None"
    allowance: Allowance
    ledger: Ledger
    spent: "Spent | None"
    of_model: Callable[[str], "Account"]

    @cached_property
    def is_limited(self) -> bool:
        """Return whether a budget limits the requests."""
        return self.budget is not None and bool(self.budget.limits_for(self.labels.tag))


@dataclass(frozen=True)
class Purpose:
    """What the requests of a run are made for.

    `command` is the command of llmcli, such as "ask". `model` is the first model to be asked.
    `base_url` is the endpoint, None for a model that runs in this process. `session` is the name of
    the conversation, if there is one. `many` says that the run makes many requests.
    """

    command: str
    model: str
    base_url: str | None
    session: str | None = None
    many: bool = False


def account(
    environment: Environment, settings: Settings, options: AccountOptions, purpose: Purpose
) -> Account:
    """Return the account for the model of `purpose`.

    Raises UsageError for a --max-cost that is not an amount, ConfigError for a budget that is
    malformed or that holds while the ledger is switched off.
    """
    base_url = purpose.base_url
    limits = _budget(settings, options)
    # Without a home there is no place for a ledger, which only a budget has to complain about.
    has_place = not environment.is_nowhere(environment.state_directory)
    recorded = settings.ledger and not options.no_ledger and has_place
    ledger = Ledger(environment, lazily=purpose.many)
    shared = recorded, limits, Allowance(max_cost(options)), ledger, _spent(environment, limits)

    @cache
    def of_model(name: str) -> Account:
        model = model_cache.find_model(environment, base_url, name) if base_url else None
        labels = Labels(
            model=name,
            host=url.host_of(base_url) if base_url else None,
            profile=settings.profile,
            command=purpose.command,
            tag=settings.tag,
            session=purpose.session,
        )
        price = price_of(settings, name, model)
        return Account(environment, labels, model, price, *shared, of_model)

    return of_model(purpose.model)


def _budget(settings: Settings, options: AccountOptions) -> "Budget | None":
    """Return the budget of the settings; None where there is none.

    Raises ConfigError if it limits the requests of this run, but the ledger is switched off.
    """
    if not settings.budget:
        return None
    from llmcli.spending import budget  # noqa: PLC0415  # loaded only for a budget

    limits = budget.parse_budget(settings.budget, settings.source("budget"))
    if limits and limits.limits_for(settings.tag) and (options.no_ledger or not settings.ledger):
        raise budget.ledger_missing("--no-ledger" if settings.ledger else "ledger = false")
    return limits


def _spent(environment: Environment, limits: "Budget | None") -> "Spent | None":
    if limits is None:
        return None
    from llmcli.spending.sums.spent import Spent  # noqa: PLC0415  # loaded only for a budget

    return Spent(environment, limits)


def max_cost(options: AccountOptions) -> Decimal | None:
    """Return the USD of --max-cost; None where it was not given. Raises UsageError."""
    if options.max_cost is None:
        return None
    usd = amount(options.max_cost)
    if usd is None:
        problem = f"--max-cost must be an amount in USD, not {options.max_cost}"
        raise UsageError(problem, hint="such as 0.05")
    return usd


def price_of(settings: Settings, name: str, model: Model | None) -> Price | None:
    """Return the price of the model `name` in USD per token; None if it is not known.

    The setting `prices` decides if it has an entry for the model or for every model ("*"). If it
    has none, the price is that of `model`, if the endpoint listed one for prompt and completion.
    """
    table = settings.prices.get(name, settings.prices.get(_ANY_MODEL))
    if table is not None:
        usd = {key: amount(number) for key, number in table.items()}
        return Price(**{key: None if n is None else n / _MILLION for key, n in usd.items()})
    known = model is not None and None not in (model.price.prompt, model.price.completion)
    return model.price if model and known else None
