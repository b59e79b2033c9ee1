"""Sessions under a kill at any moment, and under many processes at once."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.conversations import STATE, assistant, kept, user
from tests.support.endpoint import Request, Script, Server, Wire, answer
from tests.support.program import PROGRAM, Run
from tests.support.waiting import has_open, reach_deadline, wait_until

Endpoint = Callable[[Script], Server]
# Processes at once.
MANY = 16


def echo(wire: Wire, request: Request) -> None:
    answer(f"answer to {request.json['messages'][-1]['content']}")(wire, request)


def turn(prompt: str) -> list[dict[str, str]]:
    return [user(prompt), assistant(f"answer to {prompt}")]


PARTS = {"none": -1, "a byte": 1, "some": 40, "all": 10_000_000}


@pytest.mark.parametrize(
    ("new", "part"),
    [*((False, part) for part in PARTS), (True, "none"), (True, "some")],
    ids=lambda value: {True: "new", False: "old"}.get(value, value),
)
def test_a_kill_at_any_write_leaves_a_session_that_reads(
    run: Run, endpoint: Endpoint, home: Path, killed_at: Any, part: str, new: bool
) -> None:
    endpoint(echo)
    whole = []
    if not new:
        assert run("ask", "--session", "s", "Q0").returncode == 0
        whole = [turn("Q0")]
    at = 0
    while True:
        at += 1
        done = killed_at(at, PARTS[part], "--no-ledger", "--session", "s", f"killed {at}")
        if done.returncode != -signal.SIGKILL:
            break
        after = run("ask", "--session", "s", f"after {at}")
        assert after.returncode == 0, after.stderr
        found = [record["messages"] for record in kept(home, "s")]
        added = found[len(whole) :]
        # Either the turn of the killed process is there, whole, or nothing of it.
        assert added in ([turn(f"after {at}")], [turn(f"killed {at}"), turn(f"after {at}")])
        assert found[: len(whole)] == whole
        whole = found
    assert done.returncode == 0, done.stderr
    assert at > (3 if part == "none" else 1)  # it was killed at all
    for folder in (home / STATE).rglob("*"):
        assert folder.stat().st_mode & 0o077 == 0


def test_many_processes_append_to_one_session(
    endpoint: Endpoint, env: dict[str, str], home: Path, run: Run
) -> None:
    endpoint(echo)
    long = "x" * 100_000
    running = [
        subprocess.Popen(
            [PROGRAM, "ask", "-q", "--session", "s", "-"],
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        for _ in range(MANY)
    ]
    for number, process in enumerate(running):
        assert process.stdin
        process.stdin.write(f"{number} {long}".encode())
        process.stdin.close()
    for process in running:
        assert process.stderr
        assert (process.stderr.read(), process.wait(120)) == (b"", 0)
    found = [record["messages"] for record in kept(home, "s")]
    assert sorted(found, key=json.dumps) == sorted(
        (turn(f"{number} {long}") for number in range(MANY)), key=json.dumps
    )
    exported = json.loads(run("session", "export", "s").stdout)
    assert [m["role"] for m in exported] == ["user", "assistant"] * MANY


def test_a_turn_that_only_lacks_its_line_end_is_whole(
    run: Run, endpoint: Endpoint, home: Path
) -> None:
    endpoint(echo)
    run("ask", "--session", "s", "Q1")
    path = home / STATE / "sessions/s.jsonl"
    path.write_bytes(path.read_bytes().rstrip())
    run("ask", "--session", "s", "Q2")
    assert [record["messages"] for record in kept(home, "s")] == [turn("Q1"), turn("Q2")]


def test_a_stopped_holder_of_the_lock_is_waited_for_until_the_deadline(
    run: Run, endpoint: Endpoint, env: dict[str, str], home: Path
) -> None:
    endpoint(echo)
    run("ask", "--session", "s", "Q1")
    path = home / STATE / "sessions/s.jsonl"
    code = (
        "import fcntl, sys, time; f = open(sys.argv[1], 'a'); fcntl.flock(f, 2); "
        "print(flush=True); time.sleep(300)"
    )
    with subprocess.Popen([sys.executable, "-c", code, path], stdout=subprocess.PIPE) as holder:
        assert holder.stdout and holder.stdout.readline()
        command = [PROGRAM, "ask", "-n", "--session", "s", "--deadline", "100", "Q2"]
        with subprocess.Popen(
            command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as process:
            assert process.stdout
            # Nothing is lost but the record of it.
            assert process.stdout.read(12) == b"answer to Q2"
            wait_until(lambda: has_open(process.pid, path))
            reach_deadline(process)
            rest, stderr = process.communicate(timeout=120)
        holder.kill()
    assert (process.returncode, rest) == (124, b"")
    assert b"another process that holds session s has not ended" in stderr
    assert os.path.getsize(path)


def test_a_huge_torn_line_is_repaired_in_time_that_grows_with_it(
    run: Run, endpoint: Endpoint, home: Path
) -> None:
    endpoint(answer("x"))
    run("ask", "--session", "s", "hi")
    path = home / STATE / "sessions/s.jsonl"
    with path.open("ab") as file:
        file.write(b'{"version": 1, "messages": [{"content": "' + b"x" * 20_000_000)
    assert run("ask", "--session", "s", "more").returncode == 0
    assert len(kept(home, "s")) == 2
