"""Conversations that are given whole, as other programs keep them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.conversations import said
from tests.support.endpoint import Script, Server, answer
from tests.support.program import Run, one_line

Endpoint = Callable[[Script], Server]
USER = {"role": "user", "content": "hi"}
SUM = {"id": "1", "type": "custom", "custom": {"name": "sum", "input": "1+1"}}


def none(**fields: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": None, **fields}


@pytest.mark.parametrize(
    "messages",
    [
        [
            USER,
            none(function_call={"name": "f", "arguments": "{}"}),
            {"role": "function", "name": "f", "content": "42"},
        ],
        [USER, none(refusal="I will not"), USER],
        [USER, none(audio={"id": "a1"}), USER],
        [USER, none(tool_calls=[SUM]), {"role": "tool", "tool_call_id": "1", "content": "2"}],
        [{"role": "system", "content": "Say hello."}],
        [{"role": "developer", "content": "Say hello."}],
    ],
)
def test_they_are_sent_as_they_are(
    run: Run, endpoint: Endpoint, tmp_path: Path, messages: list[Any]
) -> None:
    server = endpoint(answer("yes"))
    (tmp_path / "m.json").write_text(json.dumps(messages))
    done = run("ask", "--messages", str(tmp_path / "m.json"))
    assert (done.returncode, done.stdout) == (0, b"yes\n"), done.stderr
    assert said(server) == messages


@pytest.mark.parametrize(
    "message", [none(), none(refusal=""), none(tool_calls=[]), {**USER, "content": None}]
)
def test_a_message_must_say_something(
    run: Run, endpoint: Endpoint, tmp_path: Path, message: dict[str, Any]
) -> None:
    server = endpoint(answer("yes"))
    (tmp_path / "m.json").write_text(json.dumps([USER, message]))
    assert run("ask", "--messages", str(tmp_path / "m.json")).returncode == 65
    (tmp_path / "m.json").write_text("[]")
    assert run("ask", "--messages", str(tmp_path / "m.json")).returncode == 2
    assert not server.requests


def test_the_system_message_to_drop_is_named(run: Run, endpoint: Endpoint, tmp_path: Path) -> None:
    endpoint(answer("yes"))
    (tmp_path / "m.json").write_text(json.dumps([{"role": "system", "content": "x"}, USER]))
    told = one_line(run("ask", "--messages", str(tmp_path / "m.json"), "-s", "y").stderr)
    assert told.endswith("drop -s")
