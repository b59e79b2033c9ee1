"""Conversations, tools and shapes as nobody means them, found by trying to break them."""

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.conversations import STATE, gone, kept, results, said, user
from tests.support.endpoint import Request, Script, Server, Wire, answer, calling, chunk, in_turn
from tests.support.program import PROGRAM, Run, Tools, one_line
from tests.support.terminals import on_a_terminal, read_all, read_until
from tests.support.waiting import wait_until

Endpoint = Callable[[Script], Server]


def mixed(tools: Tools, folder: Path) -> list[str]:
    """The options for a tool `own`, which is run, and one `mine`, which the caller answers."""
    options = tools(own="echo")
    path = folder / "tools.json"
    mine = {"type": "function", "function": {"name": "mine"}}
    path.write_text(json.dumps([*json.loads(path.read_text()), mine]))
    return options


@pytest.mark.parametrize("text", ["my only copy", '[{"role": "user", "content": "x"}]', "{ notes"])
def test_a_file_that_is_no_session_is_left_alone(
    run: Run, endpoint: Endpoint, tmp_path: Path, text: str
) -> None:
    server = endpoint(answer("x"))
    path = tmp_path / "notes.txt"
    path.write_text(text)
    assert run("ask", "--session", "./notes.txt", "hi").returncode == 66
    assert run("session", "remove", "./notes.txt").returncode == 66
    assert path.read_text() == text
    assert server.requests == []


