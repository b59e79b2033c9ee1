"""Locks that another process holds: whichever command waits for one, a signal and the deadline end
it, and where it need not wait it does not."""

import fcntl
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.support.endpoint import Server
from tests.support.money import PRICED
from tests.support.program import PROGRAM, Run
from tests.support.waiting import has_open, reach_deadline, wait_until

STATE = ".local/state/llmcli"
LOCKS = {
    "session": f"{STATE}/sessions/s.jsonl",
    "ledger": f"{STATE}/ledger/{{month}}.jsonl",
    "budget": f"{STATE}/ledger/.lock",
    "model": ".local/share/llmcli/models/.lock",
    "usage": "usage",
}
# Commands that wait for a lock as long as it is held, or so long that a test need not wait.
WAITS = [
    ("ask --max-tokens 5 --session s hi", "session"),
    ("ask --max-tokens 5 -c hi", "session"),
    ("ask --max-tokens 5 hi", "budget"),
    ("local pull", "model"),
    ("ask -m local hi", "model"),
]
# Commands that do not wait for it, or not for long, with their exit code.
GOES_ON = [
    ("session list", "session", 0),
    ("session show s", "session", 0),
    ("session show", "session", 0),
    ("session export s", "session", 0),
    ("session remove s", "session", 0),
    ("usage", "ledger", 0),
    ("usage", "budget", 0),
    ("ask hi", "ledger", 0),
    ("map x", "ledger", 0),
    ("local list", "model", 0),
    ("ask --usage-file ~/usage hi", "usage", 0),
]


@pytest.fixture
def held(
    home: Path, run: Run, server: Server, config: Callable[[str], Path]
) -> Iterator[Callable[[str], Path]]:
    """Hold a lock, and return its file. There is a session, a ledger and a budget."""
    assert run("ask", "--session", "s", "hi").returncode == 0
    config(f"{PRICED}\nbudget.month = 1")
    with ExitStack() as stack:

        def hold(name: str) -> Path:
            path = home / LOCKS[name].format(month=datetime.now(UTC).strftime("%Y-%m"))
            path.parent.mkdir(parents=True, exist_ok=True)
            file = stack.enter_context(path.open("a"))
            fcntl.flock(file, fcntl.LOCK_EX)
            return path

        yield hold


@pytest.mark.parametrize("by", ["signal", "deadline"])
@pytest.mark.parametrize(("line", "lock"), WAITS)
def test_the_wait_for_it_ends(
    held: Callable[[str], Path], env: dict[str, str], tmp_path: Path, line: str, lock: str, by: str
) -> None:
    path = held(lock)
    with subprocess.Popen(
        [PROGRAM, *line.split()],
        env=env,
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    ) as process:
        wait_until(lambda: process.poll() is not None or has_open(process.pid, path))
        if by == "signal":
            process.send_signal(signal.SIGTERM)
        else:
            reach_deadline(process)
        said = process.communicate(timeout=60)[1]
    assert process.returncode == (-signal.SIGTERM if by == "signal" else 124), said


@pytest.mark.parametrize(("line", "lock", "code"), GOES_ON)
def test_who_need_not_wait_goes_on(
    held: Callable[[str], Path], run: Run, home: Path, line: str, lock: str, code: int
) -> None:
    (home / ".config/llmcli/config.toml").write_text(PRICED)
    held(lock)
    done = run(*line.replace("~", str(home)).split(), input=b"a\n")
    assert done.returncode == code, done.stderr
    assert (b"not recorded" in done.stderr) == (lock == "ledger" and line != "usage")
