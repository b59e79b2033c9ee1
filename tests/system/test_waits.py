"""What a run waits for: said by the message of a deadline, and on stderr if it takes long."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from llmcli.system import waits
from llmcli.system.environment import Environment
from tests.support.endpoint import Script, Server, answer, in_turn
from tests.support.faults import error
from tests.support.program import PROGRAM, Run
from tests.support.waiting import reach_deadline, wait_until

Endpoint = Callable[[Script], Server]
BUDGET = "[budget]\nday = 5.0\n\n[prices]\nm = { prompt = 1, completion = 1 }\n"
STATE = ".local/state/llmcli"


def test_a_wait_takes_back_what_it_said() -> None:
    environment = Environment({})
    before = environment.stage
    with environment.waiting_for("one"):
        with suppress(ValueError), environment.waiting_for("two", "is far"):
            assert environment.stage == "two is far"
            raise ValueError
        assert environment.stage == "one has not ended"
    assert environment.stage == before


def test_a_long_wait_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(time, "sleep", lambda seconds: now.append(now.pop() + seconds))
    wait = waits.Wait("a lock", told.append)
    wait.remind()
    now[0] = 9.9
    wait.remind()
    assert told == []
    now[0] = 10.0
    wait.remind()
    wait.remind()
    assert told == ["waiting for a lock"]
    told.clear()
    waits.Wait("a turn", told.append).sleep(9)
    assert (told, now) == ([], [19])
    waits.Wait("a turn", told.append).sleep(45)
    assert (told, now) == (["waiting 35 s more for a turn"], [64])


@contextmanager
def held(path: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """Another process has the lock on a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    for folder in path.parent, path.parent.parent:
        folder.chmod(0o700)
    code = (
        "import fcntl, sys; f = open(sys.argv[1], 'a'); fcntl.flock(f, 2); "
        "print(flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout and holder.stdout.readline()
        yield holder
        holder.kill()


def has_open(pid: int, path: Path) -> bool:
    with suppress(FileNotFoundError):  # closed meanwhile
        return any(os.readlink(link) == str(path) for link in Path(f"/proc/{pid}/fd").iterdir())
    return False


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_the_budget_is_held_by_another_run(
    endpoint: Endpoint, env: dict[str, str], home: Path, config: Callable[[str], Path]
) -> None:
    """stdin has ended, so it is not what the deadline blames."""
    server = endpoint(answer("ok"))
    config(BUDGET)
    path = home / STATE / "ledger/.lock"
    command = [PROGRAM, "ask", "--max-tokens", "9", "--deadline", "100", "hi"]
    with (
        held(path),
        subprocess.Popen(
            command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as process,
    ):
        assert process.stdin
        process.stdin.close()
        process.stdin = None
        wait_until(lambda: has_open(process.pid, path) or process.poll() is not None)
        reach_deadline(process)
        _, stderr = process.communicate(timeout=120)
    assert process.returncode == 124, stderr
    assert b"reached: another run that holds the budget has not ended" in stderr
    assert server.requests == []


@pytest.fixture
def impatient(env: dict[str, str], tmp_path: Path) -> None:
    """A process to which any wait is long."""
    folder = tmp_path / "impatient"
    folder.mkdir()
    code = "from llmcli.system import waits\nwaits.NOTICE_AFTER = 0.0\n"
    (folder / "sitecustomize.py").write_text(code)
    env["PYTHONPATH"] = str(folder)


def test_a_session_that_is_held(
    run: Run, endpoint: Endpoint, env: dict[str, str], home: Path, impatient: None
) -> None:
    endpoint(answer("ok"))
    run("ask", "--session", "s", "Q1")
    with (
        held(home / STATE / "sessions/s.jsonl") as holder,
        subprocess.Popen(
            [PROGRAM, "ask", "-n", "--session", "s", "Q2"], env=env, stderr=subprocess.PIPE
        ) as process,
    ):
        assert process.stderr
        line = process.stderr.readline()
        assert line == b"llmcli: waiting for another process that holds session s\n"
        holder.kill()
        process.communicate(timeout=120)
        assert process.returncode == 0


@pytest.mark.parametrize("quiet", [False, True])
def test_a_server_that_asks_to_wait(
    run: Run, endpoint: Endpoint, impatient: None, quiet: bool
) -> None:
    """Also without a terminal, where a retry by itself is not told."""
    late = error("429 Too Many Requests", {"error": {"message": "slow down"}}, "Retry-After: 1")
    endpoint(in_turn(late, answer("ok")))
    done = run("ask", "hi", *(["-q"] if quiet else []))
    assert (done.returncode, done.stdout) == (0, b"ok\n")
    told = b"llmcli: waiting 1 s more for the next attempt (HTTP 429: slow down)\n"
    assert (told in done.stderr) == (not quiet)
    assert not quiet or done.stderr == b""
