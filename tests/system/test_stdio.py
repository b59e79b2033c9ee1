"""Readers and files that block, fill up or go away, each found by trying to break it."""

import fcntl
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.endpoint import Request, Script, Server, Wire, answer
from tests.support.program import KEY, PROGRAM, Run, one_line

Endpoint = Callable[[Script], Server]
Config = Callable[[str], Path]


def flood(wire: Wire, _request: Request) -> None:
    """More than any pipe holds, then silence."""
    wire.head()
    wire.text("x" * 200_000)
    wire.receive()


@pytest.fixture
def full_pipe() -> Any:
    """The writing end of a pipe that nobody reads and that is full."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    while True:
        try:
            os.write(writer, b"x" * 65536)
        except BlockingIOError:
            break
    os.set_blocking(writer, True)
    yield writer
    os.close(reader)
    os.close(writer)


@pytest.mark.parametrize("form", [(), ("--json",), ("--events",)])
@pytest.mark.parametrize("end", ["deadline", "term", "int"])
def test_a_blocked_reader_does_not_keep_it(
    endpoint: Endpoint, env: dict[str, str], full_pipe: int, form: tuple[str, ...], end: str
) -> None:
    server = endpoint(flood)
    arguments = ["ask", "-n", "hi", *form, *(["--deadline", "1"] if end == "deadline" else [])]
    with subprocess.Popen(
        [PROGRAM, *arguments], env=env, stdout=full_pipe, stderr=full_pipe
    ) as run:
        if end != "deadline":
            while not server.requests and "--events" not in form:
                time.sleep(0.01)
            time.sleep(0.5)
            run.send_signal(signal.SIGTERM if end == "term" else signal.SIGINT)
        code = run.wait(20)
    assert code == {"deadline": 124, "term": -signal.SIGTERM, "int": -signal.SIGINT}[end]


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


def broken(wire: Wire, _request: Request) -> None:
    wire.head()
    wire.text("part")
    wire.event({"error": {"message": "gone"}})


def test_output_beside_odd_neighbours(run: Run, endpoint: Endpoint, tmp_path: Path) -> None:
    endpoint(broken)
    (tmp_path / "x.part").mkdir()
    done = run("ask", "-O", "x", "--retries", "0", "hi")
    line = one_line(done.stderr)
    kept = line.rpartition("partial answer kept in ")[2].partition(" ")[0].rstrip(";)")
    assert Path(kept).read_text() == "part"
    endpoint(answer("x"))
    assert run("ask", "-O", "я" * 125, "hi").returncode == 0
    done = run("ask", "-O", "same", "--usage-file", "./same", "hi")
    assert done.returncode == 2
    assert "name the same file" in one_line(done.stderr)


def test_events_that_fail_end_on_stdout_if_the_file_must_stay(
    run: Run, endpoint: Endpoint, tmp_path: Path
) -> None:
    endpoint(broken)
    done = run("ask", "--events", "-O", "events", "--retries", "0", "hi")
    assert json.loads(done.stdout)["event"] == "end"
    assert "events.part" in one_line(done.stderr)
    assert not (tmp_path / "events").exists()


def test_a_deleted_working_directory(
    endpoint: Endpoint, env: dict[str, str], tmp_path: Path
) -> None:
    endpoint(answer("x"))
    script = 'mkdir d; cd d; rmdir ../d; "$0" ask -n -O out hi'
    done = subprocess.run(
        ["sh", "-c", script, PROGRAM], env=env, cwd=tmp_path, capture_output=True, check=False
    )
    assert done.returncode == 73, done.stderr


@pytest.mark.parametrize("command", ["--help", "ask --help", "config path", "config show"])
def test_whatever_is_printed_is_checked(env: dict[str, str], command: str) -> None:
    def shell(redirect: str) -> int:
        script = f'"$0" {command} {redirect}; exit ${{PIPESTATUS[0]}}'
        return subprocess.run(
            ["bash", "-c", script, PROGRAM], env=env, capture_output=True, check=False
        ).returncode

    assert shell("> /dev/full") == 74
    assert shell(">&-") == 74
    assert shell("| sleep 0") in (0, 141)


def test_interrupt_during_start_up_is_silent(env: dict[str, str]) -> None:
    for delay in (0.03, 0.05, 0.08, 0.12):
        with subprocess.Popen(
            [PROGRAM, "ask", "-", "hi"], env=env, stdin=subprocess.PIPE, stderr=subprocess.PIPE
        ) as process:
            time.sleep(delay)
            process.send_signal(signal.SIGINT)
            assert process.wait(20) != 0
            assert process.stderr
            said = process.stderr.read()
        # Before the first line of ours runs Python itself answers, as it likes.
        assert b"llmcli/" not in said, said


def test_key_is_in_no_traceback(run: Run, endpoint: Endpoint, env: dict[str, str]) -> None:
    endpoint(lambda wire, _: wire.json({"error": {"message": f"bad {KEY}"}}, "401 Who"))
    env["LLMCLI_DEBUG"] = "1"
    for form in ((), ("--json",), ("--events",), ("-v",)):
        done = run("ask", "hi", *form)
        assert KEY.encode() not in done.stdout + done.stderr
