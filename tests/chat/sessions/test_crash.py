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

Endpoint = Callable[[Script], Server]


def echo(wire: Wire, request: Request) -> None:
    answer(f"answer to {request.json['messages'][-1]['content']}")(wire, request)


def turn(prompt: str) -> list[dict[str, str]]:
    return [user(prompt), assistant(f"answer to {prompt}")]


@pytest.mark.parametrize("part", [-1, 1, 40, 10_000_000], ids=["none", "a byte", "some", "all"])
@pytest.mark.parametrize("new", [True, False], ids=["new", "old"])
def test_a_kill_at_any_write_leaves_a_session_that_reads(
    run: Run, endpoint: Endpoint, home: Path, killed_at: Any, part: int, new: bool
) -> None:
    endpoint(echo)
    whole = []
    if not new:
        assert run("ask", "--session", "s", "Q0").returncode == 0
        whole = [turn("Q0")]
    at = 0
    while True:
        at += 1
        done = killed_at(at, part, "--session", "s", f"killed {at}")
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
    assert at > 5  # it was killed at all
    for folder in (home / STATE).rglob("*"):
        assert folder.stat().st_mode & 0o077 == 0


def test_fifty_processes_append_to_one_session(
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
        for _ in range(50)
    ]
    for number, process in enumerate(running):
        assert process.stdin
        process.stdin.write(f"{number} {long}".encode())
        process.stdin.close()
    for process in running:
        assert process.stderr
        assert (process.stderr.read(), process.wait(60)) == (b"", 0)
    found = [record["messages"] for record in kept(home, "s")]
    assert sorted(found, key=json.dumps) == sorted(
        (turn(f"{number} {long}") for number in range(50)), key=json.dumps
    )
    exported = json.loads(run("session", "export", "s").stdout)
    assert [m["role"] for m in exported] == ["user", "assistant"] * 50


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
    run: Run, endpoint: Endpoint, home: Path
) -> None:
    endpoint(echo)
    run("ask", "--session", "s", "Q1")
    path = home / STATE / "sessions/s.jsonl"
    code = (
        "import fcntl, sys, time; f = open(sys.argv[1], 'a'); fcntl.flock(f, 2); "
        "print(flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code, path], stdout=subprocess.PIPE) as holder:
        assert holder.stdout and holder.stdout.readline()
        done = run("ask", "--session", "s", "--deadline", "2", "Q2")
        holder.kill()
    assert done.returncode == 124
    assert b"session s is held by another process" in done.stderr
    assert done.stdout == b"answer to Q2"  # nothing is lost but the record of it
    assert os.path.getsize(path)


def test_a_huge_torn_line_is_repaired_in_time_that_grows_with_it(
    run: Run, endpoint: Endpoint, home: Path
) -> None:
    endpoint(answer("x"))
    run("ask", "--session", "s", "hi")
    path = home / STATE / "sessions/s.jsonl"
    with path.open("ab") as file:
        file.write(b'{"version": 1, "messages": [{"content": "' + b"x" * 60_000_000)
    assert run("ask", "--session", "s", "more").returncode == 0
    assert len(kept(home, "s")) == 2
