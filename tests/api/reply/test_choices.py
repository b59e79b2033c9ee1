"""All that was paid for is kept: several choices, images, spoken answers, custom calls."""

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.conversations import said
from tests.support.endpoint import Script, Server, answer, chunk, events, in_turn
from tests.support.program import Run, one_line

Endpoint = Callable[[Script], Server]


def whole(finish: str = "stop", **message: Any) -> Script:
    return lambda wire, _: wire.json(chunk(None, message=message, finish_reason=finish))


def choice(index: int, text: str, finish: str | None = None) -> dict[str, Any]:
    return {"index": index, "delta": {"content": text}, "finish_reason": finish}


def test_every_choice_stands_in_json_and_events(run: Run, endpoint: Endpoint) -> None:
    endpoint(
        events(
            {"choices": [choice(1, "tw")]},
            {"choices": [choice(0, "one"), choice(1, "o")]},
            {"choices": [choice(0, "", "stop"), choice(1, "", "stop")]},
        )
    )
    told = json.loads(run("ask", "--json", "-o", "n=2", "hi").stdout)["choices"]
    assert [(one["index"], one["message"]["content"]) for one in told] == [(0, "one"), (1, "two")]
    lines = [
        json.loads(one)
        for one in run("ask", "--events", "-o", "n=2", "hi").stdout.split(b"\n")
        if one
    ]
    pieces = [(one.get("index", 0), one["content"]) for one in lines if one["event"] == "delta"]
    assert pieces == [(1, "tw"), (0, "one"), (1, "o")]
    assert len(lines[-1]["choices"]) == 2


def test_choices_of_a_whole_reply(run: Run, endpoint: Endpoint) -> None:
    messages = [{"message": {"content": text}, "finish_reason": "stop"} for text in "abc"]
    endpoint(lambda wire, _: wire.json({"choices": messages}))
    told = json.loads(run("ask", "--json", "--no-stream", "-o", "n=3", "hi").stdout)
    assert [one["message"]["content"] for one in told["choices"]] == ["a", "b", "c"]
    line = json.loads(run("map", "--json", "-o", "n=3", "x", input=b"r\n").stdout)
    assert len(line["choices"]) == 3


def test_one_choice_that_is_cut_is_told(run: Run, endpoint: Endpoint) -> None:
    endpoint(events({"choices": [choice(0, "one", "stop"), choice(1, "two", "length")]}))
    done = run("ask", "--json", "-o", "n=2", "hi")
    assert done.returncode == 86
    assert len(json.loads(done.stdout)["choices"]) == 2
    # One that nobody asked for is not judged.
    assert run("ask", "hi").stdout == b"one\n"


def test_fewer_choices_than_were_asked_for(run: Run, endpoint: Endpoint) -> None:
    endpoint(answer("one"))
    done = run("ask", "--json", "-o", "n=2", "hi")
    assert done.returncode == 0
    assert b"the server sent 1 of 2 choices" in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["ask", "hi"],
        ["ask", "--json", "--session", "s", "hi"],
        ["ask", "--json", "-x", "hi"],
        ["ask", "--json", "--yes-no", "hi"],
        ["ask", "--json", "--schema", '{"type": "object"}', "hi"],
        ["ask", "--json", "--save-messages", "m.json", "hi"],
        ["map", "x"],
        ["map", "--json", "-x", "x"],
    ],
)
def test_several_choices_are_refused_where_one_has_a_place(
    run: Run, endpoint: Endpoint, arguments: list[str]
) -> None:
    server = endpoint(answer("x"))
    done = run(*arguments, "-o", "n=3", input=b"r\n")
    assert done.returncode == 2
    assert "nothing sent" in one_line(done.stderr)
    assert not server.requests


IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD"}}


