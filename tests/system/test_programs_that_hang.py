"""A program or a server that hangs ends with llmcli, whichever command waits for it."""

import os
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.endpoint import Server
from tests.support.program import PROGRAM
from tests.support.waiting import reach_deadline, wait_until

# A program that says that it runs, and never ends.
HANGS = "#!/bin/sh\necho $$ > {0}.new; mv {0}.new {0}; exec sleep 1000\n"
KEYRING = """
import pathlib, time
from keyring.backend import KeyringBackend

class Hanging(KeyringBackend):
    priority = 1
    def get_password(self, service, name):
        pathlib.Path({0!r}).write_text("0")
        time.sleep(1000)
    def set_password(self, *_): pass
    def delete_password(self, *_): pass
"""


@pytest.fixture
def begun(tmp_path: Path) -> Path:
    """The file that says that the program runs; it holds its process id."""
    return tmp_path / "begun"


@pytest.fixture
def program(tmp_path: Path, begun: Path) -> Path:
    path = tmp_path / "hangs"
    path.write_text(HANGS.format(begun))
    path.chmod(0o755)
    return path


@pytest.fixture
def silent(begun: Path) -> Iterator[str]:
    """A server that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


# The command, what it waits for, and whether its deadline ends it.
WAITS = [
    ("ask hi", "key", True),
    ("map x", "key", True),
    ("models", "key", True),
    ("config check", "key", True),
    ("ask hi", "keyring", True),
    ("config check", "keyring", True),
    ("template edit t", "editor", False),  # a person may take as long as they like
    ("local pull", "installer", True),
    ("ask -m local hi", "installer", True),
]


@pytest.fixture
def waiting(
    env: dict[str, str], server: Server, tmp_path: Path, begun: Path, program: Path, silent: str
) -> Iterator[Callable[[str, str], "subprocess.Popen[bytes]"]]:
    """Start a command that waits for what hangs, and return once it waits."""
    processes: list[subprocess.Popen[bytes]] = []

    def start(line: str, awaited: str) -> "subprocess.Popen[bytes]":
        del env["LLMCLI_API_KEY"]
        if awaited == "key":
            env["LLMCLI_API_KEY_COMMAND"] = str(program)
        elif awaited == "keyring":
            (tmp_path / "hanging.py").write_text(KEYRING.format(str(begun)))
            env.update(PYTHON_KEYRING_BACKEND="hanging.Hanging", PYTHONPATH=str(tmp_path))
            env["LLMCLI_KEYRING"] = "1"
        elif awaited == "editor":
            env["EDITOR"] = str(program)
        else:
            env.update(PIP_INDEX_URL=silent, PIP_TIMEOUT="1000", PIP_CONFIG_FILE=os.devnull)
            env["PIP_NO_CACHE_DIR"] = "1"
        process = subprocess.Popen(
            [PROGRAM, *line.split()],
            env=env,
            cwd=tmp_path,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        processes.append(process)
        if awaited == "installer":
            assert process.stderr
            wait_until(lambda: b"fetching" in process.stderr.readline())  # type: ignore[union-attr]
        else:
            wait_until(begun.exists)
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


@pytest.mark.parametrize(("line", "awaited", "_"), WAITS)
def test_sigterm_ends_it(
    waiting: Callable[..., "subprocess.Popen[bytes]"],
    begun: Path,
    line: str,
    awaited: str,
    _: bool,
) -> None:
    process = waiting(line, awaited)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == -signal.SIGTERM
    if begun.exists() and (pid := int(begun.read_text())):
        wait_until(lambda: not is_alive(pid))


@pytest.mark.parametrize(("line", "awaited"), [(li, a) for li, a, limited in WAITS if limited])
def test_the_deadline_ends_it(
    waiting: Callable[..., "subprocess.Popen[bytes]"], line: str, awaited: str
) -> None:
    if line == "map x":
        pytest.skip("the deadline of map is that of each record")
    process = waiting(line, awaited)
    reach_deadline(process)
    assert process.wait(60) == 124


def is_alive(pid: int) -> bool:
    with suppress(ProcessLookupError):
        os.kill(pid, 0)
        return True
    return False