@pytest.mark.parametrize("first", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("second", [signal.SIGINT, signal.SIGTERM])
def test_two_signals_leave_no_tool(
    endpoint: Endpoint,
    env: dict[str, str],
    tools: Tools,
    tmp_path: Path,
    first: signal.Signals,
    second: signal.Signals,
) -> None:
    endpoint(calling(("c1", "slow", {})))
    options = tools(
        slow="trap '' TERM; echo $$ > pid.tmp; mv pid.tmp pid; sleep 65 & wait; sleep 65"
    )
    with subprocess.Popen([PROGRAM, "ask", "-n", *options, "Q"], env=env, cwd=tmp_path) as process:
        wait_until((tmp_path / "pid").exists)
        process.send_signal(first)
        time.sleep(0.06)  # within the moment that the tools are given to end
        process.send_signal(second)
        assert process.wait(120) in (-first, -second)
    assert gone(int((tmp_path / "pid").read_text()))


def test_a_call_is_neither_yes_nor_no(
    run: Run, endpoint: Endpoint, tools: Tools, tmp_path: Path
) -> None:
    options = mixed(tools, tmp_path)
    server = endpoint(calling(("c1", "mine", {}), text="Yes, let me look"))
    for more in (options, options[:2]):
        done = run("ask", *more, "--yes-no", "--repair", "2", "Is it?")
        assert done.returncode == 65
        assert "a call of a tool, neither yes nor no" in done.stderr.decode()
    assert len(server.requests) == 2  # no complaint about a call that waits for a result


@pytest.mark.parametrize("key", ["local", "bin"])
def test_a_short_key_leaves_the_environment_of_a_tool(
    run: Run, endpoint: Endpoint, tools: Tools, env: dict[str, str], key: str
) -> None:
    server = endpoint(in_turn(calling(("c1", "show", {})), answer("x")))
    env["LLMCLI_API_KEY"] = key
    env["COPY"] = key
    run("ask", *tools({"env": ["COPY"]}, show="env"), "Q")
    names = {line.partition("=")[0] for line in results(server)[0].splitlines()}
    assert "PATH" in names and "COPY" not in names


@pytest.mark.parametrize("run_tools", [True, False])
def test_calls_cut_by_the_length_are_no_calls(
    run: Run, endpoint: Endpoint, tools: Tools, run_tools: bool
) -> None:
    def cut(wire: Wire, _request: Request) -> None:
        wire.head()
        wire.text("Let me see")
        function = {"name": "weather", "arguments": '{"city": "Os'}
        call = {"index": 0, "id": "c1", "function": function}
        wire.event(chunk(None, delta={"tool_calls": [call]}))
        wire.finish("length")

    endpoint(cut)
    options = tools(weather="echo")[: 3 if run_tools else 2]
    done = run("ask", *options, "--max-tokens", "20", "--session", "s", "Q")
    assert (done.returncode, done.stdout) == (86, b"Let me see\n")


def test_a_malformed_call_for_the_caller_is_an_error_with_run_tools_too(
    run: Run, endpoint: Endpoint, tools: Tools, tmp_path: Path
) -> None:
    options = mixed(tools, tmp_path)
    endpoint(calling(("c1", "mine", '{"a": tru')))
    assert run("ask", *options, "Q").returncode == 87
    endpoint(calling(("c1", "mine", {})))
    done = run("ask", *options, "--max-turns", "1", "Q")  # nothing more to ask
    assert done.returncode == 0


def test_the_object_names_the_calls_that_are_open(
    run: Run, endpoint: Endpoint, tools: Tools, tmp_path: Path
) -> None:
    options = mixed(tools, tmp_path)
    endpoint(calling(("", "own", {}), ("", "mine", {})))
    value = json.loads(run("ask", *options, "--json", "--session", "s", "Q").stdout)
    (call,) = value["llmcli"]["open_calls"]
    assert call["function"]["name"] == "mine"
    endpoint(answer("good"))
    assert run("ask", "-c", "--tool-result", f"{call['id']}=1").returncode == 0


@pytest.mark.parametrize(
    ("schema", "code"),
    [
        ({"$schema": [1]}, 65),
        ({"pattern": "a{99999999999}"}, 65),
        ({"$dynamicRef": "#nowhere"}, None),
        ({"type": "object", "$ref": "#/type/x"}, 65),
        ({"$ref": "#/definitions/nope"}, 65),
        ({"const": {"type": "object", "additionalProperties": False, "required": [[1]]}}, None),
        ({"default": {"type": "object", "required": 3, "additionalProperties": False}}, None),
        ({"type": "number", "multipleOf": 0.1}, None),
    ],
)
def test_schemas_at_the_edge_of_the_standard_are_no_defects(
    run: Run, endpoint: Endpoint, schema: Any, code: int | None
) -> None:
    server = endpoint(answer("1" + "0" * 400))
    done = run("ask", "--schema", json.dumps(schema), "hi")
    assert done.returncode in (0, 65, 78)
    if code:
        assert (done.returncode, server.requests) == (code, [])


@pytest.mark.parametrize(
    "message",
    [
        {"role": "assistant", "content": None, "tool_calls": [{"id": "a"}]},
        {
            "role": "assistant",
            "content": "x",
            "tool_calls": [{"id": [], "function": {"name": "f"}}],
        },
        {"role": "user", "tool_calls": [{"id": "a", "function": {"name": "f"}}]},
        {"role": "assistant", "content": "x", "tool_calls": [{"function": {"name": "f"}}]},
    ],
)
def test_messages_of_other_shapes_are_refused(
    run: Run, endpoint: Endpoint, home: Path, message: Any
) -> None:
    server = endpoint(answer("x"))
    done = run("ask", "--messages", "-", "more", input=json.dumps([user("Q"), message]).encode())
    assert done.returncode in (2, 65)
    assert len(done.stderr.splitlines()) == 1
    sessions = home / STATE / "sessions"
    sessions.mkdir(parents=True, mode=0o700)
    (home / STATE).chmod(0o700)
    (sessions / "s.jsonl").write_text(json.dumps({"messages": [user("Q"), message]}) + "\n")
    (sessions / "lost.jsonl").symlink_to("/nowhere")
    assert run("ask", "--session", "s", "more").returncode in (2, 66)
    assert run("session", "list").returncode == 0
    assert run("session", "export", "s").returncode in (0, 66)
    assert server.requests == []


def test_a_failure_before_the_request_leaves_no_file(
    run: Run, endpoint: Endpoint, tmp_path: Path
) -> None:
    endpoint(answer("x"))
    assert run("ask", "--save-messages", "t.json", "--tool-result", "a=b").returncode == 2
    assert run("ask", "--save-messages", "t.json", "--tools", "missing", "Q").returncode == 66
    assert [path.name for path in tmp_path.iterdir()] == ["home"]


@pytest.mark.parametrize(
    "arguments",
    [
        ("-O", "o", "--save-messages", "./o"),
        ("--session", "./s", "--save-messages", "s"),
        ("--session", "./s", "-O", "s"),
        ("--usage-file", "u", "--session", "./u"),
        ("--save-messages", "/dev/stdout"),
    ],
)
def test_one_file_is_not_written_twice(
    run: Run, endpoint: Endpoint, arguments: tuple[str, ...]
) -> None:
    server = endpoint(answer("x"))
    assert run("ask", *arguments, "hi").returncode == 2
    assert server.requests == []


def test_type_ahead_is_no_approval_and_the_question_is_one_line(
    endpoint: Endpoint, env: dict[str, str], tools: Tools, tmp_path: Path
) -> None:
    typed = threading.Event()

    def slow(wire: Wire, request: Request) -> None:
        assert typed.wait(120)
        arguments = '{"cmd": "rm -rf /"' + "\n" * 60 + ', "x": 1}'
        calling(("c1", "own", arguments))(wire, request)

    server = endpoint(in_turn(slow, answer("x")))
    command = [PROGRAM, "ask", "-n", *tools(own="touch ran"), "--approve", "Q"]
    with on_a_terminal(command, env, tmp_path) as (process, terminal):
        wait_until(lambda: server.requests)
        os.write(terminal, b"y\n")
        read_until(terminal, b"y\r\n")  # the terminal has it
        typed.set()
        shown = read_until(terminal, b"[y/N] ")
        assert b'run own {"cmd": "rm -rf /", "x": 1}? [y/N] ' in shown
        assert not (tmp_path / "ran").exists()
        os.write(terminal, b"n\n")
        read_all(terminal)
        assert process.wait(120) == 0
    assert results(server) == ["error: this call was not allowed"]


def test_numbers_that_json_cannot_carry_poison_no_session(
    run: Run, endpoint: Endpoint, home: Path
) -> None:
    def infinite(wire: Wire, _request: Request) -> None:
        wire.head()
        wire.send(
            b'data: {"choices":[{"delta":{"content":"A1","reasoning_details":'
            b'[{"type":"reasoning.text","index":0,"text":"t","n":1e999}]}}]}\n\n'
        )
        wire.finish(usage={"unknown": 1})

    server = endpoint(in_turn(infinite, answer("A2")))
    assert run("ask", "--session", "s", "Q1").returncode == 0
    assert run("ask", "-c", "Q2").returncode == 0
    assert said(server)[1]["reasoning_details"][0]["n"] is None
    assert len(kept(home, "s")) == 2


def test_ids_with_an_equals_sign(run: Run, endpoint: Endpoint) -> None:
    server = endpoint(
        in_turn(calling(("c==", "f", {}), ("call_2", "f", {}), ("", "f", {})), answer("x"))
    )
    run("ask", "--session", "s", "Q")
    ids = [call["id"] for call in kept_calls(run)]
    assert len(set(ids)) == 3 and ids[0] == "c=="
    given = [word for identity in ids for word in ("--tool-result", f"{identity}=a=b")]
    assert run("ask", "-c", *given).returncode == 0
    assert [m["content"] for m in said(server)[2:]] == ["a=b"] * 3


def kept_calls(run: Run) -> list[dict[str, Any]]:
    messages = json.loads(run("session", "export").stdout)
    found: list[dict[str, Any]] = messages[-1]["tool_calls"]
    return found


def test_a_dash_with_a_template_is_stdin(run: Run, endpoint: Endpoint, tmp_path: Path) -> None:
    server = endpoint(answer("x"))
    (tmp_path / "r.toml").write_text('prompt = "Review"')
    run("ask", "-t", "./r.toml", "-", input=b"DIFF")
    assert said(server)[-1]["content"] == "DIFF\n\nReview"
    os.mkfifo(tmp_path / "fifo")
    done = run("ask", "-t", "./fifo", "hi")
    assert done.returncode == 66
    assert "is not a regular file" in one_line(done.stderr)


def test_controls_in_json_are_escaped(run: Run, endpoint: Endpoint, env: dict[str, str]) -> None:
    endpoint(answer("\x9b31m\u202e"))
    run("ask", "--session", "s", "hi")
    for command in (["show", "s", "--json"], ["export", "s"]):
        done = run("session", *command)
        assert b"\\u009b31m\\u202e" in done.stdout
    assert b"\\u009b" in run("ask", "--dry-run", "\x9b31m").stdout
