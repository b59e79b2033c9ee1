"""The command `usage`: what was spent, as the ledger has it."""

import csv
import io
import re
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any

import typer

from llmcli.api.reply.cost import dollars
from llmcli.config import file
from llmcli.errors import NoInput, UsageError
from llmcli.output import table
from llmcli.output.json import print_json
from llmcli.spending import budget, calendar, ledger
from llmcli.spending.calendar import Zone
from llmcli.spending.sums import summary
from llmcli.spending.sums.summary import KEYS, Sum
from llmcli.system.environment import Environment
from llmcli.system.stdio import STDOUT, write_all

# Characters of the longest bar of the table.
_LONGEST_BAR = 20
# Days that are summed where --since is not given.
_DAYS = 30
# Years in which every sum of days stays within the dates of Python, which end in 9999.
_FIRST_YEAR, _LAST_YEAR = 1970, 9000
# The columns of --csv, and what the table calls them.
_COLUMNS = ("requests", "failed", "tokens_in", "tokens_out", "usd", "unknown_cost", "unsettled")
_HEADING = ("requests", "failed", "in", "out", "cost", "unknown", "unsettled")


class By(StrEnum):
    """The values of --by: what requests of one row have in common."""

    day = "day"
    week = "week"
    month = "month"
    model = "model"
    tag = "tag"
    session = "session"
    profile = "profile"
    command = "command"


def usage(
    context: typer.Context,
    since: Annotated[
        str | None, typer.Option("--since", metavar="DAY", help="2026-11-24, 2026-11, 7d. [30d]")
    ] = None,
    until: Annotated[
        str | None, typer.Option("--until", metavar="DAY", help="The last day. [today]")
    ] = None,
    by: Annotated[
        By, typer.Option("--by", metavar="UNIT", help=f"What to sum by: {', '.join(By)}.")
    ] = By.day,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="As CSV with a heading.")] = False,
) -> None:
    """Print what was spent, summed by day, model, tag and the like.

    Requests of unknown cost are counted apart. A request whose run was killed before its cost was
    known is `unsettled` and counts at its estimate. Days are those of budget.timezone, else UTC.

    \b
    Examples:
      llmcli usage
      llmcli usage --since 2026-11 --by tag
      llmcli usage --since 7d --by model --json | jq .total.usd
    """
    environment: Environment = context.obj.environment
    if as_json and as_csv:
        raise UsageError("--json and --csv exclude each other")
    settings = file.resolve(environment, {}, None)
    environment.start_deadline(settings.deadline)
    zone = budget.zone_of(settings.budget, settings.source("budget"))
    last = _day(until, zone, "--until", last=True) if until is not None else zone.today()
    first = _day(since, zone, "--since") if since is not None else last - timedelta(days=_DAYS - 1)
    if first > last:
        raise UsageError(f"--since {first} is after --until {last}")
    sums = _sums(environment, zone, first, last, by)
    total = Sum()
    for group in sums.values():
        total.add(group)
    if as_json:
        rows = [{by.value: name, **_object(group)} for name, group in sums.items()]
        period = {"since": first.isoformat(), "until": last.isoformat(), "timezone": zone.name}
        whole = {**period, "by": by.value, "rows": rows, "total": _object(total)}
        print_json(whole)
    elif as_csv:
        write_all(STDOUT, _csv(by, sums))
    elif not sums:
        environment.note(f"nothing recorded from {first} to {last}")
    else:
        _show_table(environment, by, sums, total)


def _day(text: str, zone: Zone, option: str, *, last: bool = False) -> date:
    """Return the day that `text` names as the value of `option`.

    It may be `today`; a date such as 2026-11-24; a month such as 2026-11, which means its first
    day, or its last one if `last`; or `7d`, which means the first of seven days that end today.
    Raises UsageError for anything else.
    """
    if text == "today":
        return zone.today()
    if back := re.fullmatch(r"(\d{1,4})d", text):
        return zone.today() - timedelta(days=max(int(back[1]) - 1, 0))
    try:
        is_month = re.fullmatch(r"\d{4}-\d\d", text)
        day = date.fromisoformat(f"{text}-01" if is_month else text)
        if not _FIRST_YEAR <= day.year <= _LAST_YEAR:
            raise ValueError(text)
    except ValueError:
        hint = "such as 2026-11-24 or 7d"
        raise UsageError(f"{option} {text!r} is not a valid day", hint=hint) from None
    # The 32nd day counted from the first of a month is always in the next month.
    next_month = (day.replace(day=1) + timedelta(days=31)).replace(day=1)
    return next_month - timedelta(days=1) if is_month and last else day


