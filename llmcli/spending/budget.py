"""Budgets: no more than so much a day or month, for all or for a tag, over all runs together."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from llmcli.api.usage import amount, dollars
from llmcli.errors import BudgetExceeded, ConfigError, WriteError
from llmcli.spending import calendar, ledger, summary
from llmcli.spending.calendar import Zone
from llmcli.system import private_dirs
from llmcli.system.dataclass import dataclass
from llmcli.system.environment import Environment
from llmcli.system.locks import lock_file

PERIODS = ("day", "month")
_PATIENCE = 10.0


@dataclass(frozen=True)
class Limit:
    """`usd` for each `period`, for the requests of `tag`, or for all."""

    period: str
    usd: Decimal
    tag: str | None = None

    def __str__(self) -> str:
        of = f" of tag {self.tag}" if self.tag is not None else ""
        return f"the budget{of}, {dollars(self.usd)} a {self.period}"


@dataclass(frozen=True)
class Budget:
    limits: tuple[Limit, ...]
    zone: Zone

    def of_tag(self, tag: str | None) -> list[Limit]:
        return [limit for limit in self.limits if limit.tag in (None, tag)]


def parse_budget(table: Mapping[str, Any], where: str) -> Budget | None:
    """`{day, month, timezone, tag: {NAME: {day, month}}}`. Raises ConfigError."""
    limits: list[Limit] = []
    for key, value in table.items():
        if key in PERIODS:
            limits.append(_limit(key, value, None, where))
        elif key == "tag" and isinstance(value, dict):
            limits += [limit for name in value for limit in _of_tag(name, value[name], where)]
        elif key == "timezone" and isinstance(value, str):
            pass
        else:
            hint = "it has day, month, timezone, tag.NAME.day and tag.NAME.month"
            raise ConfigError(f"{where}: budget cannot hold {key} = {value!r}", hint=hint)
    zone = calendar.zone(table.get("timezone", "UTC"))
    return Budget(tuple(limits), zone) if limits else None


def ledger_missing(option: str) -> ConfigError:
    """Where a budget holds; `option` switched it off."""
    return ConfigError("a budget holds, and it needs the ledger", hint=f"drop {option}")


def zone_of(table: Mapping[str, Any], where: str) -> Zone:
    """Whose days budgets and reports count by. Raises ConfigError."""
    parse_budget(table, where)
    return calendar.zone(table.get("timezone", "UTC"))


def _of_tag(name: str, table: Any, where: str) -> Iterator[Limit]:
    if not isinstance(table, dict):
        raise ConfigError(f"{where}: budget.tag.{name} is no table", hint="write tag.NAME.day")
    for period, usd in table.items():
        yield _limit(period, usd, name, where)


def _limit(period: str, usd: Any, tag: str | None, where: str) -> Limit:
    value = amount(usd)
    if period not in PERIODS or value is None or isinstance(usd, str):
        path = period if tag is None else f"tag.{tag}.{period}"
        raise ConfigError(f"{where}: budget.{path} = {usd!r} is no limit", hint="such as 5.00")
    return Limit(period, value, tag)


def spent(environment: Environment, budget: Budget) -> dict[Limit, Decimal]:
    """USD of each limit's current period, with what is in flight. Raises WriteError."""
    today = budget.zone.today()
    first = today.replace(day=1)
    sums: dict[Limit, Decimal] = dict.fromkeys(budget.limits, Decimal(0))
    for month in calendar.months(first, today):
        path, day_of = ledger.file(environment, month), budget.zone.day_of
        try:
            found = summary.of_file(path, day_of, budget.zone.name)
        except OSError as error:
            raise WriteError(f"cannot read the ledger {path}: {error.strerror}") from None
        for (day, _, tag, *_), total in found.all_sums(day_of):
            for limit in budget.limits:
                if _counts(limit, str(day), tag, today):
                    sums[limit] += total.usd
    return sums


def _counts(limit: Limit, day: str, tag: str | None, today: date) -> bool:
    now = today.isoformat()
    same = day == now if limit.period == "day" else day[:7] == now[:7]
    return same and limit.tag in (None, tag)


def check_budget(environment: Environment, budget: Budget, tag: str | None, usd: Decimal) -> None:
    """Raises BudgetExceeded if `usd` more would be too much."""
    sums = spent(environment, budget)
    for limit in budget.of_tag(tag):
        if usd and sums[limit] + usd > limit.usd:
            raise BudgetExceeded(
                f"{limit}, would be exceeded: {dollars(sums[limit])} is spent or in "
                f"flight, and this request may cost {dollars(usd)}; it was not sent",
                hint=f"it begins anew at {_anew(limit, budget.zone)}",
            )


def _anew(limit: Limit, zone: Zone) -> str:
    today = zone.today()
    following = today + timedelta(days=1)
    if limit.period == "month":
        following = (today.replace(day=1) + timedelta(days=32)).replace(day=1)
    return zone.begins(following).strftime("%Y-%m-%dT%H:%MZ")


@contextmanager
def alone(environment: Environment) -> Iterator[None]:
    """No other run looks at the budget before this one's intent stands. Raises WriteError."""
    path = ledger.folder(environment) / ".lock"
    try:
        private_dirs.check_private(environment.state_directory)
        private_dirs.make_private(path.parent)
        with lock_file(path, _PATIENCE):
            yield
    except TimeoutError:
        raise WriteError(f"another run holds {path}") from None
    except OSError as error:
        raise WriteError(f"a budget needs the ledger, but {path}: {error.strerror}") from None
