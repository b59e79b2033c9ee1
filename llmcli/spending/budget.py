"""Budgets: limits of what all runs together may spend in a day or month, in all or for a tag."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from llmcli.api.reply.cost import amount, dollars
from llmcli.errors import BudgetExceeded, ConfigError, LockHeld, WriteError
from llmcli.spending import calendar, ledger
from llmcli.spending.calendar import Zone
from llmcli.system.dataclass import dataclass
from llmcli.system.environment import Environment
from llmcli.system.files import private_dirs
from llmcli.system.files.locks import is_still_at, lock, unlock

PERIODS = ("day", "month")


@dataclass(frozen=True)
class Limit:
    """The most that may be spent in each day or month.

    `period` is "day" or "month". `tag` limits the requests with that --tag; None limits all.
    """

    period: str
    usd: Decimal
    tag: str | None = None

    def counts(self, day: str, tag: str | None, today: date) -> bool:
        """Return whether what was spent on `day` with `tag` counts against this limit today."""
        now = today.isoformat()
        in_period = day == now if self.period == "day" else day[:7] == now[:7]
        return in_period and self.tag in (None, tag)

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


def check(limits: Budget, spent: Mapping[Limit, Decimal], tag: str | None, usd: Decimal) -> None:
    """Raise BudgetExceeded if a request with `tag` that costs `usd` would exceed a limit.

    `spent` is what counts against each limit already. A request that costs nothing never exceeds
    one, even if that is exceeded already.
    """
    for limit in limits.limits_for(tag):
        if usd and spent[limit] + usd > limit.usd:
            raise BudgetExceeded(
                f"{limit}, would be exceeded: {dollars(spent[limit])} is spent or in "
                f"flight, and this request may cost {dollars(usd)}; it was not sent",
                hint=f"the next {limit.period} begins at {_next_start(limit, limits.zone)}",
            )


def _next_start(limit: Limit, zone: Zone) -> str:
    """Return when the next period of `limit` begins, in UTC, such as `2026-11-25T00:00Z`."""
    today = zone.today()
    by_day = limit.period == "day"
    following = today + timedelta(days=1) if by_day else calendar.next_month(today)
    return zone.start_of(following).strftime("%Y-%m-%dT%H:%MZ")


class Exclusive:
    """The lock that keeps all other runs from reading the budget.

    Under it a run reads what is left of the budget and records its own request. Without it two runs
    could both take the last cent.
    """

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._path = ledger.folder(environment) / ".lock"
        self._descriptor: int | None = None
        self._opened_as: os.stat_result | None = None

    def _is_open(self) -> bool:
        """Return whether the file is open, and nobody has removed it since."""
        if self._descriptor is None or self._opened_as is None:
            return False
        if is_still_at(self._opened_as, self._path):
            return True
        os.close(self._descriptor)
        self._descriptor = None
        return False

    @contextmanager
    def held(self, patience: float) -> Iterator[None]:
        """Hold the lock until the block ends.

        Raises LockHeld if another run holds it for `patience` seconds, WriteError if there can be
        no lock, ConfigError if the directory of the ledger is open to other users.
        """
        try:
            if not self._is_open():
                private_dirs.check_private(self._environment.state_directory)
                private_dirs.make_private(self._path.parent)
                # It stays open, and the file stays: if it were removed, two runs could hold locks
                # on two files of the same name.
                flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
                self._descriptor = os.open(self._path, flags, 0o600)
                self._opened_as = os.fstat(self._descriptor)
            assert self._descriptor is not None
            self._take(self._descriptor, patience)
        except TimeoutError:
            problem = f"another run holds {self._path}, so the budget cannot be kept"
            hint = "nothing was sent; try again when it has ended"
            raise LockHeld(problem, hint=hint) from None
        except OSError as error:
            problem = f"a budget needs the ledger, but cannot lock {self._path}: {error.strerror}"
            raise WriteError(problem) from None
        try:
            yield
        finally:
            unlock(self._descriptor)

    def _take(self, descriptor: int, patience: float) -> None:
        try:
            lock(descriptor, patience=0)
        except TimeoutError:
            with self._environment.waiting_for("another run that holds the budget") as wait:
                lock(descriptor, patience, wait.remind)