def _sums(environment: Environment, zone: Zone, first: date, last: date, by: By) -> dict[str, Sum]:
    """Return the sums of the days from `first` to `last`, by the name of each group.

    Groups of days, weeks and months are in the order of time, all others by cost, highest first.
    Raises NoInput where the ledger cannot be read.
    """
    sums: dict[str, Sum] = {}
    for month in calendar.months(first, last):
        path = ledger.file(environment, month)
        try:
            rollup = summary.of_file(path, zone.day_of, zone.name)
        except OSError as error:
            raise NoInput(f"cannot read the ledger {path}: {error.strerror}") from None
        if rollup.damaged:
            environment.say_once(ledger.damaged(path))
        of_sessions = by is By.session
        parts: Iterator[tuple[tuple[str | None, ...], Sum]] = (
            rollup.sums_of_sessions(zone.day_of) if of_sessions else rollup.all_sums(zone.day_of)
        )
        for key, part in parts:
            if first.isoformat() <= str(key[0]) <= last.isoformat():
                group = (key[1] or "-") if of_sessions else _group_of(key, by)
                sums.setdefault(group, Sum()).add(part)
    if by in (By.day, By.week, By.month):
        return dict(sorted(sums.items()))
    return dict(sorted(sums.items(), key=lambda item: (-item[1].usd, item[0])))


def _group_of(key: summary.Key, by: By) -> str:
    """Return the name of the group of `key`: a week is named by its Monday, nothing by a dash."""
    day = str(key[0])
    if by is By.month:
        return day[:7]
    if by is By.week:
        monday = date.fromisoformat(day)
        return (monday - timedelta(days=monday.weekday())).isoformat()
    value = key[KEYS.index(by.value)]
    return "-" if value is None else str(value)


def _object(group: Sum) -> dict[str, Any]:
    """Return the sum as --json shows it."""
    return {
        "requests": group.requests,
        "failed": group.failed,
        "tokens_in": group.prompt,
        "tokens_cached": group.cached,
        "tokens_out": group.completion,
        "usd": float(group.usd),
        "usd_estimated": float(group.estimated),
        "unknown_cost": group.unknown,
        "unsettled": group.unsettled,
    }


def _csv(by: By, sums: dict[str, Sum]) -> bytes:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([by.value, *_COLUMNS])
    for name, group in sums.items():
        # A float would show small amounts as 1e-07.
        cells = {**_object(group), "usd": f"{group.usd:f}"}
        writer.writerow([name, *(cells[column] for column in _COLUMNS)])
    return out.getvalue().encode(errors="replace")


def _show_table(environment: Environment, by: By, sums: dict[str, Sum], total: Sum) -> None:
    """Print the table; in a pipe without total and bars, as a script would sum them as well."""
    most = max((group.usd for group in sums.values()), default=Decimal(0))
    rows = [[name, *_cells(group)] for name, group in sums.items()]
    if environment.is_terminal(STDOUT):
        bars = [_bar(group.usd, most) for group in sums.values()]
        rows = [[*row, bar] for row, bar in zip(rows, bars, strict=True)]
        rows.append(["total", *_cells(total), ""])
    table.show_table(environment, [by.value, *_HEADING, ""], rows, "rfiocu", bars=True)


def _cells(group: Sum) -> list[str]:
    about = "about " if group.estimated else ""
    counts = [group.requests, group.failed, group.prompt, group.completion]
    cost = f"{about}{dollars(group.usd)}"
    return [*map(str, counts), cost, str(group.unknown), str(group.unsettled)]


def _bar(usd: Decimal, most: Decimal) -> str:
    return "█" * int(usd / most * _LONGEST_BAR) if most else ""
