"""What the program says of itself: help, its version, and that the module is the same program."""

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.generated.tree import tree
from tests.support.endpoint import Script, Server
from tests.support.program import PROGRAM, Run

Endpoint = Callable[[Script], Server]


@pytest.mark.parametrize("command", [" ".join(c.path) for c in tree().walk()])
def test_help_shows_examples_and_takes_no_network(run: Run, command: str) -> None:
    done = run(*command.split(), "--help")
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"Example" in done.stdout and b"llmcli" in done.stdout.split(b"Example")[1]


@pytest.mark.parametrize("command", ["", "ask", "session show"])
def test_h_is_short_for_help(run: Run, command: str) -> None:
    assert run(*command.split(), "-h").stdout == run(*command.split(), "--help").stdout != b""


def test_version(run: Run) -> None:
    assert re.fullmatch(rb"llmcli \d+\.\d+\.\d+\n", run("--version").stdout)


def test_module_is_the_same_program(env: dict[str, str], tmp_path: Path) -> None:
    """And a stray module of the working directory is not run in its place."""
    for name in ("json.py", "netrc.py", "typer.py"):
        (tmp_path / name).write_text("raise SystemExit('stray module')\n")
    python = str(Path(PROGRAM).with_name("python"))
    done = subprocess.run(
        [python, "-m", "llmcli", "--version"],
        env=env,
        cwd=tmp_path,
        capture_output=True,
        check=False,
    )
    assert done.stdout.startswith(b"llmcli "), done.stderr
