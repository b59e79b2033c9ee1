"""Every test runs the real program, in a home of its own, against loopback only."""

import json
import os
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.support.batches import Batches, batching, completes
from tests.support.echo import Echo, echoing
from tests.support.endpoint import Script, Server, answer, serving
from tests.support.internet import Internet, internet
from tests.support.killing import FAULT
from tests.support.manual import write_files
from tests.support.program import (
    CITY,
    KEY,
    PROGRAM,
    ROOT,
    At,
    Run,
    Tools,
    clean_environment,
    installer_settings,
)


def pytest_configure() -> None:
    """A background job of a shell ignores SIGINT, nohup SIGHUP; so would all that they start."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def pytest_xdist_auto_num_workers() -> int:
    """Two for each of a few processors: much of its time a test waits for another process."""
    processors = os.cpu_count() or 1
    return max(processors, min(2 * processors, 8))


@pytest.fixture(autouse=True)
def isolated(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test that forgets its isolation fails: no network but loopback."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6):
            assert address[0] in ("127.0.0.1", "::1", "localhost"), f"a test connects to {address}"
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path / "home"
    home.mkdir()
    return home


@pytest.fixture
def env(home: Path) -> dict[str, str]:
    """The environment of the program; a test changes it as it likes."""
    return clean_environment(home)


@pytest.fixture
def run(env: dict[str, str], tmp_path: Path) -> Run:
    """Run llmcli to its end. stdin is empty unless `input` or `stdin` is given."""

    def run(*arguments: str | bytes, **options: Any) -> subprocess.CompletedProcess[bytes]:
        if "input" not in options:
            options.setdefault("stdin", subprocess.DEVNULL)
        options.setdefault("stdout", subprocess.PIPE)
        options.setdefault("stderr", subprocess.PIPE)
        options.setdefault("cwd", tmp_path)
        options.setdefault("env", env)
        options.setdefault("timeout", 120)
        return subprocess.run([PROGRAM, *arguments], check=False, **options)

    return run


@pytest.fixture
def endpoint(env: dict[str, str]) -> Iterator[Callable[[Script], Server]]:
    """Start a scripted endpoint and configure it by the environment."""
    with ExitStack() as stack:

        def start(script: Script) -> Server:
            server = stack.enter_context(serving(script))
            env["LLMCLI_BASE_URL"] = server.base_url
            env["LLMCLI_API_KEY"] = KEY
            env["LLMCLI_MODEL"] = "m"
            return server

        yield start


@pytest.fixture
def server(endpoint: Callable[[Script], Server]) -> Server:
    """An endpoint that always answers "ok"."""
    return endpoint(answer("ok"))


@pytest.fixture
def keyless(server: Server, env: dict[str, str]) -> Server:
    """Such an endpoint, whose key is not in the environment."""
    del env["LLMCLI_API_KEY"]
    return server


@pytest.fixture
def world(tmp_path: Path, env: dict[str, str]) -> Iterator[Internet]:
    """Every server of the world, on loopback, and the program led there by a proxy."""
    with internet(tmp_path) as world:
        env |= world.variables
        yield world


@pytest.fixture
def config(home: Path) -> Callable[[str], Path]:
    """Write config.toml."""

    def write(text: str) -> Path:
        path = home / ".config" / "llmcli" / "config.toml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    return write


# The wall clock of the process, moved.
CLOCK = """
import os, time
real, moved = time.time, float(os.environ["MOVED"])
time.time = lambda: real() + moved
"""


@pytest.fixture
def at(env: dict[str, str], tmp_path: Path) -> At:
    """Make the environment of a process that runs at another time."""
    (tmp_path / "clock").mkdir()
    (tmp_path / "clock/sitecustomize.py").write_text(CLOCK)

    def moved(moment: datetime) -> dict[str, str]:
        seconds = (moment - datetime.now(UTC)).total_seconds()
        return {**env, "PYTHONPATH": str(tmp_path / "clock"), "MOVED": str(seconds)}

    return moved


@pytest.fixture
def tools(tmp_path: Path) -> Tools:
    """The options for tools given as shell scripts by name; `more` stands beside the command."""

    def write(more: dict[str, Any] | None = None, /, **scripts: str) -> list[str]:
        definitions = [
            {
                "type": "function",
                "function": {"name": name, "parameters": CITY if name == "weather" else {}},
                "command": ["sh", "-c", script],
                **(more or {}),
            }
            for name, script in scripts.items()
        ]
        (tmp_path / "tools.json").write_text(json.dumps(definitions))
        return ["--tools", "tools.json", "--run-tools"]

    return write


@pytest.fixture
def killed_at(env: dict[str, str], tmp_path: Path) -> Run:
    """`ask`, killed at its n-th change of its state, or its n-th write after `part` bytes."""
    folder = tmp_path / "fault"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(FAULT)

    def ask(at: int, part: int, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        variables = {"PYTHONPATH": str(folder), "KILL_AT": str(at), "KILL_PART": str(part)}
        return subprocess.run(
            [PROGRAM, "ask", "-n", *arguments],
            env={**env, **variables},
            cwd=tmp_path,
            capture_output=True,
            check=False,
            timeout=120,
        )

    return ask


@pytest.fixture
def embedded(env: dict[str, str]) -> dict[str, str]:
    """The embedded model, its weights fetched once for all tests and sessions."""
    shared = ROOT / ".pytest_cache" / "llmcli-data"
    env["XDG_DATA_HOME"] = str(shared)
    done = subprocess.run(
        [PROGRAM, "local", "pull"],
        env={**installer_settings(), **env},
        capture_output=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr.decode()
    return env


@pytest.fixture
def echo(env: dict[str, str]) -> Iterator[Echo]:
    """An endpoint for many records, configured by the environment."""
    with echoing() as server:
        env.update(LLMCLI_BASE_URL=server.base_url, LLMCLI_API_KEY=KEY, LLMCLI_MODEL="m")
        yield server


@pytest.fixture
def batches(env: dict[str, str]) -> Iterator[Batches]:
    """An endpoint whose batches are over at the second question, configured by the environment."""
    server = Batches(advance=completes())
    with batching(env, server):
        yield server


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with the files that the examples of README and manual name."""
    folder = tmp_path / "place"
    folder.mkdir()
    write_files(folder)
    return folder
