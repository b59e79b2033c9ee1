"""--usage-file: a line for each run, whatever becomes of it."""

import fcntl
import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.endpoint import USAGE, Script, Server, answer
from tests.support.program import PROGRAM, Run, one_line

Endpoint = Callable[[Script], Server]


def test_a_locked_usage_file_does_not_keep_it(run: Run, endpoint: Endpoint, tmp_path: Path) -> None:
    endpoint(answer("x"))
    with (tmp_path / "usage").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        done = run("ask", "--usage-file", "usage", "hi", timeout=60)
    assert done.returncode == 0
    assert json.loads((tmp_path / "usage").read_text())["ok"] is True


@pytest.mark.parametrize("form", ["--json", "--events"])
def test_one_object_even_if_the_usage_file_is_full(run: Run, endpoint: Endpoint, form: str) -> None:
    endpoint(answer("x"))
    done = run("ask", form, "--usage-file", "/dev/full", "hi")
    assert done.returncode == 74
    objects = [json.loads(line) for line in done.stdout.splitlines()]
    ends = [o for o in objects if "llmcli" in o]
    assert [o["llmcli"]["exit_code"] for o in ends] == [74]
    assert "No space left on device" in one_line(done.stderr)


def test_usage_is_recorded_when_the_reader_goes_away(
    endpoint: Endpoint, env: dict[str, str], tmp_path: Path
) -> None:
    endpoint(answer(*["line\n" * 1000] * 200))
    script = '"$0" ask -n --usage-file usage hi | head -1'
    done = subprocess.run(
        ["bash", "-c", script + "; exit ${PIPESTATUS[0]}", PROGRAM],
        env=env,
        cwd=tmp_path,
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (141, b"line\n", b"")
    assert json.loads((tmp_path / "usage").read_text())["exit_code"] == 141


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
