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
from tests.support.money import PRICED, PRICES, Config, records
from tests.support.program import KEY, PROGRAM, Run
from tests.support.waiting import wait_until

Endpoint = Callable[[Script], Server]


def test_a_line_says_what_a_request_cost(
    run: Run, endpoint: Endpoint, home: Path, config: Config
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
    config: Config,
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
    assert b"warning: the server's cost -1 is not a valid amount" in done.stderr
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
    config: Config,
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


def silent(wire: Wire, _request: Request) -> None:
    wire.receive()


def test_an_interrupted_request_of_which_nothing_came_counts_at_its_estimate(
    endpoint: Endpoint, env: dict[str, str], home: Path, config: Config
) -> None:
    config(PRICED)
    server = endpoint(silent)
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
    config: Config,
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


def test_absurd_numbers_of_tokens_are_unknown(run: Run, endpoint: Endpoint, config: Config) -> None:
    config(PRICES)
    for count in (10**15, 10**400):
        endpoint(answer("x", usage={"prompt_tokens": count, "completion_tokens": 1}))
        about = json.loads(run("ask", "--json", "hi").stdout)["llmcli"]
        assert (about["cost_usd"], about["cost_source"]) == (None, None)
    total = json.loads(run("usage", "--json").stdout)["total"]
    assert total["requests"] == 2 and total["usd"] < 0.01


def test_a_file_in_the_place_of_the_ledger(run: Run, endpoint: Endpoint, home: Path) -> None:
    endpoint(answer("x"))
    state = home / ".local/state/llmcli"
    state.parent.mkdir(parents=True)
    state.touch()
    done = run("ask", "hi")
    assert (done.returncode, done.stdout) == (0, b"x\n")
    warning = f"warning: not recorded: {state} is not a directory; remove it, or set XDG_STATE_HOME"
    assert warning in done.stderr.decode()