@pytest.mark.parametrize(
    "message", [{"content": "", "images": [IMAGE]}, {"content": [IMAGE]}, {"content": [[], IMAGE]}]
)
def test_an_image_alone_is_an_answer_in_json(
    run: Run, endpoint: Endpoint, message: dict[str, Any]
) -> None:
    for script in (
        whole(**message),
        events(chunk(None, delta=message), chunk("", finish_reason="stop")),
    ):
        endpoint(script)
        done = run("ask", "--json", "hi")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["choices"][0]["message"]["images"] == [IMAGE]
        done = run("ask", "hi")
        assert (done.returncode, done.stdout) == (65, b"")
        assert "the answer is an image (model m); use --json" in one_line(done.stderr)
        assert run("map", "x", input=b"r\n").returncode == 3
        assert run("map", "--json", "x", input=b"r\n").returncode == 0


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ({"content": "", "images": [IMAGE]}, "[an image]"),
        ({"content": [IMAGE]}, "[an image]"),
        ({"content": None, "audio": {"id": "a", "data": "QUJD"}}, "[audio]"),
        ({"content": [{"type": "video", "video": "x"}]}, "[not text]"),
    ],
)
def test_an_answer_that_is_no_text_is_named_in_the_next_request(
    run: Run, endpoint: Endpoint, message: dict[str, Any], words: str
) -> None:
    """Anthropic refuses an empty text: "text content blocks must be non-empty"."""
    server = endpoint(in_turn(whole(**message), answer("x")))
    assert run("ask", "--json", "--session", "s", "draw").returncode == 0
    assert run("ask", "-c", "and now?").returncode == 0
    expected = ["draw", words, "and now?"]
    assert [one["content"] for one in server.requests[1].json["messages"]] == expected


def test_images_beside_a_text_are_told(run: Run, endpoint: Endpoint) -> None:
    endpoint(whole(content="Look:", images=[IMAGE]))
    done = run("ask", "hi")
    assert (done.returncode, done.stdout) == (0, b"Look:\n")
    assert b"the answer has images beside its text; --json has them" in done.stderr
    assert b"images beside" not in run("ask", "--json", "hi").stderr


def test_parts_of_other_kinds_are_kept(run: Run, endpoint: Endpoint) -> None:
    parts = [{"type": "text", "text": "see "}, {"type": "reference", "reference_ids": [1]}]
    endpoint(whole(content=parts))
    message = json.loads(run("ask", "--json", "hi").stdout)["choices"][0]["message"]
    assert message["content"] == "see "
    assert message["content_parts"] == [{"type": "reference", "reference_ids": [1]}]


def test_of_audio_the_transcript_is_the_text(run: Run, endpoint: Endpoint) -> None:
    audio = {"id": "a1", "data": "QUJD", "transcript": "Hello there"}
    endpoint(whole(content=None, audio=audio))
    assert run("ask", "--no-stream", "hi").stdout == b"Hello there\n"
    pieces: list[dict[str, Any]] = [
        {"audio": {"id": "a1", "transcript": "Hello "}},
        {"audio": {"transcript": "there"}},
        {"audio": {"data": base64.b64encode(b"A").decode()}},
        {"audio": {"data": base64.b64encode(b"BC").decode(), "expires_at": 5}},
    ]
    deltas = [chunk(None, delta=piece) for piece in pieces]
    endpoint(events(*deltas, chunk("", finish_reason="stop")))
    assert run("ask", "hi").stdout == b"Hello there\n"
    message = json.loads(run("ask", "--json", "hi").stdout)["choices"][0]["message"]
    assert message["content"] == "Hello there"
    assert message["audio"] == {**audio, "expires_at": 5}


CUSTOM = {"id": "call_1", "type": "custom", "custom": {"name": "sums", "input": "7 * 6"}}


