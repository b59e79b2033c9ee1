"""The ledger under a kill at any moment, and under many processes at once."""

import json
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.endpoint import USAGE, Script, Server, answer
from tests.support.money import PRICED, records
from tests.support.program import PROGRAM, Run, one_line

Endpoint = Callable[[Script], Server]
# Processes at once.
MANY = 20


def test_many_processes_lose_no_line(
    run: Run, endpoint: Endpoint, env: dict[str, str], home: Path
) -> None:
    endpoint(answer("x", usage=USAGE))
    running = [
        subprocess.Popen(
            [PROGRAM, "ask", "-n", "-q", "--tag", f"t{number}", "hi"],
            env=env,
            stdout=subprocess.DEVNULL,
        )
        for number in range(MANY)
    ]
    assert [process.wait(120) for process in running] == [0] * MANY
    assert sorted(r["tag"] for r in records(home)) == sorted(f"t{n}" for n in range(MANY))
    assert len(records(home, "intent")) == MANY
    assert json.loads(run("usage", "--json").stdout)["total"]["usd"] == pytest.approx(
        MANY * 0.00123
    )


def test_a_cut_line_at_the_end_is_repaired(run: Run, endpoint: Endpoint, home: Path) -> None:
    endpoint(answer("x", usage=USAGE))
    run("ask", "hi")
    (path,) = (home / ".local/state/llmcli/ledger").glob("*.jsonl")
    with path.open("a") as file:
        file.write('{"id": "0123456789abcdef", "event": "set')
    assert json.loads(run("usage", "--json").stdout)["total"]["requests"] == 1
    run("ask", "hi")
    assert len(records(home)) == 2
    assert one_line(run("usage").stdout).split("\t")[1] == "2"


@pytest.mark.parametrize("part", [-1, 1, 60, 10_000_000], ids=["none", "a byte", "some", "all"])
def test_a_kill_at_any_write_leaves_a_ledger_that_reads(
    run: Run,
    endpoint: Endpoint,
    home: Path,
    config: Callable[[str], Path],
    killed_at: Run,
    part: int,
) -> None:
    """What was sent counts: at its cost, or, where that could not be written, at its estimate."""
    config(f"{PRICED}\nbudget.month = 1")
    server = endpoint(answer("x", usage={"cost": 0.0001}))
    at = counted = 0
    while True:
        at += 1
        sent = len(server.requests)
        done = killed_at(at, part, "--max-tokens", "1000", "hi")
        total = json.loads(run("usage", "--json").stdout)["total"]
        new = total["requests"] - counted
        assert new in (0, 1) and new >= len(server.requests) - sent
        counted = total["requests"]
        assert total["usd"] >= 0.0001 * len(server.requests)
        if done.returncode != -signal.SIGKILL:
            break
    assert done.returncode == 0, done.stderr
    assert at > (4 if part < 0 else 2)  # it was killed at all
