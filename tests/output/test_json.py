"""--json and --events: what programs read, on success and on failure."""

import json
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from llmcli.api import strict_json
from tests.support.endpoint import (
    USAGE,
    Request,
    Script,
    Server,
    Wire,
    answer,
    broken,
    chunk,
    reasoning,
)
from tests.support.program import Run, one_line

Endpoint = Callable[[Script], Server]


@pytest.mark.parametrize("arguments", [("--json",), ("--json", "--no-stream")])
def test_json_is_the_api_shape(run: Run, endpoint: Endpoint, arguments: tuple[str, ...]) -> None:
    def script(wire: Wire, request: Request) -> None:
        if request.json["stream"]:
            wire.head("200 OK", "text/event-stream", "x-request-id: req-7")
            wire.event(chunk(None, delta={"role": "assistant", "reasoning": "hm"}))
            wire.text("an")
            wire.text("swer")
            wire.finish(usage=USAGE)
        else:
            message = {"role": "assistant", "content": "answer", "reasoning": "hm"}
            whole = chunk(None, message=message, finish_reason="stop") | {"usage": USAGE}
            wire.json(whole, "200 OK", "x-request-id: req-7")

    endpoint(script)
    done = run("ask", "-q", "hi", *arguments)
    assert done.returncode == 0, done.stderr
    value = json.loads(done.stdout)
    seconds = value["llmcli"].pop("seconds")
    assert 0 < seconds["first_token"] <= seconds["total"]
    assert value == {
        "id": "gen-1",
        "object": "chat.completion",
        "created": 1700000000,
        "model": "m",
        "choices": [
            {
                "index": 0,
                "message": {
                    "role": "assistant",
                    "content": "answer",
                    "reasoning": "hm",
                    "reasoning_details": [],
                    "tool_calls": [],
                },
                "finish_reason": "stop",
            }
        ],
        "usage": USAGE,
        "error": None,
        "llmcli": {
            "version": 1,
            "ok": True,
            "exit_code": 0,
            "kind": "ok",
            "request_id": "req-7",
            "cost_usd": 0.00123,
            "cost_source": "cost",
            "attempts": [{"status": 200, "reason": None, "waited": 0.0}],
            "retry_after": None,
            "retryable": False,
            "hint": None,
            "turns": [
                {
                    "finish_reason": "stop",
                    "usage": USAGE,
                    "cost_usd": 0.00123,
                    "cost_source": "cost",
                    "tool_calls": [],
                }
            ],
            "open_calls": [],
            "session": None,
            "tag": None,
        },
    }


def test_failure_is_in_the_json_with_the_partial_text(run: Run, endpoint: Endpoint) -> None:
    endpoint(broken)
    done = run("ask", "--json", "hi")
    assert done.returncode == 69
    value = json.loads(done.stdout)
    assert value["choices"][0]["message"]["content"] == "half an ans"
    assert value["error"] == {"code": "server_error", "message": "gone", "metadata": {"k": 1}}
    assert (value["llmcli"]["ok"], value["llmcli"]["kind"]) == (False, "server")
    assert one_line(done.stderr) == "llmcli: gone (model m, 4 attempts)"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(["--modle"], 2), (["-f", "missing"], 66), (["-o", "x"], 2), (["--json", "--events"], 2)],
)
def test_failure_before_anything_is_sent_is_json_too(
    run: Run, endpoint: Endpoint, arguments: list[str], code: int
) -> None:
    endpoint(answer("x"))
    for form in ("--json", "--events"):
        done = run("ask", form, "hi", *arguments)
        assert done.returncode == code
        value = json.loads(done.stdout.splitlines()[-1])
        assert value["llmcli"]["exit_code"] == code
        assert value["error"]["message"] in one_line(done.stderr)


def events(done: subprocess.CompletedProcess[bytes]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_events_are_lines_and_end_with_the_object(run: Run, endpoint: Endpoint) -> None:
    endpoint(reasoning(USAGE))
    *first, end = events(run("ask", "--events", "hi"))
    assert first == [
        {"event": "start", "model": "m"},
        {"event": "reasoning", "content": "let me think"},
        {"event": "delta", "content": "answer"},
        {"event": "usage", "usage": USAGE, "cost_usd": 0.00123, "cost_source": "cost"},
    ]
    assert end["event"] == "end"
    assert end["choices"][0]["message"]["content"] == "answer"
    assert end["llmcli"]["ok"] is True


def test_events_end_with_the_object_on_failure(run: Run, endpoint: Endpoint) -> None:
    endpoint(broken)
    done = run("ask", "--events", "hi")
    assert [event["event"] for event in events(done)] == ["start", "delta", "end"]
    assert events(done)[-1]["error"]["message"] == "gone"
    assert done.returncode == 69


@pytest.mark.parametrize("arguments", [(), ("--no-stream",)])
@pytest.mark.parametrize("constant", ["NaN", "Infinity", "-Infinity", "1e400"])
def test_numbers_that_are_no_json_are_said_and_written_as_null(
    run: Run, endpoint: Endpoint, constant: str, arguments: tuple[str, ...]
) -> None:
    number = float(constant)
    call = {
        "index": number,
        "id": "a",
        "x": number,
        "function": {"name": "f", "arguments": {"x": number}},
    }
    message = {"content": "good", "tool_calls": [call]}
    whole = chunk(None, message=message, finish_reason="stop", index=number, logprobs=[number])

    def script(wire: Wire, _: Request) -> None:
        text = json.dumps(whole | {"usage": {"cost": number, "prompt_tokens": number}})
        wire.whole(text.encode(), "200 OK", "application/json")

    endpoint(script)
    saved = ("--json", "--save-messages", "m.json", *arguments)
    done = run("ask", *saved, "hi")
    assert done.returncode == 0, done.stderr
    value = strict_json.parse_json(done.stdout.decode())
    assert value["usage"] == {"cost": None, "prompt_tokens": None}
    (choice,) = value["choices"]
    assert choice["logprobs"] == [None]
    assert choice["message"]["content"] == "good"
    assert choice["message"]["tool_calls"][0]["function"]["arguments"] == '{"x": null}'
    warning, _usage = done.stderr.decode().splitlines()
    assert f"warning: the server's cost {number} is not a valid amount" in warning
    assert run("ask", "--messages", "m.json", "--tool-result", "a=1", "hi").returncode == 0


def test_control_characters_in_json_are_escapes(run: Run, endpoint: Endpoint) -> None:
    endpoint(answer("\x9b2J \u202e ok 日本"))
    done = run("ask", "--json", "hi")
    assert b"\\u009b2J \\u202e ok " in done.stdout and "日本".encode() in done.stdout
    assert json.loads(done.stdout)["choices"][0]["message"]["content"] == "\x9b2J \u202e ok 日本"
