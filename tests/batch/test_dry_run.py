"""`map --dry-run` counts requests and cost, and sends nothing."""

import json
from typing import Any

from tests.support.echo import Echo, lines
from tests.support.money import Config
from tests.support.program import Run


def test_a_dry_run_counts(run: Run, echo: Echo, config: Any) -> None:
    config("prices.m = { prompt = 1.0, completion = 2.0 }")
    done = run("map", "--dry-run", "--max-tokens", "100", "{}", input=lines(10) + b"\xff\n")
    assert done.returncode == 0
    assert done.stdout.startswith(b"10 requests, about ")
    assert b"at most $0.00" in done.stdout and b"1 malformed record" in done.stdout
    value = json.loads(run("map", "--dry-run", "--json", "{}", input=lines(10)).stdout)
    assert value["requests"] == 10 and value["cost_usd_at_most"] is None
    assert not echo.bodies


def test_a_forecast_beyond_what_may_be_spent(run: Run, echo: Echo, config: Config) -> None:
    config("prices.m = { prompt = 100.0, completion = 200.0 }")
    limits = ("--dry-run", "--max-tokens", "5", "--max-cost", "0.001")
    assert b"which --max-cost $0.0010 may end early" in run("map", *limits, input=lines(3)).stdout
