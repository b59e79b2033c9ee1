"""What `map` writes, in which order, and how it ends."""

import json
import os
import random
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from tests.support.conversations import gone
from tests.support.echo import Echo, Handler, rows
from tests.support.endpoint import chunk
from tests.support.program import KEY, PROGRAM, Run, one_line
from tests.support.terminals import on_a_terminal, read_all

TEN = b"".join(b"r%d\n" % n for n in range(10))


def slow_first(handler: Handler, text: str, _number: int) -> None:
    time.sleep(0.5 if text == "r0" else random.uniform(0, 0.05))


def test_answers_stand_in_the_order_of_the_input(run: Run, echo: Echo) -> None:
    echo.fault = slow_first
    done = run("map", "{}", input=TEN)
    assert done.stdout.decode().split("\n")[:-1] == [f"answer to r{n}" for n in range(10)]


def test_unordered_as_they_come(run: Run, echo: Echo) -> None:
    echo.fault = slow_first
    done = run("map", "--unordered", "{}", input=TEN)
    lines = done.stdout.decode().split("\n")[:-1]
    assert sorted(lines) == [f"answer to r{n}" for n in range(10)]
    assert lines[-1] == "answer to r0"


def test_json_is_the_object_of_ask(run: Run, echo: Echo) -> None:
    asked = rows(run("ask", "--json", "x").stdout)[0]
    (row,) = rows(run("map", "--json", input=b"x\n").stdout)
    assert list(row)[:4] == ["key", "index", "input", "ok"]
    assert (row["index"], row["input"], row["ok"]) == (0, "x", True)
    assert set(row) == {*asked, "key", "index", "input", "ok"}
    assert set(row["llmcli"]) == set(asked["llmcli"])
    assert row["choices"] == asked["choices"]


def test_a_failed_record_is_an_empty_line(run: Run, echo: Echo) -> None:
    echo.fault = lambda handler, text, _n: text == "r3" and handler.refuse(400)
    done = run("map", "{}", input=TEN)
    assert done.returncode == 3
    lines = done.stdout.decode().split("\n")[:-1]
    assert lines == [f"answer to r{n}" if n != 3 else "" for n in range(10)]
    line = one_line(done.stderr)
    assert "map: 9 of 10 done, 1 failed (1 bad-request)" in line
    assert "record 3: HTTP 400: refused 400" in line


def test_failures_in_json(run: Run, echo: Echo) -> None:
    echo.fault = lambda handler, text, _n: text == "r3" and handler.refuse(400)
    found = rows(run("map", "--json", "{}", input=TEN).stdout)
    assert [row["index"] for row in found] == list(range(10))
    bad = found[3]
    assert not bad["ok"] and bad["error"]["code"] == 400
    assert (bad["llmcli"]["exit_code"], bad["llmcli"]["kind"]) == (65, "bad-request")


@pytest.mark.parametrize(
    ("status", "code"), [(401, 77), (402, 83), (404, 81)], ids=["key", "money", "model"]
)
def test_what_would_fail_for_all_stops_it(run: Run, echo: Echo, status: int, code: int) -> None:
    def fault(handler: Handler, text: str, _number: int) -> bool:
        error = {"message": "no", "code": "model_not_found" if status == 404 else status}
        handler.whole(status, {"error": error})
        return True

    echo.fault = fault
    done = run("map", "-j", "4", "{}", input=b"".join(b"r%d\n" % n for n in range(500)))
    assert done.returncode == code, done.stderr
    assert len(echo.bodies) <= 60
    assert KEY.encode() not in done.stderr


def test_no_key_no_model_nothing_sent(run: Run, echo: Echo, env: dict[str, str]) -> None:
    del env["LLMCLI_MODEL"]
    done = run("map", "{}", input=TEN)
    assert done.returncode == 78
    assert not echo.bodies


def test_a_shape_for_each(run: Run, echo: Echo) -> None:
    echo.reply = lambda text: f'{{"n": {text[1:]}}}' if text != "r2" else "none"
    schema = '{"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}'
    done = run("map", "--json", "--schema", schema, "{}", input=TEN)
    found = rows(done.stdout)
    assert done.returncode == 3
    assert [r["llmcli"].get("parsed") for r in found] == [
        {"n": n} if n != 2 else None for n in range(10)
    ]


def test_connections_are_kept(run: Run, echo: Echo) -> None:
    many = b"".join(b"r%d\n" % n for n in range(200))
    for options in ([], ["--no-stream"]):
        echo.connections = 0
        assert run("map", "-j", "4", *options, "{}", input=many).returncode == 0
        assert echo.connections <= 4
    assert echo.most <= 4


def test_usage_of_map_is_in_the_ledger(run: Run, echo: Echo) -> None:
    run("map", "--tag", "t", "{}", input=TEN)
    report = json.loads(run("usage", "--by", "command", "--json").stdout)
    row = report["rows"][0] if "rows" in report else report[0]
    assert row["command"] == "map" and row["requests"] == 10


