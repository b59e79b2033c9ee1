"""Budgets: nothing is sent that could cost more than is left, however many runs there are."""

import json
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.endpoint import USAGE, Request, Script, Server, Wire, answer, calling
from tests.support.program import PROGRAM, Run, one_line
from tests.support.waiting import wait_until

Endpoint = Callable[[Script], Server]
Config = Callable[[str], Path]
# A token of input is 1 USD a million, one of output 10.
PRICES = 'prices = { "*" = { prompt = 1, completion = 10 } }\n'
CENT = answer("x", usage={"cost": 0.01})


def test_max_cost_of_a_run(run: Run, endpoint: Endpoint, config: Config) -> None:
    config(PRICES)
    server = endpoint(answer("x"))
    done = run("ask", "--max-cost", "0.009", "--max-tokens", "1000", "hi")
    assert done.returncode == 84
    assert "--max-cost $0.0090: this request may cost $0.010" in one_line(done.stderr)
    assert server.requests == []
    assert run("ask", "--max-cost", "0.02", "--max-tokens", "1000", "hi").returncode == 0
    done = run("ask", "--json", "--max-cost", "0.001", "--max-tokens", "1000", "hi")
    assert json.loads(done.stdout)["llmcli"]["kind"] == "budget"


def test_the_input_counts_by_its_bytes(run: Run, endpoint: Endpoint, config: Config) -> None:
    config(PRICES)
    server = endpoint(answer("x"))
    options = ("--max-tokens", "1", "--max-cost", "0.01")
    assert run("ask", *options, input=b"x" * 9_800).returncode == 0
    assert run("ask", *options, input=b"x" * 10_100).returncode == 84
    assert run("ask", *options, input="é".encode() * 5_050).returncode == 84
    assert len(server.requests) == 1


def test_what_has_no_bound_or_price_keeps_to_no_budget(
    run: Run, endpoint: Endpoint, config: Config
) -> None:
    server = endpoint(answer("x"))
    done = run("ask", "--max-cost", "1", "hi")
    assert done.returncode == 84
    assert "the price of m is not known" in one_line(done.stderr)
    config(PRICES)
    done = run("ask", "--max-cost", "1", "hi")
    assert done.returncode == 84
    assert "the answer has no bound" in one_line(done.stderr)
    assert "give --max-tokens" in one_line(done.stderr)
    assert server.requests == []
    for value in ("-1", "nan", "inf"):
        assert run("ask", "--max-cost", value, "hi").returncode == 2


def test_what_costs_nothing_needs_no_bound(run: Run, endpoint: Endpoint, config: Config) -> None:
    endpoint(answer("x"))
    config("prices.m = { prompt = 0, completion = 0 }\nbudget = { day = 1 }")
    assert run("ask", "hi").returncode == 0
    assert run("map", "{}", "--max-cost", "0.01", input=b"hi\n").returncode == 0
    config("prices.m = { prompt = 50000, completion = 0 }\nbudget = { day = 1 }")
    assert run("ask", "hi").returncode == 84


def test_between_turns_of_tools(run: Run, endpoint: Endpoint, config: Config, tools: Any) -> None:
    config(PRICES)
    server = endpoint(calling(("c1", "weather", {"city": "Oslo"}), usage={"cost": 0.04}))
    limits = ("--max-cost", "0.1", "--max-tokens", "3000")
    done = run("ask", "-q", *tools(weather="echo"), *limits, "hi")
    assert done.returncode == 84
    assert "$0.080 is spent" in one_line(done.stderr)
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    ("budget", "tag", "sent"),
    [
        ("day = 0.035", None, 3),
        ("month = 0.025", None, 2),
        ("tag.nightly.day = 0.015", "nightly", 1),
        ("tag.nightly.day = 0.015", "other", 4),
        ("tag.nightly.day = 0.015\nmonth = 0.025", "other", 2),
    ],
)
def test_a_budget_over_runs(
    run: Run, endpoint: Endpoint, config: Config, budget: str, tag: str | None, sent: int
) -> None:
    config(f"{PRICES}[budget]\n{budget}")
    server = endpoint(CENT)
    codes = [
        run("ask", "--max-tokens", "1000", *(["--tag", tag] if tag else []), "hi").returncode
        for _ in range(4)
    ]
    assert codes == [0] * sent + [84] * (4 - sent)
    assert len(server.requests) == sent


