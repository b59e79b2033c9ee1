"""What counts against a budget: read once, then only what is new, by any number of runs."""

import fcntl
import json
import os
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from llmcli.api.reply.cost import Cost
from llmcli.api.reply.usage import Tokens
from llmcli.errors import BudgetExceeded
from llmcli.spending.budget import Budget, Limit, parse_budget
from llmcli.spending.ledger import Labels, Ledger, Settlement
from llmcli.spending.sums.spent import Spent
from llmcli.system.environment import Environment
from tests.support.echo import Echo, lines
from tests.support.money import PRICES, Config
from tests.support.program import Run, one_line

DAY = Limit("day", Decimal(100))
MONTH = Limit("month", Decimal(100))
NIGHTLY = Limit("day", Decimal(100), "nightly")


@pytest.fixture
def environment(home: Path) -> Environment:
    return Environment({"HOME": str(home)})


def limits() -> Budget:
    table = {"day": 100, "month": 100, "tag": {"nightly": {"day": 100}}}
    found = parse_budget(table, "here")
    assert found
    return found


def path_of(environment: Environment) -> Path:
    path = environment.state_directory / "ledger" / f"{datetime.now(UTC):%Y-%m}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    environment.state_directory.chmod(0o700)
    return path


def line(number: int, event: str, usd: float, tag: str | None = None) -> bytes:
    name = "estimate_usd" if event == "intent" else "cost_usd"
    moment = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
    record = {"id": f"{number:016x}", "event": event, "time": moment, "tag": tag, name: usd}
    return json.dumps(record).encode() + b"\n"


def append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


def test_new_lines_are_added_and_an_estimate_is_replaced(environment: Environment) -> None:
    path, spent = path_of(environment), Spent(environment, limits())
    assert spent.sums() == {DAY: 0, MONTH: 0, NIGHTLY: 0}
    append(path, line(1, "intent", 5) + line(2, "settled", 1, "nightly"))
    assert spent.sums() == {DAY: 6, MONTH: 6, NIGHTLY: 1}
    append(path, line(1, "settled", 2) + line(3, "intent", 4, "nightly")[:30])
    assert spent.sums() == {DAY: 3, MONTH: 3, NIGHTLY: 1}
    append(path, line(3, "intent", 4, "nightly")[30:])
    assert spent.sums() == {DAY: 7, MONTH: 7, NIGHTLY: 5}
    assert spent.sums() == Spent(environment, limits()).sums()


def test_a_ledger_that_was_replaced_is_read_anew(environment: Environment) -> None:
    path, spent = path_of(environment), Spent(environment, limits())
    append(path, line(1, "settled", 5) * 4)
    assert spent.sums()[DAY] == 20
    other = path.with_suffix(".other")
    append(other, line(1, "settled", 7) * 4)
    os.replace(other, path)
    assert spent.sums()[DAY] == 28
    path.write_bytes(line(1, "settled", 1))
    assert spent.sums()[DAY] == 1
    path.unlink()
    assert spent.sums()[DAY] == 0


