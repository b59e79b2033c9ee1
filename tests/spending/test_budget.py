"""Budgets: nothing is sent that could cost more than is left, however many runs there are."""

import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.endpoint import USAGE, Request, Script, Server, Wire, answer, started
from tests.support.money import PRICES, Config
from tests.support.program import PROGRAM, Run, one_line
from tests.support.waiting import wait_until

Endpoint = Callable[[Script], Server]
CENT = answer("x", usage={"cost": 0.01})


def test_what_costs_nothing_needs_no_bound(run: Run, endpoint: Endpoint, config: Config) -> None:
    endpoint(answer("x"))
    config("prices.m = { prompt = 0, completion = 0 }\nbudget = { day = 1 }")
    assert run("ask", "hi").returncode == 0
    assert run("map", "{}", "--max-cost", "0.01", input=b"hi\n").returncode == 0
    config("prices.m = { prompt = 50000, completion = 0 }\nbudget = { day = 1 }")
    assert run("ask", "hi").returncode == 84


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
    assert "it was not sent; the next day begins at 2" in line and line.endswith("T00:00Z")


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

    server = endpoint(started)
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
    assert "a budget is set, and it needs the ledger" in one_line(done.stderr)
    env["XDG_STATE_HOME"] = "/proc/nothing"
    done = run("ask", "--max-tokens", "10", "hi")
    assert done.returncode == 74
    assert "a budget needs the ledger" in one_line(done.stderr)
    assert server.requests == []


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("budget.dya = 1", "budget.dya = 1 is not valid"),
        ("budget.day = 'x'", "budget.day = 'x' is not a valid limit"),
        ("budget.day = nan", "budget.day = nan is not a valid limit"),
        ("budget.day = -1", "budget.day = -1 is not a valid limit"),
        ("budget.tag.x.week = 1", "budget.tag.x.week = 1 is not a valid limit"),
        ("budget.tag = 1", "budget.tag = 1 is not valid"),
        ("budget = 1", "budget must be a table"),
        (
            "budget.day = 1\nbudget.timezone = 'Mars/Olympus'",
            "'Mars/Olympus' is not in the time zone",
        ),
        ("prices = { m = 1 }", "the prices of m are not valid"),
        ("prices.m = { prompt = 1, completion = 'x' }", "the prices of m are not valid"),
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


def test_the_usage_of_the_server_settles_it(run: Run, endpoint: Endpoint, config: Config) -> None:
    config(f"{PRICES}budget.day = 0.014")
    endpoint(answer("x", usage=USAGE))
    for _ in range(3):  # each may cost 0.01 and did cost 0.00123
        assert run("ask", "--max-tokens", "1000", "hi").returncode == 0
    assert run("ask", "--max-tokens", "1200", "hi").returncode == 84


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PRICES", '{"*": {"prompt": "abc", "completion": -5}}'),
        ("PRICES", '{"*": 5}'),
        ("PRICES", '{"*": {"foo": 5}}'),
        ("BUDGET", "[" * 100_000),
        ("BUDGET", '{"timezone": 5}'),
        ("BUDGET", '{"tag": {"day": 1}}'),
    ],
)
def test_budgets_and_prices_that_are_none_in_the_environment(
    run: Run, endpoint: Endpoint, env: dict[str, str], name: str, value: str
) -> None:
    server = endpoint(answer("x"))
    env[f"LLMCLI_{name}"] = value
    for command in (["ask", "--max-tokens", "9", "hi"], ["config", "check"]):
        assert run(*command).returncode == 78
    assert "POST" not in [r.method for r in server.requests]


def test_a_profile_adds_to_the_budget_and_loses_no_limit(
    run: Run, endpoint: Endpoint, config: Config
) -> None:
    config(f"{PRICES}budget.tag.nightly.day = 0.00001\n[profiles.p]\nbudget.tag.other.day = 1")
    endpoint(answer("x"))
    ask = ("ask", "--profile", "p", "--max-tokens", "10", "hi")
    assert run(*ask, "--tag", "nightly").returncode == 84
    assert run(*ask, "--tag", "other").returncode == 0


def test_what_costs_nothing_is_in_every_budget(
    run: Run, endpoint: Endpoint, config: Config
) -> None:
    free = "free = { prompt = 0, completion = 0 }"
    config(PRICES.replace("} }", "}, " + free + " }") + "budget.day = 0.005")
    endpoint(answer("x", usage={"cost": 0.01}))
    ask = ("ask", "--max-tokens", "10", "hi")
    assert run(*ask).returncode == 0
    assert run(*ask).returncode == 84
    assert run(*ask, "-m", "free").returncode == 0


def test_a_budget_without_a_ledger_is_told_by_its_setting(
    run: Run, endpoint: Callable[[Script], Server], config: Callable[[str], Path]
) -> None:
    endpoint(answer("x"))
    config("ledger = false\nbudget.day = 1.0\n")
    for command in (["config", "check"], ["ask", "--max-tokens", "5", "hi"]):
        done = run(*command)
        assert done.returncode == 78
        assert b"drop ledger = false" in done.stdout + done.stderr
