"""The ledger: a line for every request, whatever became of it, and never at the user's expense."""

import json
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.endpoint import (
    USAGE,
    Request,
    Script,
    Server,
    Wire,
    answer,
    broken,
    calling,
    in_turn,
    started,
)
from tests.support.program import KEY, PROGRAM, Run, one_line
from tests.support.waiting import wait_until

Endpoint = Callable[[Script], Server]


def records(home: Path, event: str = "settled") -> list[dict[str, Any]]:
    paths = sorted((home / ".local/state/llmcli/ledger").glob("*.jsonl"))
    lines = [json.loads(line) for path in paths for line in path.read_text().splitlines()]
    return [line for line in lines if line["event"] == event]


def test_a_line_says_what_a_request_cost(
    run: Run, endpoint: Endpoint, home: Path, config: Callable[[str], Path]
) -> None:
    config("[profiles.work]\n")
    usage = {**USAGE, "completion_tokens_details": {"reasoning_tokens": 7}}

    def script(wire: Wire, _request: Request) -> None:
        wire.head("200 OK", "text/event-stream", "x-request-id: req-7")
        wire.text("the answer")
        wire.finish(usage=usage)

    server = endpoint(script)
    run("ask", "--profile", "work", "--tag", "nightly", "--session", "s", "the prompt")
    (record,) = records(home)
    assert time.strptime(record.pop("time"), "%Y-%m-%dT%H:%M:%SZ")
    assert record.pop("seconds") > 0
    assert record.pop("id") == records(home, "intent")[0]["id"]
    assert record == {
        "event": "settled",
        "request_id": "req-7",
        "model": "m",
        "host": f"127.0.0.1:{server.port}",
        "profile": "work",
        "command": "ask",
        "tag": "nightly",
        "session": "s",
        "exit": "ok",
        "status": 200,
        "prompt_tokens": 12,
        "completion_tokens": 34,
        "cached_tokens": 4,
        "reasoning_tokens": 7,
        "cost_usd": 0.00123,
        "cost_source": "cost",
    }
    text = "".join(p.read_text() for p in (home / ".local/state/llmcli/ledger").glob("*.jsonl"))
    assert not any(secret in text for secret in (KEY, "the answer", "the prompt"))
    for path in (home / ".local/state/llmcli").rglob("*"):
        assert path.stat().st_mode & 0o077 == 0


PRICED = 'prices = { "*" = { prompt = 1, completion = 2 } }'


def refused(wire: Wire, _request: Request) -> None:
    wire.json({"error": {"message": "no"}}, "401 X")


def no_usage_of_a_failure(wire: Wire, _request: Request) -> None:
    wire.head()
    wire.text("half an ans")
    wire.reset()


@pytest.mark.parametrize(
    ("script", "exit_name", "source"),
    [
        (refused, "auth", "not billed"),
        (broken, "server", "estimated"),
        (no_usage_of_a_failure, "truncated", "estimated"),
        (answer("no usage"), "ok", "estimated"),
        (answer("x", usage={"prompt_tokens": 9, "completion_tokens": 1}), "ok", "estimated"),
        (answer("x", usage={"cost": "NaN", "prompt_tokens": 9}), "ok", "estimated"),
        (answer("x", usage=USAGE), "ok", "cost"),
    ],
)
def test_every_end_has_a_line(
    run: Run,
    endpoint: Endpoint,
    home: Path,
    config: Callable[[str], Path],
    script: Script,
    exit_name: str,
    source: str,
) -> None:
    config(PRICED)
    endpoint(script)
    run("ask", "--retries", "0", "hi")
    (record,) = records(home)
    assert (record["exit"], record["cost_source"]) == (exit_name, source)
    assert (record["cost_usd"] == 0) == (source == "not billed")


def test_a_refused_connection_costs_nothing(
    run: Run, endpoint: Endpoint, home: Path, env: dict[str, str]
) -> None:
    endpoint(answer("x"))
    env["LLMCLI_BASE_URL"] = "http://127.0.0.1:9/v1"
    assert run("ask", "--retries", "1", "hi").returncode == 68
    assert [(r["exit"], r["cost_usd"]) for r in records(home)] == [("network", 0.0)] * 2


def test_unknown_is_not_zero(run: Run, endpoint: Endpoint, home: Path) -> None:
    endpoint(answer("x"))
    run("ask", "hi")
    assert records(home)[0]["cost_usd"] is None
    endpoint(answer("x", usage={"cost": -1}))
    done = run("ask", "hi")
    assert b"warning: the server's cost -1 is no amount" in done.stderr
    assert records(home)[1]["cost_usd"] is None


