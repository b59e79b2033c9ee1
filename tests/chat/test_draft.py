"""The request that is made of messages, options and the name of a model."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.conversations import STATE, user
from tests.support.endpoint import Script, Server, answer
from tests.support.program import Run

Endpoint = Callable[[Script], Server]


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


@pytest.mark.parametrize("wrapped", [False, True])
def test_messages_are_sent_as_they_are(run: Run, server: Server, wrapped: bool) -> None:
    conversation = [
        {"role": "system", "content": "s"},
        {"role": "user", "content": "u"},
        {"role": "assistant", "content": None, "tool_calls": [{"id": "c"}], "extra": {"k": 1}},
        {"role": "tool", "tool_call_id": "c", "content": "42"},
    ]
    given = {"messages": conversation} if wrapped else conversation
    done = run("ask", "--messages", "-", "and now?", input=json.dumps(given).encode())
    assert done.returncode == 0, done.stderr
    assert server.only.json["messages"] == [
        *conversation,
        {"role": "user", "content": "and now?"},
    ]


def test_sampling_options_and_any_field_are_in_the_body(run: Run, server: Server) -> None:
    done = run(
        *[
            "ask",
            "-m",
            "p/x",
            "--temperature",
            "0.5",
            "--max-tokens",
            "9",
            "--top-p",
            "0.9",
            "--stop",
            "A",
            "--stop",
            "B",
        ],
        *["--seed", "7", "--reasoning", "high", "-o", 'user="u"', "-o", 'x={"a":[1]}', "hi"],
    )
    assert done.returncode == 0, done.stderr
    assert server.only.json == {
        "model": "p/x",
        "messages": [{"role": "user", "content": "hi"}],
        "stream": True,
        "stream_options": {"include_usage": True},
        "temperature": 0.5,
        "max_tokens": 9,
        "top_p": 0.9,
        "stop": ["A", "B"],
        "seed": 7,
        "reasoning": {"effort": "high"},
        "user": "u",
        "x": {"a": [1]},
    }


@pytest.mark.parametrize("model", ["openai/o3-mini", "gpt-5-nano", "o1"])
def test_models_that_refuse_max_tokens_get_its_new_name(
    run: Run, server: Server, model: str
) -> None:
    assert run("ask", "-m", model, "--max-tokens", "5", "--reasoning", "2000", "hi").returncode == 0
    body = server.only.json
    assert body["max_completion_tokens"] == 5
    assert body["reasoning"] == {"max_tokens": 2000}
    assert "max_tokens" not in body


def test_no_stream_asks_for_one_piece(run: Run, endpoint: Endpoint) -> None:
    reply = {"choices": [{"message": {"content": "whole"}, "finish_reason": "stop"}]}
    server = endpoint(lambda wire, _: wire.json(reply))
    assert run("ask", "--no-stream", "hi").stdout == b"whole\n"
    assert server.only.json["stream"] is False
    assert "stream_options" not in server.only.json
