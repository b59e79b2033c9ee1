"""The days and months by which the ledger is filed, and those by which budgets count.

A file of the ledger is for a month of UTC. Budgets and reports count by the days of a time zone.
"""

import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache

from llmcli.errors import ConfigError
from llmcli.system.dataclass import dataclass

# How the ledger writes a time, and how many characters of that give the minute.
_FORM = "%Y-%m-%dT%H:%M:%SZ"
_TO_THE_MINUTE = 16


@dataclass(frozen=True)
class Zone:
    """A time zone. `name` is its name in the time zone database, such as `Europe/Berlin`."""

    name: str
    info: tzinfo

    def day_of(self, moment: str) -> str:
        """Return the day of a UTC `moment`: `2026-11-24` of such as `2026-11-24T04:10:00Z`."""
        return moment[:10] if self.info is UTC else _day_of(moment[:_TO_THE_MINUTE], self.info)

    def today(self) -> date:
        """Return the current day in this zone."""
        return datetime.fromtimestamp(time.time(), self.info).date()

    def start_of(self, day: date) -> datetime:
        """Return the first moment of `day` in this zone, as a time in UTC."""
        return datetime(day.year, day.month, day.day, tzinfo=self.info).astimezone(UTC)


# Cached, as strptime is slow and a ledger has many lines of the same minute. The seconds do not
# matter: a zone changes its offset at whole minutes.
@lru_cache(maxsize=4096)
def _day_of(minute: str, info: tzinfo) -> str:
    """Return the day in the zone `info` of a UTC minute such as `2026-11-24T04:10`.

    What is not a time, in a line that somebody else wrote, is taken to begin with its day.
    """
    try:
        moment = datetime.strptime(f"{minute}:00Z", _FORM).replace(tzinfo=UTC)
    except ValueError:
        return minute[:10]
    return moment.astimezone(info).date().isoformat()


def zone(name: str) -> Zone:
    """Return the time zone `name` of the system's time zone database, such as `Europe/Berlin`.

    Raises ConfigError if the database does not have it.
    """
    if name == "UTC":
        return Zone(name, UTC)
    from zoneinfo import ZoneInfo  # noqa: PLC0415  # loaded only for a zone other than UTC

    try:
        return Zone(name, ZoneInfo(name))
    except (OSError, ValueError, KeyError):
        problem = f"budget.timezone {name!r} is not in the time zone database of this system"
        raise ConfigError(problem, hint="such as Europe/Berlin") from None


def months(first: date, last: date) -> Iterator[str]:
    """Return the months, such as `2026-11`, whose files may have the days `first` to `last`.

    The files are for months of UTC, and a day of another zone reaches into the UTC day before or
    after it. So the months of one day more at each end are returned.
    """
    day, end = first - timedelta(days=1), last + timedelta(days=1)
    while (day.year, day.month) <= (end.year, end.month):
        yield f"{day.year:04}-{day.month:02}"
        day = next_month(day)


def next_month(day: date) -> date:
    """Return the first day of the month after that of `day`."""
    # 32 days after the first of a month lie in the next month, whatever its length.
    return (day.replace(day=1) + timedelta(days=32)).replace(day=1)
