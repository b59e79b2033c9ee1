"""What was spent, by the ledger."""

import csv
import io
import re
from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any

import typer

from llmcli.api.usage import dollars
from llmcli.config import file
from llmcli.errors import NoInput, UsageError
from llmcli.output import table
from llmcli.output.json import print_json
from llmcli.spending import budget, calendar, ledger, summary
from llmcli.spending.calendar import Zone
from llmcli.spending.summary import KEYS, Sum
from llmcli.system.environment import Environment
from llmcli.system.stdio import STDOUT, write_all

_BAR = 20
_DAYS = 30
_FIRST_YEAR, _LAST_YEAR = 1970, 9000
_COLUMNS = ("requests", "failed", "tokens_in", "tokens_out", "usd", "unknown_cost", "unsettled")
_HEADING = ("requests", "failed", "in", "out", "cost", "unknown", "unsettled")


class By(StrEnum):
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
    by: Annotated[By, typer.Option("--by", help="What to sum by.")] = By.day,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="As CSV with a heading.")] = False,
) -> None:
    """Print what was spent, summed by day, model, tag and the like.

    Requests of unknown cost are counted apart. A request that was never settled, as its run was
    killed, counts at its estimate. Days are those of budget.timezone, else UTC.

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
    zone = budget.zone_of(settings.budget, settings.source("budget"))
    last = _day(until, zone, "--until", last=True) if until is not None else zone.today()
    first = _day(since, zone, "--since") if since is not None else last - timedelta(days=_DAYS - 1)
    if first > last:
        raise UsageError(f"--since {first} is after --until {last}")
    sums = _sums(environment, zone, first, last, by)
    total = Sum()
    for one in sums.values():
        total.add(one)
    if as_json:
        rows = [{by.value: name, **_object(one)} for name, one in sums.items()]
        period = {"since": first.isoformat(), "until": last.isoformat(), "timezone": zone.name}
        whole = {**period, "by": by.value, "rows": rows, "total": _object(total)}
        print_json(whole)
    elif as_csv:
        write_all(STDOUT, _csv(by, sums))
    elif not sums:
        environment.note(f"nothing recorded from {first} to {last}")
    else:
        _show(environment, by, sums, total)


def _day(text: str, zone: Zone, option: str, last: bool = False) -> date:
    """A day, the first or last of a month, or so many days back, today being the first."""
    if text == "today":
        return zone.today()
    if back := re.fullmatch(r"(\d{1,4})d", text):
        return zone.today() - timedelta(days=max(int(back[1]) - 1, 0))
    try:
        whole = re.fullmatch(r"\d{4}-\d\d", text)
        day = date.fromisoformat(f"{text}-01" if whole else text)
        if not _FIRST_YEAR <= day.year <= _LAST_YEAR:
            raise ValueError(text)
    except ValueError:
        raise UsageError(f"{option} {text!r} is no day", hint="such as 2026-11-24 or 7d") from None
    following = (day.replace(day=1) + timedelta(days=31)).replace(day=1)
    return following - timedelta(days=1) if whole and last else day


def _sums(environment: Environment, zone: Zone, first: date, last: date, by: By) -> dict[str, Sum]:
    """In the order of time, else the costliest first."""
    sums: dict[str, Sum] = {}
    for month in calendar.months(first, last):
        path = ledger.file(environment, month)
        try:
            found = summary.of_file(path, zone.day_of, zone.name)
        except OSError as error:
            raise NoInput(f"cannot read the ledger {path}: {error.strerror}") from None
        for key, one in found.all_sums(zone.day_of):
            if first.isoformat() <= str(key[0]) <= last.isoformat():
                sums.setdefault(_name(key, by), Sum()).add(one)
    if by in (By.day, By.week, By.month):
        return dict(sorted(sums.items()))
    return dict(sorted(sums.items(), key=lambda item: (-item[1].usd, item[0])))


def _name(key: summary.Key, by: By) -> str:
    day = str(key[0])
    if by is By.month:
        return day[:7]
    if by is By.week:
        monday = date.fromisoformat(day)
        return (monday - timedelta(days=monday.weekday())).isoformat()
    value = key[KEYS.index(by.value)]
    return "-" if value is None else str(value)


def _object(one: Sum) -> dict[str, Any]:
    return {
        "requests": one.requests,
        "failed": one.failed,
        "tokens_in": one.prompt,
        "tokens_cached": one.cached,
        "tokens_out": one.completion,
        "usd": float(one.usd),
        "usd_estimated": float(one.estimated),
        "unknown_cost": one.unknown,
        "unsettled": one.unsettled,
    }


def _csv(by: By, sums: dict[str, Sum]) -> bytes:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([by.value, *_COLUMNS])
    for name, one in sums.items():
        found = {**_object(one), "usd": f"{one.usd:f}"}
        writer.writerow([name, *(found[column] for column in _COLUMNS)])
    return out.getvalue().encode(errors="replace")


def _show(environment: Environment, by: By, sums: dict[str, Sum], total: Sum) -> None:
    most = max((one.usd for one in sums.values()), default=Decimal(0))
    terminal = environment.is_terminal(STDOUT)
    rows = [[name, *_cells(one)] for name, one in sums.items()]
    if terminal:  # a script sums by itself
        bars = [_bar(one.usd, most) for one in sums.values()]
        rows = [[*row, bar] for row, bar in zip(rows, bars, strict=True)]
        rows.append(["total", *_cells(total), ""])
    table.show_table(environment, [by.value, *_HEADING, ""], rows, "rfiocu", bars=True)


def _cells(one: Sum) -> list[str]:
    about = "about " if one.estimated else ""
    counts = [one.requests, one.failed, one.prompt, one.completion]
    cost = f"{about}{dollars(one.usd)}"
    return [*map(str, counts), cost, str(one.unknown), str(one.unsettled)]


def _bar(usd: Decimal, most: Decimal) -> str:
    return "█" * int(usd / most * _BAR) if most else ""
