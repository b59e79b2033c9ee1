"""The ledger of `map`, which many threads write to."""

import fcntl
import json
import random
import shutil
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from llmcli.api.reply.cost import UNKNOWN
from llmcli.api.reply.usage import Tokens
from llmcli.errors import WriteError
from llmcli.spending import ledger
from llmcli.system.environment import Environment
from llmcli.system.files import private_dirs
from llmcli.system.files.jsonl import Journal
from tests.support.echo import Echo, Handler, lines
from tests.support.mapping import (
    start,
)
from tests.support.money import records
from tests.support.program import Run


def test_usage_of_map_is_in_the_ledger(run: Run, echo: Echo) -> None:
    run("map", "--tag", "t", "{}", input=lines(10))
    report = json.loads(run("usage", "--by", "command", "--json").stdout)
    row = report["rows"][0] if "rows" in report else report[0]
    assert row["command"] == "map" and row["requests"] == 10


def test_a_folder_that_was_taken_away_is_made_again(run: Run, echo: Echo, home: Path) -> None:
    def fault(_handler: Handler, text: str, _number: int) -> None:
        if text == "r3":
            shutil.rmtree(home / ".local/state/llmcli")

    echo.fault = fault
    assert run("map", "-j", "1", "{}", input=lines(8)).returncode == 0
    assert len(records(home)) == 5


def test_a_ledger_that_is_busy_at_the_end_is_waited_for(
    echo: Echo, env: dict[str, str], home: Path, tmp_path: Path
) -> None:
    echo.hold()
    (tmp_path / "in").write_bytes(lines(2))
    process = start(env, tmp_path, "-j", "2")
    echo.wait_for(2)
    (ledger,) = (home / ".local/state/llmcli/ledger").glob("*.jsonl")
    with ledger.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        echo.release()
        time.sleep(0.6)  # it waits for 2 s at most
    process.communicate(timeout=120)
    assert process.returncode == 0
    assert len(records(home)) == 2


def test_threads_that_begin_a_ledger_together_lose_nothing(home: Path) -> None:
    """However long it takes to open it."""

    class Slow(Journal):
        def __init__(self, *given: Any) -> None:
            time.sleep(random.random() * 0.03)
            super().__init__(*given)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ledger, "Journal", Slow)
        kept = ledger.Ledger(Environment({"HOME": str(home)}), lazily=True)
        about = ledger.Labels("m", None, None, "map", None, None)
        settled = ledger.Settlement("ok", 200, None, Tokens(), UNKNOWN, 0.1)

        def ask() -> None:
            kept.settle(kept.begin(about, UNKNOWN), settled)

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        kept.finish()
    assert len(records(home)) == 8


def test_a_month_that_could_not_be_written_does_not_keep_back_the_next(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = ledger.Ledger(Environment({"HOME": str(home)}), lazily=True)
    about = ledger.Labels("m", None, None, "map", None, None)
    private_dirs.make_private(home / ".local/state/llmcli/ledger/2026-10.jsonl")
    monkeypatch.setattr("llmcli.spending.ledger.now", lambda: "2026-10-31T23:59:59Z")
    with pytest.raises(WriteError):
        kept.begin(about, UNKNOWN)
    monkeypatch.setattr("llmcli.spending.ledger.now", lambda: "2026-11-01T00:00:01Z")
    intent = kept.begin(about, UNKNOWN)
    kept.settle(intent, ledger.Settlement("ok", 200, None, Tokens(), UNKNOWN, 1.0))
    with pytest.raises(WriteError, match="2026-10"):
        kept.finish()
    november = home / ".local/state/llmcli/ledger/2026-11.jsonl"
    assert [json.loads(line)["event"] for line in november.open()] == ["intent", "settled"]
