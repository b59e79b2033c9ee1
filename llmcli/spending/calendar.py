"""Days and months of the ledger: files are of UTC months, budgets and reports of a time zone's."""

import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache

from llmcli.errors import ConfigError
from llmcli.system.dataclass import dataclass

_FORM = "%Y-%m-%dT%H:%M:%SZ"
_MINUTE = 16


@dataclass(frozen=True)
class Zone:
    """A time zone by its name in the tz database."""

    name: str
    info: tzinfo

    def day_of(self, moment: str) -> str:
        """The day, `2026-11-24`, of a moment such as `2026-11-24T04:10:00Z`."""
        return moment[:10] if self.info is UTC else _day_of(moment[:_MINUTE], self.info)

    def today(self) -> date:
        return datetime.fromtimestamp(time.time(), self.info).date()

    def begins(self, day: date) -> datetime:
        """The first moment of `day`, in UTC."""
        return datetime(day.year, day.month, day.day, tzinfo=self.info).astimezone(UTC)


@lru_cache(maxsize=4096)
def _day_of(minute: str, info: tzinfo) -> str:
    try:
        moment = datetime.strptime(f"{minute}:00Z", _FORM).replace(tzinfo=UTC)
    except ValueError:
        return minute[:10]
    return moment.astimezone(info).date().isoformat()


def zone(name: str) -> Zone:
    """Raises ConfigError for one that is not in the system's tz database."""
    if name == "UTC":
        return Zone(name, UTC)
    from zoneinfo import ZoneInfo

    try:
        return Zone(name, ZoneInfo(name))
    except (OSError, ValueError, KeyError):
        hint = "such as Europe/Berlin, from the system's tz database"
        raise ConfigError(f"budget.timezone {name!r} is not known", hint=hint) from None


def months(first: date, last: date) -> Iterator[str]:
    """The months, `2026-11`, whose ledgers have the days from `first` to `last` of any zone."""
    day, end = first - timedelta(days=1), last + timedelta(days=1)
    while (day.year, day.month) <= (end.year, end.month):
        yield f"{day.year:04}-{day.month:02}"
        day = (day.replace(day=1) + timedelta(days=32)).replace(day=1)