def test_retries_and_turns_have_lines_of_their_own(
    run: Run, endpoint: Endpoint, home: Path, tools: Any
) -> None:
    down = in_turn(
        lambda wire, _: wire.json({"error": {"message": "down"}}, "503 X"),
        calling(("c1", "weather", {"city": "Oslo"}), usage=USAGE),
        answer("x", usage=USAGE),
    )
    endpoint(down)
    assert run("ask", *tools(weather="echo"), "hi").returncode == 0
    assert [(r["exit"], r["status"], r["cost_usd"]) for r in records(home)] == [
        ("server", 503, 0.0),
        ("ok", 200, 0.00123),
        ("ok", 200, 0.00123),
    ]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_or_killed_run_counts(
    run: Run,
    endpoint: Endpoint,
    env: dict[str, str],
    home: Path,
    config: Callable[[str], Path],
    number: signal.Signals,
) -> None:
    config(PRICED)
    endpoint(started)
    with subprocess.Popen(
        [PROGRAM, "ask", "-n", "--max-tokens", "1000", "hi"], env=env, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout and process.stdout.read(4) == b"some"
        process.send_signal(number)
        assert process.wait(120) == -number
    (intent,) = records(home, "intent")
    assert intent["estimate_usd"] > 0.002
    total = json.loads(run("usage", "--json").stdout)["total"]
    assert total["requests"] == 1
    if number == signal.SIGINT:
        assert records(home)[0]["exit"] == "interrupted"
        assert 0 < total["usd"] < intent["estimate_usd"]
    else:
        assert records(home) == []
        assert (total["unsettled"], total["usd"]) == (1, intent["estimate_usd"])


def test_an_interrupted_request_of_which_nothing_came_counts_at_its_estimate(
    endpoint: Endpoint, env: dict[str, str], home: Path, config: Callable[[str], Path]
) -> None:
    config(PRICED)
    server = endpoint(lambda wire, _: wire.receive())
    command = [PROGRAM, "ask", "-n", "--max-tokens", "1000", "hi"]
    with subprocess.Popen(command, env=env) as process:
        wait_until(lambda: server.requests)
        process.send_signal(signal.SIGTERM)
    (intent,), (settled,) = records(home, "intent"), records(home)
    assert settled["cost_usd"] == intent["estimate_usd"] > 0.002


@pytest.mark.parametrize("off", ["flag", "config", "variable"])
def test_it_can_be_switched_off(
    run: Run,
    endpoint: Endpoint,
    home: Path,
    env: dict[str, str],
    config: Callable[[str], Path],
    off: str,
) -> None:
    endpoint(answer("x"))
    if off == "config":
        config("ledger = false")
    if off == "variable":
        env["LLMCLI_LEDGER"] = "no"
    assert run("ask", "hi", *(["--no-ledger"] if off == "flag" else [])).returncode == 0
    assert not (home / ".local").exists()


def test_what_cannot_be_recorded_is_a_warning(
    run: Run, endpoint: Endpoint, env: dict[str, str], home: Path
) -> None:
    endpoint(answer("x"))
    env["XDG_STATE_HOME"] = "/proc/nothing"
    done = run("ask", "hi")
    assert (done.returncode, done.stdout) == (0, b"x\n")
    assert done.stderr.count(b"warning: not recorded: cannot write the ledger /proc/nothing/") == 1
    assert run("ask", "-q", "hi").stderr == b""
    del env["XDG_STATE_HOME"]
    state = home / ".local/state/llmcli"
    state.mkdir(parents=True)
    state.chmod(0o755)
    done = run("ask", "hi")
    assert (done.returncode, done.stdout) == (0, b"x\n")
    assert b"not recorded: " in done.stderr and b"is open to others" in done.stderr


def test_a_full_disk_costs_no_answer_and_leaves_no_torn_line(
    run: Run, endpoint: Endpoint, env: dict[str, str], home: Path
) -> None:
    endpoint(answer("x", usage=USAGE))
    for _ in range(3):
        run("ask", "hi")
    limited = 'ulimit -f 2; exec "$0" ask -n hi'
    done = subprocess.run(
        ["bash", "-c", limited, PROGRAM], env=env, capture_output=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, b"x\n")
    assert b"not recorded" in done.stderr
    run("ask", "hi")
    assert len(records(home)) in (4, 5)


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
        for number in range(30)
    ]
    assert [process.wait(120) for process in running] == [0] * 30
    assert sorted(r["tag"] for r in records(home)) == sorted(f"t{n}" for n in range(30))
    assert len(records(home, "intent")) == 30
    assert json.loads(run("usage", "--json").stdout)["total"]["usd"] == 0.0369


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
