"""Reasoning: asked for, shown where it belongs, passed back as it came."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.conversations import said, user
from tests.support.endpoint import Request, Script, Server, Wire, answer, chunk, in_turn, reasoning
from tests.support.program import PROGRAM, Run, one_line
from tests.support.terminals import on_a_terminal, read_all

Endpoint = Callable[[Script], Server]


@pytest.mark.parametrize(
    ("value", "field"),
    [
        ("none", {"effort": "none"}),
        ("low", {"effort": "low"}),
        ("medium", {"effort": "medium"}),
        ("high", {"effort": "high"}),
        ("2000", {"max_tokens": 2000}),
    ],
)
def test_fields_of_the_body(run: Run, endpoint: Endpoint, value: str, field: Any) -> None:
    server = endpoint(answer("x"))
    assert run("ask", "--reasoning", value, "hi").returncode == 0
    assert server.only.json["reasoning"] == field


def test_a_typo_is_an_error_and_another_effort_has_a_way(run: Run, endpoint: Endpoint) -> None:
    server = endpoint(answer("x"))
    done = run("ask", "--reasoning", "hgih", "hi")
    assert done.returncode == 2
    assert "reasoning 'hgih' is not a valid effort" in one_line(done.stderr)
    assert server.requests == []
    assert run("ask", "-o", 'reasoning={"effort": "hgih"}', "hi").returncode == 0
    assert server.only.json["reasoning"] == {"effort": "hgih"}


def test_where_it_is_shown(run: Run, endpoint: Endpoint, env: dict[str, str]) -> None:
    endpoint(reasoning())
    done = run("ask", "-q", "hi")
    assert (done.stdout, done.stderr) == (b"answer\n", b"")
    done = run("ask", "-q", "--show-reasoning", "hi")
    assert (done.stdout, done.stderr) == (b"answer\n", b"let me think\n")
    message = json.loads(run("ask", "-q", "--json", "hi").stdout)["choices"][0]["message"]
    assert (message["content"], message["reasoning"]) == ("answer", "let me think")
    events = [json.loads(line) for line in run("ask", "--events", "hi").stdout.splitlines()]
    assert {"event": "reasoning", "content": "let me think"} in events
    with on_a_terminal([PROGRAM, "ask", "-n", "-q", "hi"], env) as (process, terminal):
        assert read_all(terminal) == b"let me think\r\nanswer\r\n"
        assert process.wait(120) == 0
    with on_a_terminal([PROGRAM, "ask", "-n", "-q", "hi"], {**env, "TERM": "xterm"}) as (
        process,
        terminal,
    ):
        assert read_all(terminal) == b"\x1b[2mlet me think\x1b[22m\r\nanswer\r\n"


PIECES: list[dict[str, Any]] = [
    {"type": "reasoning.text", "index": 0, "text": "let ", "format": "v1"},
    {"type": "reasoning.text", "index": 0, "text": "me", "signature": None},
    {"type": "reasoning.text", "index": 0, "text": "", "signature": "first"},
    {"type": "reasoning.text", "index": 0, "signature": "c2ln+/==", "id": "r-1"},
    {"type": "reasoning.summary", "index": 1, "summary": "in "},
    {"type": "reasoning.summary", "index": 1, "summary": "short"},
    {"type": "reasoning.encrypted", "index": 2, "data": "old"},
    {"type": "reasoning.encrypted", "index": 2, "data": "gAAAA+/=="},
    {"type": "reasoning.encrypted", "index": 3, "id": "no-data"},
]
WHOLE = [
    {
        "type": "reasoning.text",
        "index": 0,
        "text": "let me",
        "format": "v1",
        "signature": "c2ln+/==",
        "id": "r-1",
    },
    {"type": "reasoning.summary", "index": 1, "summary": "in short"},
    {"type": "reasoning.encrypted", "index": 2, "data": "gAAAA+/=="},
]


def thinking(wire: Wire, _request: Request) -> None:
    wire.head()
    for piece in PIECES:
        wire.event(chunk(None, delta={"reasoning_details": [piece]}))
    wire.text("A1")
    wire.finish()


@pytest.mark.parametrize("way", ["session", "messages", "json"])
def test_details_go_back_unchanged(run: Run, endpoint: Endpoint, way: str) -> None:
    """By a session, a file of messages, or a script that puts the conversation together itself."""
    server = endpoint(in_turn(thinking, answer("A2")))
    if way == "session":
        run("ask", "--session", "s", "Q1")
        run("ask", "-c", "Q2")
    elif way == "messages":
        run("ask", "--save-messages", "c.json", "Q1")
        run("ask", "--messages", "c.json", "Q2")
    else:
        reply = json.loads(run("ask", "--json", "Q1").stdout)["choices"][0]["message"]
        run("ask", "--messages", "-", "Q2", input=json.dumps([user("Q1"), reply]).encode())
    message = said(server)[1]
    assert message["reasoning_details"] == WHOLE
    assert message["content"] == "A1"
    assert "tool_calls" not in message  # no endpoint takes an empty list


def test_an_empty_list_is_never_sent(run: Run, endpoint: Endpoint) -> None:
    server = endpoint(answer("A"))
    reply = json.loads(run("ask", "--json", "Q1").stdout)["choices"][0]["message"]
    assert reply["reasoning_details"] == []
    run("ask", "--messages", "-", "Q2", input=json.dumps([user("Q1"), reply]).encode())
    assert said(server)[1] == {"role": "assistant", "content": "A"}


def test_reasoning_details_of_odd_types(run: Run, endpoint: Endpoint) -> None:
    details = [{"index": [1], "text": 5}, {"index": [1], "text": "s"}, "x", {"index": {}}]

    def script(wire: Wire, _: Request) -> None:
        wire.head()
        wire.event(chunk(None, delta={"reasoning_details": details, "content": "good"}))
        wire.finish()

    endpoint(script)
    for arguments in ((), ("--json",), ("--events",)):
        done = run("ask", "hi", *arguments)
        assert (done.returncode, b"good" in done.stdout) == (0, True), done.stderr
