"""What is written of a conversation, in its session and by --save-messages."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.conversations import kept, said
from tests.support.endpoint import Request, Script, Server, Wire, answer, in_turn
from tests.support.program import Run

Endpoint = Callable[[Script], Server]


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


def test_controls_in_json_are_escaped(run: Run, endpoint: Endpoint, env: dict[str, str]) -> None:
    endpoint(answer("\x9b31m\u202e"))
    run("ask", "--session", "s", "hi")
    for command in (["show", "s", "--json"], ["export", "s"]):
        done = run("session", *command)
        assert b"\\u009b31m\\u202e" in done.stdout
    assert b"\\u009b" in run("ask", "--dry-run", "\x9b31m").stdout
