"""The most that a run may cost, by --max-cost."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.endpoint import Script, Server, answer, calling
from tests.support.money import PRICES, Config
from tests.support.program import Run, one_line

Endpoint = Callable[[Script], Server]


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


def test_between_turns_of_tools(run: Run, endpoint: Endpoint, config: Config, tools: Any) -> None:
    config(PRICES)
    server = endpoint(calling(("c1", "weather", {"city": "Oslo"}), usage={"cost": 0.04}))
    limits = ("--max-cost", "0.1", "--max-tokens", "3000")
    done = run("ask", "-q", *tools(weather="echo"), *limits, "hi")
    assert done.returncode == 84
    assert "$0.080 is spent" in one_line(done.stderr)
    assert len(server.requests) == 2


@pytest.mark.embedded
def test_local_models_cost_nothing(run: Run, config: Config, embedded: dict[str, str]) -> None:
    config("budget.day = 0")
    done = run("ask", "-m", "local", "--max-tokens", "3", "--max-cost", "0", "hi")
    assert done.returncode == 0, done.stderr