def test_only_what_is_new_is_read(
    environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, spent = path_of(environment), Spent(environment, limits())
    append(path, b"".join(line(n, "settled", 0.01) for n in range(2000)))
    assert spent.sums()[DAY] == 20
    monkeypatch.setattr("llmcli.spending.sums.spent_file.open_regular", None)
    append(path, line(1, "settled", 5))
    assert spent.sums()[DAY] == 25


def test_what_the_ledger_writes_is_what_counts(environment: Environment) -> None:
    ledger, spent = Ledger(environment), Spent(environment, limits())
    labels = Labels("m", None, None, "map", "nightly", "a session")
    intents = [ledger.begin(labels, Cost(Decimal("0.5"), None)) for _ in range(3)]
    assert spent.sums()[NIGHTLY] == Decimal("1.5")
    settled = Settlement("ok", 200, None, Tokens.of(None), Cost(Decimal("0.1"), "cost"), 1.0)
    ledger.settle(intents[0], settled)
    assert spent.sums() == {DAY: Decimal("1.1"), MONTH: Decimal("1.1"), NIGHTLY: Decimal("1.1")}


def test_sessions_do_not_multiply_the_sums(run: Run, environment: Environment) -> None:
    path = path_of(environment)
    for n in range(3000):
        record = json.loads(line(n, "settled", 0.01))
        append(path, json.dumps({**record, "session": f"s{n}" if n % 3 else None}).encode() + b"\n")
    assert json.loads(run("usage", "--json").stdout)["total"]["usd"] == 30
    checkpoint = json.loads(path.with_suffix(".sums.json").read_bytes())
    assert len(checkpoint["sums"]) <= 2  # midnight may have passed
    rows = json.loads(run("usage", "--by", "session", "--json").stdout)["rows"]
    assert len(rows) == 2001
    assert next(row for row in rows if row["session"] == "-")["requests"] == 1000


@pytest.mark.slow
def test_a_lock_that_is_not_had_is_later(
    run: Run, echo: Echo, config: Config, environment: Environment
) -> None:
    """Another run holds it and does not go on, as it is stopped."""
    config(f"{PRICES}budget.day = 1")
    lock = path_of(environment).with_name(".lock")
    with lock.open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        for words in (["ask", "hi"], ["map", "-j", "4", "{}"]):
            done = run(*words, "--max-tokens", "10", input=lines(50))
            assert done.returncode == 75
            assert "another run holds" in one_line(done.stderr)
    assert not echo.bodies


def test_a_budget_holds_for_all_threads_of_a_run(run: Run, echo: Echo, config: Config) -> None:
    config(f"{PRICES}budget.day = 0.05")
    echo.reply = lambda _text: "x"
    done = run("map", "-j", "8", "--max-tokens", "1000", "{}", input=lines(100))
    assert done.returncode == 84
    assert 1 <= len(echo.bodies) < 50


@pytest.mark.parametrize("change", ["torn", {"version": 0}, {"zone": "x"}, {"sums": [["d", 1]]}])
def test_a_checkpoint_that_does_not_fit_is_made_anew(environment: Environment, change: Any) -> None:
    path = path_of(environment)
    append(path, b"".join(line(n, "settled", 0.01) for n in range(2000)) + line(1, "intent", 3))
    assert Spent(environment, limits()).sums()[DAY] == 23
    checkpoint = path.with_suffix(".spent.json")
    kept = json.loads(checkpoint.read_bytes())
    assert checkpoint.stat().st_mode & 0o077 == 0 and len(kept["open"]) == 1
    checkpoint.write_text(change if isinstance(change, str) else json.dumps({**kept, **change}))
    append(path, line(1, "settled", 1))
    assert Spent(environment, limits()).sums()[DAY] == 21
    # The lines of the checkpoint are not read again: what was an amount is not one any more.
    data = path.read_bytes()
    checkpoint.write_text(json.dumps(kept))
    path.write_bytes(data.replace(b"0.01", b"9999", 1))
    assert Spent(environment, limits()).sums()[DAY] == 21


def test_a_cost_counts_before_it_is_written(environment: Environment) -> None:
    ledger = Ledger(environment, lazily=True)
    spent, other = Spent(environment, limits()), Spent(environment, limits())
    labels, most = Labels("m", None, None, "map", "nightly", None), Cost(Decimal(40), None)
    intents = [spent.begin(ledger, labels, most) for _ in range(2)]
    with pytest.raises(BudgetExceeded):
        spent.begin(ledger, labels, most)
    assert spent.sums()[NIGHTLY] == other.sums()[NIGHTLY] == 80
    spent.settle(intents[0], Cost(Decimal(1), "cost"))
    assert spent.sums() == {DAY: 41, MONTH: 41, NIGHTLY: 41}
    append(path_of(environment), line(7, "settled", 2))
    assert spent.sums() == {DAY: 43, MONTH: 43, NIGHTLY: 41}
    ledger.settle(intents[0], Settlement("ok", 200, None, Tokens.of(None), Cost(Decimal(1)), 1.0))
    ledger.finish()
    intents.append(spent.begin(ledger, labels, most))
    assert spent.sums() == other.sums() == Spent(environment, limits()).sums()
    assert spent.sums() == {DAY: 83, MONTH: 83, NIGHTLY: 81}


def test_the_requests_of_many_threads_keep_the_budget(environment: Environment) -> None:
    ledger, spent = Ledger(environment), Spent(environment, limits())
    labels, most = Labels("m", None, None, "map", None, None), Cost(Decimal(1), None)

    def begin(_number: int) -> bool:
        try:
            spent.begin(ledger, labels, most)
        except BudgetExceeded:
            return False
        return True

    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(begin, range(160))) == 100
    assert spent.sums()[DAY] == 100
    written = path_of(environment).read_bytes().splitlines()
    assert len({json.loads(text)["id"] for text in written}) == len(written) == 100


def test_a_new_day_reads_nothing_again(
    environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, spent = path_of(environment), Spent(environment, limits())
    append(path, line(1, "settled", 5))
    assert spent.sums()[MONTH] == 5
    monkeypatch.setattr("llmcli.spending.sums.spent_file.open_regular", None)
    today = datetime.now(UTC).date()
    other = today.replace(day=15 if today.day != 15 else 16)
    monkeypatch.setattr("llmcli.spending.calendar.Zone.today", lambda _zone: other)
    assert spent.sums() == {DAY: 0, MONTH: 5, NIGHTLY: 0}
