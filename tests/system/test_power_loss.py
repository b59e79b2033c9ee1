"""What is on disk before a run ends well, and files that a loss of power has left with zeros."""

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.conversations import STATE, assistant, kept, user
from tests.support.endpoint import USAGE, Script, Server, answer
from tests.support.money import records
from tests.support.program import PROGRAM, Run, one_line

Endpoint = Callable[[Script], Server]
ZEROS = b"\0" * 5000


def traced(env: dict[str, str], tmp_path: Path, *arguments: str) -> list[str]:
    """Run the program, and return its calls that rename and sync, with the paths of descriptors."""
    if not shutil.which("strace"):
        pytest.skip("strace is not installed")
    log = tmp_path / "log"
    calls = "write,fsync,fdatasync,rename,renameat,renameat2,exit_group"
    command = ["strace", "-f", "-y", "-o", str(log), "-e", f"trace={calls}", PROGRAM, *arguments]
    subprocess.run(command, env=env, cwd=tmp_path, capture_output=True, check=True)
    return [re.sub(r"^\d+ +", "", line) for line in log.read_text().splitlines()]


def places(calls: list[str], *patterns: str) -> list[int]:
    """Return the index of the last call that each pattern is found in."""
    return [max(n for n, call in enumerate(calls) if re.search(p, call)) for p in patterns]


def test_a_turn_is_on_disk_before_the_run_ends(
    env: dict[str, str], endpoint: Endpoint, tmp_path: Path
) -> None:
    endpoint(answer("x"))
    calls = traced(env, tmp_path, "ask", "-n", "--session", "s", "hi")
    order = places(
        calls,
        r"write\(\d+<.*/s\.jsonl>, ",
        r"fsync\(\d+<.*/s\.jsonl>\) += 0",
        r"fsync\(\d+<.*/sessions>\) += 0",
        "exit_group",
    )
    assert order == sorted(order)
    calls = traced(env, tmp_path, "ask", "-n", "--session", "s", "more")
    order = places(calls, r"write\(\d+<.*/s\.jsonl>, ", r"fsync\(\d+<.*/s\.jsonl>\) += 0")
    assert order == sorted(order)


def test_a_file_and_its_name_are_on_disk_before_the_run_ends(
    env: dict[str, str], endpoint: Endpoint, tmp_path: Path
) -> None:
    endpoint(answer("x"))
    folder = re.escape(str(tmp_path))
    for option in ("-O", "--save-messages"):
        calls = traced(env, tmp_path, "ask", "-n", option, "out", "hi")
        order = places(
            calls,
            r"fsync\(\d+<.*/\.out\.llmcli-.*>\) += 0",
            r"rename.*/out\"",
            rf"fsync\(\d+<{folder}>\) += 0",
            "exit_group",
        )
        assert order == sorted(order)


# What stands at the end of a file after a loss of power.
ENDS = {
    "zeros": ZEROS,
    "a torn line": b'{"version": 1, "mess' + ZEROS,
    "zeros and a line end": ZEROS + b"\n",
    "a torn line and a line end": b'{"version": 1, "mess' + ZEROS + b"\n",
}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_a_session_that_ends_in_zeros_reads(
    run: Run, endpoint: Endpoint, home: Path, end: bytes
) -> None:
    endpoint(answer("A"))
    run("ask", "--session", "s", "Q1")
    path = home / STATE / "sessions/s.jsonl"
    with path.open("ab") as file:
        file.write(end)
    shown = run("session", "show", "s")
    assert (shown.returncode, shown.stdout) == (0, b"## user\nQ1\n\n## assistant\nA\n")
    assert "has zeros in it" in one_line(shown.stderr)
    assert run("session", "list").stdout.startswith(b"s\t1\t")
    done = run("ask", "-q", "--session", "s", "Q2")
    assert (done.returncode, done.stdout) == (0, b"A\n")
    assert "has zeros in it" in one_line(done.stderr)
    exported = json.loads(run("session", "export", "s").stdout)
    turns = [user("Q1"), assistant("A"), user("Q2"), assistant("A")]
    assert exported == turns
    if not end.endswith(b"\n"):
        assert [turn["messages"] for turn in kept(home, "s")] == [turns[:2], turns[2:]]
        assert run("session", "show", "s").stderr == b""


def test_a_whole_turn_in_front_of_zeros_is_kept(run: Run, endpoint: Endpoint, home: Path) -> None:
    endpoint(answer("A"))
    run("ask", "--session", "s", "Q1")
    path = home / STATE / "sessions/s.jsonl"
    path.write_bytes(path.read_bytes().rstrip() + ZEROS)
    run("ask", "--session", "s", "Q2")
    assert len(kept(home, "s")) == 2


def test_a_session_of_zeros_alone_is_new(run: Run, endpoint: Endpoint, home: Path) -> None:
    endpoint(answer("A"))
    folder = home / STATE / "sessions"
    folder.mkdir(parents=True, mode=0o700)
    folder.parent.chmod(0o700)
    (folder / "s.jsonl").write_bytes(ZEROS)
    assert run("ask", "--session", "s", "Q1").returncode == 0
    assert len(kept(home, "s")) == 1


@pytest.mark.parametrize("end", [ZEROS, b'{"id": "0123456789abcdef", "event": "set' + ZEROS])
def test_a_ledger_that_ends_in_zeros_reads(
    run: Run, endpoint: Endpoint, home: Path, end: bytes
) -> None:
    endpoint(answer("x", usage=USAGE))
    run("ask", "hi")
    (path,) = (home / STATE / "ledger").glob("*.jsonl")
    with path.open("ab") as file:
        file.write(end)
    told = run("usage", "--json")
    assert json.loads(told.stdout)["total"]["requests"] == 1
    assert "has zeros in it" in one_line(told.stderr)
    done = run("ask", "-q", "hi")
    assert (done.returncode, done.stdout) == (0, b"x\n")
    assert "has zeros in it" in one_line(done.stderr)
    assert len(records(home)) == 2
    assert run("usage", "--json").stderr == b""


@pytest.mark.parametrize("content", [b"", ZEROS, b"s" + ZEROS, bytes(range(256))])
def test_a_last_session_of_zeros_is_none(
    run: Run, endpoint: Endpoint, home: Path, content: bytes
) -> None:
    endpoint(answer("x"))
    run("ask", "--session", "s", "hi")
    names = list((home / STATE / "last-session").iterdir())
    for path in names:
        path.write_bytes(content)
    assert "there is no session to go on with" in one_line(run("ask", "-c", "hi").stderr)
    (home / STATE / "last-session/all").write_text("s")
    assert run("ask", "-c", "hi").returncode == 0
