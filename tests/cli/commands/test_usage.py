"""What was spent: sums by day, model, tag; a month of a cron job; a million lines' checkpoint."""

import csv
import json
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.support.endpoint import Request, Script, Server, Wire, answer
from tests.support.program import PROGRAM, Run, one_line
from tests.support.terminals import on_a_terminal, read_all

Endpoint = Callable[[Script], Server]
Config = Callable[[str], Path]


def test_a_month_of_a_cron_job(
    run: Run, endpoint: Endpoint, at: Callable[[datetime], dict[str, str]]
) -> None:
    """Two jobs a day, some failing; the report agrees with the server's own sum."""
    billed: list[tuple[str, Decimal]] = []

    def script(wire: Wire, request: Request) -> None:
        number = len(billed)
        cost = Decimal(number * 7 + 3) / 100_000
        if number % 9 == 8:
            billed.append((request.json["model"], Decimal(0)))
            wire.json({"error": {"message": "out of credits"}}, "402 X")
            return
        billed.append((request.json["model"], cost))
        usage = {"prompt_tokens": 10, "completion_tokens": 2, "cost": float(cost)}
        answer("x", usage=usage)(wire, request)

    endpoint(script)
    begin = datetime(2027, 2, 1, 6, 0, tzinfo=UTC)
    for day in range(28):
        for hour, model in ((0, "small"), (12, "big")):
            clock = at(begin + timedelta(days=day, hours=hour))
            run("ask", "-q", "-m", model, "--tag", "cron", "hi", env=clock)
    month = ("--since", "2027-02", "--until", "2027-02", "--json")
    whole = json.loads(run("usage", *month).stdout)
    assert Decimal(str(whole["total"]["usd"])) == sum(cost for _, cost in billed)
    assert (whole["total"]["requests"], whole["total"]["failed"]) == (56, 6)
    assert [row["day"] for row in whole["rows"]] == [f"2027-02-{n:02}" for n in range(1, 29)]
    for row, (one, other) in zip(
        whole["rows"], zip(billed[::2], billed[1::2], strict=True), strict=True
    ):
        assert Decimal(str(row["usd"])) == one[1] + other[1]
    models = json.loads(run("usage", *month, "--by", "model").stdout)["rows"]
    assert {row["model"]: Decimal(str(row["usd"])) for row in models} == {
        name: sum(cost for model, cost in billed if model == name) for name in ("small", "big")
    }
    weeks = json.loads(run("usage", *month, "--by", "week").stdout)["rows"]
    assert [row["week"] for row in weeks] == [f"2027-02-{n:02}" for n in (1, 8, 15, 22)]
    tags = json.loads(run("usage", *month, "--by", "tag").stdout)["rows"]
    assert [(row["tag"], row["requests"]) for row in tags] == [("cron", 56)]


def write(home: Path, month: str, lines: list[dict[str, Any]]) -> Path:
    path = home / f".local/state/llmcli/ledger/{month}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    (home / ".local/state/llmcli").chmod(0o700)
    with path.open("a") as file:
        for line in lines:
            file.write(json.dumps(line) + "\n")
    return path


def settled(moment: str, usd: float | None, **more: Any) -> dict[str, Any]:
    record = {"id": "x", "event": "settled", "time": moment, "exit": "ok", "cost_usd": usd}
    return {**record, "prompt_tokens": 1, "completion_tokens": 2, **more}


