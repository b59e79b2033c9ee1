"""Tools that are not let run, or not to their end."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.conversations import gone, kept, results
from tests.support.endpoint import Script, Server, answer, calling, in_turn
from tests.support.program import PROGRAM, Run, Tools, one_line
from tests.support.terminals import on_a_terminal
from tests.support.waiting import reach_deadline, wait_until

Endpoint = Callable[[Script], Server]
call_weather = calling(("c1", "weather", '{"city":  "Oslo"}'))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_tools_with_their_children(
    endpoint: Endpoint,
    env: dict[str, str],
    home: Path,
    tools: Tools,
    tmp_path: Path,
    number: signal.Signals,
) -> None:
    endpoint(call_weather)
    script = "sh -c 'sleep 62; true' & echo $! > child.tmp; mv child.tmp child; wait"
    options = tools(weather=script)
    with subprocess.Popen(
        [PROGRAM, "ask", "-n", "--session", "s", *options, "Q"], env=env, cwd=tmp_path
    ) as process:
        wait_until((tmp_path / "child").exists)
        process.send_signal(number)
        assert process.wait(120) == -number
    assert gone(int((tmp_path / "child").read_text()))
    assert kept(home, "s")[0]["incomplete"] == "interrupted"


@pytest.mark.parametrize("after", [0.0, 0.001, 0.002, 0.003, 0.004, 0.006, 0.008])
def test_a_signal_while_tools_start_leaves_none(
    endpoint: Endpoint, env: dict[str, str], tools: Tools, tmp_path: Path, after: float
) -> None:
    """Some are running and some about to: none is left that nobody knows of."""
    endpoint(calling(*((f"c{n}", "slow", {}) for n in range(8))))
    options = tools(slow="echo $$ > pid.$$; exec sleep 64")
    with subprocess.Popen(
        [PROGRAM, "ask", "-n", "-q", *options, "Q"], env=env, cwd=tmp_path
    ) as process:
        while not list(tmp_path.glob("pid.*")):
            pass
        time.sleep(after)
        process.send_signal(signal.SIGINT)
        assert process.wait(120) == -signal.SIGINT
    for path in tmp_path.glob("pid.*"):
        assert gone(int(path.suffix[1:]))


def test_the_deadline_ends_the_tools(
    endpoint: Endpoint, env: dict[str, str], tools: Tools, tmp_path: Path
) -> None:
    endpoint(call_weather)
    options = tools(weather="echo $$ > pid.tmp; mv pid.tmp pid; sleep 300")
    command = [PROGRAM, "ask", "-n", "-q", *options, "--deadline", "100", "Q"]
    with subprocess.Popen(command, env=env, cwd=tmp_path, stderr=subprocess.PIPE) as process:
        wait_until((tmp_path / "pid").exists)
        reach_deadline(process)
        _, stderr = process.communicate(timeout=120)
    assert process.returncode == 124
    assert "deadline of 100 s reached: a tool has not ended" in one_line(stderr)
    assert gone(int((tmp_path / "pid").read_text()))


@pytest.mark.parametrize(("typed", "told"), [(b"y\n", "sunny"), (b"n\n", None), (b"\n", None)])
def test_approval_is_asked_at_the_terminal(
    endpoint: Endpoint,
    env: dict[str, str],
    tools: Tools,
    tmp_path: Path,
    typed: bytes,
    told: str | None,
) -> None:
    server = endpoint(in_turn(call_weather, answer("x")))
    command = [PROGRAM, "ask", "-n", *tools(weather="echo sunny"), "--approve", "Q"]
    with on_a_terminal(command, env, tmp_path) as (process, terminal):
        shown = b""
        while b"[y/N] " not in shown:
            shown += os.read(terminal, 1000)
        os.write(terminal, typed)
        while process.poll() is None:
            try:
                os.read(terminal, 1000)
            except OSError:
                break
        assert process.wait(120) == 0
    assert b'llmcli: run weather {"city": "Oslo"}? [y/N] ' in shown
    assert results(server) == [told or "error: this call was not allowed"]


def test_approval_without_a_terminal_denies(
    endpoint: Endpoint, env: dict[str, str], tools: Tools, tmp_path: Path
) -> None:
    server = endpoint(in_turn(call_weather, answer("x")))
    command = [PROGRAM, "ask", "-n", *tools(weather="touch ran"), "--approve", "Q"]
    subprocess.run(command, env=env, cwd=tmp_path, start_new_session=True, check=True)
    assert results(server) == ["error: this call was not allowed"]
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("--run-tools",), 2, "--run-tools needs --tools FILE"),
        (("--run-tools", "--tools", "none.json"), 2, "no tool of none.json has a command"),
        (("--run-tools", "--tools", "bad.json"), 65, "the parameters of f is no JSON Schema"),
        (("--tools", "missing.json"), 66, "cannot read missing.json"),
        (("--run-tools", "--tools", "gone.json"), 78, "tool f: there is no program ./nowhere; a"),
        (("--tools", "none.json", "--approve"), 2, "--approve and --strict-tools go with"),
    ],
)
def test_what_cannot_work_sends_nothing(
    run: Run,
    endpoint: Endpoint,
    tmp_path: Path,
    arguments: tuple[str, ...],
    code: int,
    says: str,
) -> None:
    server = endpoint(answer("x"))
    (tmp_path / "none.json").write_text('[{"function": {"name": "f"}}]')
    function = {"name": "f", "parameters": {"type": "objekt"}}
    gone = [{"function": {"name": "f"}, "command": ["./nowhere"]}]
    (tmp_path / "gone.json").write_text(json.dumps(gone))
    (tmp_path / "bad.json").write_text(json.dumps([{"function": function, "command": ["true"]}]))
    done = run("ask", *arguments, "Q")
    assert done.returncode == code
    assert says in one_line(done.stderr)
    assert server.requests == []
