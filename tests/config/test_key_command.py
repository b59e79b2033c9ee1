"""api_key_command: a program that prints the key, and what becomes of one that does not."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.conversations import gone
from tests.support.endpoint import Script, Server
from tests.support.program import KEY, PROGRAM, Run, one_line
from tests.support.terminals import on_a_terminal, read_until

Endpoint = Callable[[Script], Server]

Config = Callable[[str], Path]


def test_key_command_without_a_shell_and_without_our_stdin(
    run: Run, keyless: Server, config: Config, tmp_path: Path
) -> None:
    program = tmp_path / "give key"
    program.write_text(f"#!{sys.executable}\nimport sys\nprint(sys.argv[1] + sys.stdin.read())\n")
    program.chmod(0o700)
    config(f'base_url = "{keyless.base_url}"\napi_key_command = ["{program}", "$HOME"]\n')
    assert run("ask", "hi", input=b"piped").returncode == 0
    assert keyless.authorization == "Bearer $HOME"
    assert keyless.only.json["messages"][0]["content"] == "piped\n\nhi"


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ("false", "api_key_command failed with exit code 1"),
        ("/nonexistent/program", "cannot run /nonexistent/program: No such file"),
        ("true", "the key from api_key_command is empty"),
        ('printf "a b"', "contains character U+0020 at position 2 of 3"),
    ],
)
def test_key_command_that_fails(
    run: Run, keyless: Server, config: Config, command: str, says: str
) -> None:
    config(f"base_url = '{keyless.base_url}'\napi_key_command = '{command}'\n")
    done = run("ask", "hi")
    assert done.returncode == 78
    assert says in one_line(done.stderr)
    assert keyless.requests == []


HANGS = [["sleep", "61"], ["sh", "-c", "sleep 61; true"], ["sh", "-c", "trap '' TERM; sleep 61"]]


@pytest.mark.parametrize("command", HANGS, ids=" ".join)
@pytest.mark.parametrize("asked", ["ask", "map"])
def test_key_command_that_hangs_ends_at_the_deadline(
    run: Run, keyless: Server, config: Config, command: list[str], asked: str
) -> None:
    config(f"base_url = {keyless.base_url!r}\napi_key_command = {json.dumps(command)}\n")
    started = time.monotonic()
    done = run(asked, "--deadline", "1", "hi", input=b"a line")
    assert done.returncode == 124
    assert "deadline of 1 s reached: api_key_command has not ended" in one_line(done.stderr)
    assert time.monotonic() - started < 20
    assert keyless.requests == []


@pytest.mark.parametrize("asked", ["ask", "map", "models"])
def test_key_command_that_hangs_ends_by_a_signal(
    keyless: Server, config: Config, env: dict[str, str], tmp_path: Path, asked: str
) -> None:
    """With its children, of which nobody would know."""
    script = "sleep 61 & echo $! > child.tmp; mv child.tmp child; wait"
    config(
        f"base_url = {keyless.base_url!r}\napi_key_command = {json.dumps(['sh', '-c', script])}\n"
    )
    more = [] if asked == "models" else ["hi"]
    with subprocess.Popen(
        [PROGRAM, asked, *more], env=env, cwd=tmp_path, stdin=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:  # fmt: skip
        while not (tmp_path / "child").exists():
            time.sleep(0.01)
        process.terminate()
        assert process.wait(120) == -signal.SIGTERM
    assert gone(int((tmp_path / "child").read_text()))


def test_key_command_whose_children_stay_has_ended_with_it(
    run: Run, keyless: Server, config: Config
) -> None:
    command = ["sh", "-c", f"sleep 30 & echo {KEY}"]
    config(f"base_url = {keyless.base_url!r}\napi_key_command = {json.dumps(command)}\n")
    started = time.monotonic()
    assert run("ask", "hi").returncode == 0
    assert time.monotonic() - started < 20
    assert keyless.authorization == f"Bearer {KEY}"


def test_key_command_asks_at_the_terminal(
    keyless: Server, config: Config, env: dict[str, str], tmp_path: Path
) -> None:
    """As a program that wants a passphrase does."""
    script = f'printf "passphrase? " > /dev/tty; read -r word < /dev/tty; echo {KEY}'
    config(
        f"base_url = {keyless.base_url!r}\napi_key_command = {json.dumps(['sh', '-c', script])}\n"
    )
    with on_a_terminal([PROGRAM, "ask", "hi"], env, tmp_path) as (process, terminal):
        read_until(terminal, b"passphrase? ")
        os.write(terminal, b"word\n")
        read_until(terminal, b"ok")
        assert process.wait(120) == 0
    assert keyless.authorization == f"Bearer {KEY}"
