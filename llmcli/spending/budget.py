"""Budgets: limits of what all runs together may spend in a day or month, in all or for a tag."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from llmcli.api.reply.cost import amount, dollars
from llmcli.errors import BudgetExceeded, ConfigError, WriteError
from llmcli.spending import calendar, ledger, summary
from llmcli.spending.calendar import Zone
from llmcli.system.dataclass import dataclass
from llmcli.system.environment import Environment
from llmcli.system.files import private_dirs
from llmcli.system.files.locks import lock_file

PERIODS = ("day", "month")
# Seconds to wait for a run that holds the lock, which takes milliseconds unless it was stopped.
_PATIENCE = 10.0


@dataclass(frozen=True)
class Limit:
    """The most that may be spent in each day or month.

    `period` is "day" or "month". `tag` limits the requests with that --tag; None limits all.
    """

    period: str
    usd: Decimal
    tag: str | None = None

    def __str__(self) -> str:
        of = f" of tag {self.tag}" if self.tag is not None else ""
        return f"the budget{of}, {dollars(self.usd)} a {self.period}"


@dataclass(frozen=True)
class Budget:
    """The limits of the setting `budget`, and the time zone whose days and months they are for."""

    limits: tuple[Limit, ...]
    zone: Zone

    def limits_for(self, tag: str | None) -> list[Limit]:
        """Return the limits that a request with `tag` must keep: those of all, and of its tag."""
        return [limit for limit in self.limits if limit.tag in (None, tag)]


def parse_budget(table: Mapping[str, Any], where: str) -> Budget | None:
    """Return the budget that `table` describes; None if it sets no limit.

    The table has the form `{day, month, timezone, tag: {NAME: {day, month}}}`, with limits in USD
    and every key optional. `where` is where it came from, for messages. Raises ConfigError for an
    unknown key, a limit that is not an amount and a time zone that is not known.
    """
    limits: list[Limit] = []
    for key, value in table.items():
        if key in PERIODS:
            limits.append(_limit(key, value, None, where))
        elif key == "tag" and isinstance(value, dict):
            limits += [limit for name in value for limit in _tag_limits(name, value[name], where)]
        elif key == "timezone" and isinstance(value, str):
            pass
        else:
            hint = "valid are day, month, timezone, tag.NAME.day and tag.NAME.month"
            raise ConfigError(f"{where}: budget.{key} = {value!r} is not valid", hint=hint)
    zone = calendar.zone(table.get("timezone", "UTC"))
    return Budget(tuple(limits), zone) if limits else None


def ledger_missing(option: str) -> ConfigError:
    """Return the error for a budget without the ledger, which `option` has switched off."""
    return ConfigError("a budget is set, and it needs the ledger", hint=f"drop {option}")


def zone_of(table: Mapping[str, Any], where: str) -> Zone:
    """Return the time zone of the budget in `table`, by which reports count days as well.

    It is UTC where the budget names none. Raises ConfigError as `parse_budget` does.
    """
    parse_budget(table, where)
    return calendar.zone(table.get("timezone", "UTC"))


def _tag_limits(name: str, table: Any, where: str) -> Iterator[Limit]:
    if not isinstance(table, dict):
        raise ConfigError(
            f"{where}: budget.tag.{name} must be a table", hint=f"write tag.{name}.day"
        )
    for period, usd in table.items():
        yield _limit(period, usd, name, where)


def _limit(period: str, usd: Any, tag: str | None, where: str) -> Limit:
    value = amount(usd)
    if period not in PERIODS or value is None or isinstance(usd, str):
        path = period if tag is None else f"tag.{tag}.{period}"
        hint = "a limit is day or month, in USD, such as day = 5.00"
        raise ConfigError(f"{where}: budget.{path} = {usd!r} is not a valid limit", hint=hint)
    return Limit(period, value, tag)


def spent(environment: Environment, budget: Budget) -> dict[Limit, Decimal]:
    """Return the USD that count against each limit in the current day or month.

    A request that has not ended counts at its estimate. Raises WriteError if the ledger cannot be
    read, because then no request may be sent.
    """
    today = budget.zone.today()
    first = today.replace(day=1)
    sums: dict[Limit, Decimal] = dict.fromkeys(budget.limits, Decimal(0))
    for month in calendar.months(first, today):
        path, day_of = ledger.file(environment, month), budget.zone.day_of
        try:
            rollup = summary.of_file(path, day_of, budget.zone.name)
        except OSError as error:
            raise WriteError(f"cannot read the ledger {path}: {error.strerror}") from None
        for (day, _, tag, *_), total in rollup.all_sums(day_of):
            for limit in budget.limits:
                if _counts(limit, str(day), tag, today):
                    sums[limit] += total.usd
    return sums


def _counts(limit: Limit, day: str, tag: str | None, today: date) -> bool:
    """Return whether what was spent on `day` with `tag` counts against `limit` today."""
    now = today.isoformat()
    in_period = day == now if limit.period == "day" else day[:7] == now[:7]
    return in_period and limit.tag in (None, tag)


def check_budget(environment: Environment, budget: Budget, tag: str | None, usd: Decimal) -> None:
    """Raise BudgetExceeded if a request with `tag` that costs `usd` would exceed a limit.

    A request that costs nothing never does, even if a limit is exceeded already. Raises WriteError
    if the ledger cannot be read.
    """
    sums = spent(environment, budget)
    for limit in budget.limits_for(tag):
        if usd and sums[limit] + usd > limit.usd:
            raise BudgetExceeded(
                f"{limit}, would be exceeded: {dollars(sums[limit])} is spent or in "
                f"flight, and this request may cost {dollars(usd)}; it was not sent",
                hint=f"the next {limit.period} begins at {_next_start(limit, budget.zone)}",
            )


def _next_start(limit: Limit, zone: Zone) -> str:
    """Return when the next period of `limit` begins, in UTC, such as `2026-11-25T00:00Z`."""
    today = zone.today()
    by_day = limit.period == "day"
    following = today + timedelta(days=1) if by_day else calendar.next_month(today)
    return zone.start_of(following).strftime("%Y-%m-%dT%H:%MZ")


@contextmanager
def exclusive(environment: Environment) -> Iterator[None]:
    """Keep all other runs from reading the budget until the block ends.

    Within the block a run reads what is left of the budget and records its own request. Without
    the lock two runs could both take the last cent. Raises WriteError if the lock cannot be had,
    ConfigError if the directory of the ledger is open to other users.
    """
    path = ledger.folder(environment) / ".lock"
    try:
        private_dirs.check_private(environment.state_directory)
        private_dirs.make_private(path.parent)
        with ExitStack() as stack:
            with environment.waiting_for("another run that holds the budget") as wait:
                stack.enter_context(lock_file(path, _PATIENCE, wait.remind))
            yield
    except TimeoutError:
        problem = f"other runs have held {path} for {_PATIENCE:g} s"
        raise WriteError(problem, hint="try again when they have ended") from None
    except OSError as error:
        raise WriteError(
            f"a budget needs the ledger, but cannot lock {path}: {error.strerror}"
        ) from None
