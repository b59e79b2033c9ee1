"""The file that gets a line for each run."""

import json
from collections.abc import Callable
from pathlib import Path

from tests.support.endpoint import USAGE, Script, Server, answer
from tests.support.program import Run, one_line

Endpoint = Callable[[Script], Server]


def test_usage_file_gets_a_line_for_each_run(run: Run, endpoint: Endpoint, tmp_path: Path) -> None:
    endpoint(answer("x", usage=USAGE))
    run("ask", "--usage-file", "usage.jsonl", "hi")
    endpoint(lambda wire, _: wire.json({"error": {"message": "no", "code": 402}}, "402 No"))
    run("ask", "--usage-file", "usage.jsonl", "hi")
    good, bad = (json.loads(line) for line in (tmp_path / "usage.jsonl").read_text().splitlines())
    assert good["usage"] == USAGE
    assert (good["ok"], good["cost_usd"], good["model"]) == (True, 0.00123, "m")
    assert (bad["ok"], bad["kind"], bad["cost_usd"]) == (False, "payment", None)


def test_usage_file_that_cannot_be_written_costs_nothing(run: Run, endpoint: Endpoint) -> None:
    server = endpoint(answer("x"))
    done = run("ask", "--usage-file", "missing/usage", "hi")
    assert done.returncode == 73
    assert "--usage-file missing/usage" in one_line(done.stderr)
    assert server.requests == []