def test_a_dry_run_counts(run: Run, echo: Echo, config: Any) -> None:
    config("prices.m = { prompt = 1.0, completion = 2.0 }")
    done = run("map", "--dry-run", "--max-tokens", "100", "{}", input=TEN + b"\xff\n")
    assert done.returncode == 0
    assert done.stdout.startswith(b"10 requests, about ")
    assert b"at most $0.00" in done.stdout and b"1 malformed record" in done.stdout
    value = json.loads(run("map", "--dry-run", "--json", "{}", input=TEN).stdout)
    assert value["requests"] == 10 and value["cost_usd_at_most"] is None
    assert not echo.bodies


def test_max_cost_is_never_exceeded(run: Run, echo: Echo, config: Any) -> None:
    """What is in flight counts at its bound; what it did not need is there for the others."""
    config("prices.m = { prompt = 0.0, completion = 1000.0 }")
    echo.wait = 0.05
    done = run("map", "-j", "4", "--max-tokens", "10", "--max-cost", "0.1", "{}",
               input=b"".join(b"r%d\n" % n for n in range(500)))  # fmt: skip
    assert done.returncode == 84, done.stderr
    assert "--max-cost $0.10" in one_line(done.stderr)
    spent = json.loads(run("usage", "--json").stdout)
    answers = [line for line in done.stdout.splitlines() if line]
    assert 0 < len(answers) == len(echo.bodies) < 500
    assert spent["total"]["usd"] <= 0.1


def test_a_reader_that_goes_ends_it(echo: Echo, env: dict[str, str]) -> None:
    many = b"".join(b"r%d\n" % n for n in range(3000))
    with subprocess.Popen(
        [PROGRAM, "map", "{}"],
        env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdin and process.stdout and process.stderr
        process.stdout.close()
        try:
            process.stdin.write(many)
            process.stdin.close()
        except BrokenPipeError:
            pass
        assert process.wait(30) == -13
        assert process.stderr.read() == b""
    assert len(echo.bodies) < 3000


def test_a_full_disk_is_said(run: Run, echo: Echo) -> None:
    with open("/dev/full", "wb") as full:
        done = run("map", "{}", input=TEN, stdout=full)
    assert done.returncode == 74
    assert "No space left on device" in one_line(done.stderr)


def test_progress_on_a_terminal_only(echo: Echo, env: dict[str, str], tmp_path: Path) -> None:
    echo.wait = 0.2
    (tmp_path / "in").write_bytes(TEN)
    script = f"{PROGRAM} map -j 2 '{{}}' < in > out"
    with on_a_terminal(["bash", "-c", script], {**env, "TERM": "xterm"}, tmp_path) as (
        process,
        terminal,
    ):
        shown = read_all(terminal).decode()
        assert process.wait(30) == 0
    assert "done" in shown and "/s" in shown and "tokens" in shown
    assert "map: 10 done" in shown.splitlines()[-1]
    assert len((tmp_path / "out").read_text().splitlines()) == 10
    assert os.path.getsize(tmp_path / "out")


def test_quiet_says_nothing(run: Run, echo: Echo) -> None:
    assert run("map", "-q", "{}", input=TEN).stderr == b""


def test_verbose_names_the_record(run: Run, echo: Echo) -> None:
    echo.fault = lambda handler, text, _n: text == "r3" and handler.refuse(400)
    stderr = run("map", "-v", "{}", input=TEN).stderr.decode()
    assert "record 3: HTTP 400: refused 400" in stderr
    assert "record 7: HTTP 200" in stderr


def test_no_tool_outlives_a_second_signal(
    echo: Echo, env: dict[str, str], tools: Any, tmp_path: Path
) -> None:
    def call(handler: Handler, _text: str, _number: int) -> bool:
        function = {"name": "slow", "arguments": "{}"}
        message = {"role": "assistant", "tool_calls": [{"id": "c", "function": function}]}
        handler.whole(200, chunk(None, message=message, finish_reason="tool_calls"))
        return True

    echo.fault = call
    options = tools(slow="echo $$ > pid.$$; sleep 65")
    (tmp_path / "in").write_bytes(TEN)
    with (
        open(tmp_path / "in", "rb") as stdin,
        subprocess.Popen(
            [PROGRAM, "map", "-q", "-j", "3", *options, "{}"], env=env, cwd=tmp_path, stdin=stdin
        ) as process,
    ):
        while len(list(tmp_path.glob("pid.*"))) < 3:
            time.sleep(0.01)
        until = time.monotonic() + 30
        while process.poll() is None and time.monotonic() < until:  # two at once may be one
            process.send_signal(signal.SIGINT)
            time.sleep(0.5)
        assert process.wait(1) == -signal.SIGINT
    for path in tmp_path.glob("pid.*"):
        assert gone(int(path.suffix[1:]))