def rows(run: Run, *arguments: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(run("usage", "--json", *arguments).stdout)["rows"]
    return found


def test_days_are_those_of_the_time_zone(run: Run, home: Path, config: Config) -> None:
    write(home, "2026-10", [settled("2026-10-31T23:30:00Z", 1)])
    write(home, "2026-11", [settled("2026-11-01T00:30:00Z", 2), settled("2026-11-01T23:30:00Z", 4)])
    november = ("--since", "2026-11-01", "--until", "2026-11-30")
    assert [(r["day"], r["usd"]) for r in rows(run, *november)] == [("2026-11-01", 6.0)]
    config("budget = { timezone = 'Europe/Berlin' }")
    assert [(r["day"], r["usd"]) for r in rows(run, *november)] == [
        ("2026-11-01", 3.0),
        ("2026-11-02", 4.0),
    ]


def test_forms(run: Run, home: Path, env: dict[str, str]) -> None:
    lines = [
        settled("2026-11-02T10:00:00Z", 0.5, model="a,b", cost_source="estimated"),
        settled("2026-11-02T11:00:00Z", None, model="m", exit="auth"),
        {"time": "x"},
    ]
    write(home, "2026-11", lines)
    since = ("--since", "2026-11-01", "--until", "2026-11-05", "--by", "model")
    done = run("usage", *since, "--csv")
    assert list(csv.DictReader(done.stdout.decode().splitlines())) == [
        {
            **{"model": "a,b", "requests": "1", "failed": "0", "tokens_in": "1"},
            **{"tokens_out": "2", "usd": "0.5", "unknown_cost": "0", "unsettled": "0"},
        },
        {
            **{"model": "m", "requests": "1", "failed": "1", "tokens_in": "1"},
            **{"tokens_out": "2", "usd": "0", "unknown_cost": "1", "unsettled": "0"},
        },
    ]
    lines_of_table = run("usage", *since).stdout.decode().splitlines()
    assert lines_of_table[0].split("\t") == ["a,b", "1", "0", "1", "2", "about $0.50", "0", "0"]
    command = [PROGRAM, "usage", *since]
    with on_a_terminal(command, {**env, "COLUMNS": "120", "NO_COLOR": "1"}) as (process, terminal):
        shown = read_all(terminal).decode()
        assert process.wait(120) == 0
    assert "█" * 20 in shown and shown.splitlines()[-1].startswith("total")


@pytest.mark.parametrize("columns", ["80", "40"])
def test_a_narrow_terminal_has_no_bars_and_all_else(
    home: Path, env: dict[str, str], columns: str
) -> None:
    model = "anthropic/claude-sonnet-4.6"
    line = settled("2026-11-02T10:00:00Z", 0.25, model=model, cost_source="estimated")
    write(home, "2026-11", [line | {"prompt_tokens": 11484}])
    command = [PROGRAM, "usage", "--since", "2026-11-01", "--by", "model"]
    with on_a_terminal(command, {**env, "COLUMNS": columns}) as (_process, terminal):
        shown = read_all(terminal).decode()
    for words in (model, "requests", "11484", "about $0.25", "unsettled"):
        assert words in shown
    assert "█" not in shown


@pytest.mark.parametrize("value", ["yesterdayish", "2026-13", "2026-02-30", "-1d"])
def test_days_that_are_none(run: Run, value: str) -> None:
    done = run("usage", f"--since={value}")
    assert done.returncode == 2
    assert "is not a valid day; such as 2026-11-24 or 7d" in one_line(done.stderr)


def test_nothing_recorded(run: Run) -> None:
    done = run("usage")
    assert (done.returncode, done.stdout) == (0, b"")
    assert "nothing recorded from 2" in one_line(done.stderr)


def test_a_checkpoint_reads_each_line_once_and_is_never_believed_blindly(
    run: Run, home: Path
) -> None:
    many = [settled("2026-11-02T10:00:00Z", 0.25, model="m") for _ in range(2000)]
    path = write(home, "2026-11", many)
    november = ("--since", "2026-11", "--until", "2026-11")
    assert rows(run, *november)[0]["usd"] == 500
    checkpoint = path.with_suffix(".sums.json")
    kept = json.loads(checkpoint.read_text())
    assert kept["offset"] == path.stat().st_size
    assert checkpoint.stat().st_mode & 0o077 == 0
    write(home, "2026-11", many[:4])
    assert rows(run, *november)[0]["usd"] == 501
    # One that does not belong to this ledger, is torn or of another zone is made anew.
    path.write_text("".join(json.dumps({**r, "cost_usd": 1}) + "\n" for r in many))
    assert rows(run, *november)[0]["usd"] == 2000
    checkpoint.write_text("torn")
    assert rows(run, *november)[0]["usd"] == 2000


def test_files_are_of_their_owner_only(
    run: Run, endpoint: Endpoint, home: Path, env: dict[str, str]
) -> None:
    endpoint(answer("x"))
    subprocess.run(["sh", "-c", 'umask 0; "$0" ask -n hi', PROGRAM], env=env, check=True)
    for path in (home / ".local/state/llmcli").rglob("*"):
        assert path.stat().st_mode & 0o077 == 0