def test_the_message_says_what_is_spent_and_until_when(
    run: Run, endpoint: Endpoint, config: Config
) -> None:
    config(f"{PRICES}budget.day = 0.015")
    endpoint(CENT)
    run("ask", "--max-tokens", "1000", "hi")
    line = one_line(run("ask", "--max-tokens", "1000", "hi").stderr)
    assert "the budget, $0.015 a day, would be exceeded: $0.010 is spent or in flight" in line
    assert "it was not sent; it begins anew at 2" in line and line.endswith("T00:00Z")


def test_two_runs_cannot_both_take_the_last_cent(
    endpoint: Endpoint, env: dict[str, str], config: Config
) -> None:
    config(f"{PRICES}budget.day = 0.0109")

    others_ended = threading.Event()

    def slow(wire: Wire, request: Request) -> None:
        assert others_ended.wait(120)
        CENT(wire, request)

    server = endpoint(slow)
    command = [PROGRAM, "ask", "-n", "-q", "--max-tokens", "1000", "hi"]
    running = [subprocess.Popen(command, env=env, stderr=subprocess.DEVNULL) for _ in range(12)]
    wait_until(lambda: sum(process.poll() is not None for process in running) >= 11)
    others_ended.set()
    assert sorted(process.wait(120) for process in running) == [0] + [84] * 11
    assert len(server.requests) == 1


def test_a_killed_run_counts_at_its_estimate(
    run: Run, endpoint: Endpoint, env: dict[str, str], config: Config
) -> None:
    config(f"{PRICES}budget.day = 0.019")

    def endless(wire: Wire, _request: Request) -> None:
        wire.head()
        wire.text("some")
        wire.receive()

    server = endpoint(endless)
    command = [PROGRAM, "ask", "-n", "--max-tokens", "1000", "hi"]
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE) as process:
        assert process.stdout and process.stdout.read(4) == b"some"
        process.kill()
    server.script = CENT
    assert run("ask", "--max-tokens", "1000", "hi").returncode == 84
    assert run("ask", "--max-tokens", "500", "hi").returncode == 0


def test_a_budget_needs_the_ledger(
    run: Run, endpoint: Endpoint, config: Config, env: dict[str, str]
) -> None:
    config(f"{PRICES}budget.day = 1")
    server = endpoint(CENT)
    done = run("ask", "--max-tokens", "10", "--no-ledger", "hi")
    assert done.returncode == 78
    assert "a budget holds, and it needs the ledger" in one_line(done.stderr)
    env["XDG_STATE_HOME"] = "/proc/nothing"
    done = run("ask", "--max-tokens", "10", "hi")
    assert done.returncode == 74
    assert "a budget needs the ledger" in one_line(done.stderr)
    assert server.requests == []


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("budget.dya = 1", "budget cannot hold dya = 1"),
        ("budget.day = 'x'", "budget.day = 'x' is no limit"),
        ("budget.day = nan", "budget.day = nan is no limit"),
        ("budget.day = -1", "budget.day = -1 is no limit"),
        ("budget.tag.x.week = 1", "budget.tag.x.week = 1 is no limit"),
        ("budget.tag = 1", "budget cannot hold tag = 1"),
        ("budget = 1", "budget must be a table"),
        ("budget.day = 1\nbudget.timezone = 'Mars/Olympus'", "'Mars/Olympus' is not known"),
        ("prices = { m = 1 }", "the prices of m are none"),
        ("prices.m = { prompt = 1, completion = 'x' }", "the prices of m are none"),
    ],
)
def test_budgets_that_are_none(
    run: Run, endpoint: Endpoint, config: Config, text: str, says: str
) -> None:
    config(text)
    server = endpoint(CENT)
    done = run("ask", "hi")
    assert done.returncode == 78
    assert says in one_line(done.stderr)
    assert server.requests == []


def test_local_models_cost_nothing(run: Run, config: Config, embedded: dict[str, str]) -> None:
    config("budget.day = 0")
    done = run("ask", "-m", "local", "--max-tokens", "3", "--max-cost", "0", "hi")
    assert done.returncode == 0, done.stderr


def test_the_usage_of_the_server_settles_it(run: Run, endpoint: Endpoint, config: Config) -> None:
    config(f"{PRICES}budget.day = 0.014")
    endpoint(answer("x", usage=USAGE))
    for _ in range(3):  # each may cost 0.01 and did cost 0.00123
        assert run("ask", "--max-tokens", "1000", "hi").returncode == 0
    assert run("ask", "--max-tokens", "1200", "hi").returncode == 84