def test_a_custom_call_comes_out_as_it_came_and_goes_back(run: Run, endpoint: Endpoint) -> None:
    first = {**CUSTOM, "index": 0, "custom": {"name": "sums", "input": ""}}
    rest = [{"index": 0, "custom": {"input": text}} for text in ("7 *", " 6")]
    pieces = [chunk(None, delta={"tool_calls": [one]}) for one in (first, *rest)]
    streamed = events(*pieces, chunk("", finish_reason="tool_calls"))
    for script in (streamed, whole("tool_calls", content=None, tool_calls=[CUSTOM])):
        server = endpoint(in_turn(script, answer("42")))
        done = run("ask", "--session", f"s{id(script)}", "hi")
        assert (done.returncode, json.loads(done.stdout)) == (0, CUSTOM), done.stderr
        done = run("ask", "-c", "--tool-result", "call_1=42")
        assert done.returncode == 0, done.stderr
        assert said(server)[1]["tool_calls"] == [CUSTOM]
    shown = run("session", "show", f"s{id(script)}").stdout
    assert b"[calls call_1: sums 7 * 6]" in shown


def test_a_custom_call_is_left_to_the_caller(run: Run, endpoint: Endpoint, tmp_path: Path) -> None:
    tools = [
        {"type": "function", "function": {"name": "f"}, "command": ["true"]},
        {"type": "custom", "custom": {"name": "sums"}},
    ]
    (tmp_path / "tools.json").write_text(json.dumps(tools))
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": "null"}}
    endpoint(whole("tool_calls", content=None, tool_calls=[call, CUSTOM]))
    done = run("ask", "--tools", str(tmp_path / "tools.json"), "--run-tools", "hi")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == CUSTOM


def test_a_tool_that_is_run_gets_an_object_for_null(
    run: Run, endpoint: Endpoint, tmp_path: Path
) -> None:
    tools = [{"type": "function", "function": {"name": "f"}, "command": ["cat"]}]
    (tmp_path / "tools.json").write_text(json.dumps(tools))
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": "null"}}
    server = endpoint(in_turn(whole("tool_calls", content=None, tool_calls=[call]), answer("ok")))
    assert (
        run("ask", "--tools", str(tmp_path / "tools.json"), "--run-tools", "hi").stdout == b"ok\n"
    )
    assert said(server)[1]["tool_calls"] == [call]
    assert said(server)[2]["content"] == "{}"


def test_a_call_without_name_and_arguments_is_none(run: Run, endpoint: Endpoint) -> None:
    for empty in (
        {"function": {"name": "", "arguments": ""}},
        {"custom": {"name": "", "input": ""}},
    ):
        endpoint(whole(content="Blue", tool_calls=[{"id": "x", "type": "function", **empty}]))
        done = run("ask", "--json", "hi")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["choices"][0]["message"]["tool_calls"] == []


def test_empty_objects_beside_a_call_and_a_text_are_nothing(run: Run, endpoint: Endpoint) -> None:
    function = {"name": "f", "arguments": "{}"}
    call = {"id": "1", "type": "function", "custom": {"name": "", "input": ""}}
    audio = {"id": "", "data": "", "transcript": "", "expires_at": 0}
    calls = [{**call, "function": function}]
    endpoint(whole("", content="So:", audio=audio, tool_calls=calls, function_call={"name": ""}))
    message = json.loads(run("ask", "--json", "hi").stdout)["choices"][0]["message"]
    assert message["tool_calls"] == [{"id": "1", "type": "function", "function": function}]
    assert "audio" not in message
    endpoint(whole(content="", audio=audio))
    assert run("ask", "--json", "--retries", "0", "hi").returncode == 69


def test_text_and_calls_in_two_choices_are_one_answer(run: Run, endpoint: Endpoint) -> None:
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    messages: list[dict[str, Any]] = [{"content": "I look."}, {"tool_calls": [call]}]
    choices = [{"message": one, "finish_reason": "tool_calls"} for one in messages]
    endpoint(lambda wire, _: wire.json({"choices": choices}))
    assert run("ask", "hi").stdout == b"I look.\n" + json.dumps(call).encode() + b"\n"
