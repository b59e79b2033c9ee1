"""Chunks joined to an answer, in the shapes that servers send beside the recorded ones."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.endpoint import Script, Server, chunk, events
from tests.support.program import Run, one_line

Endpoint = Callable[[Script], Server]


def finish(reason: str | None, text: str | None = None) -> dict[str, Any]:
    return chunk(text, finish_reason=reason)


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        ("SAFETY", 82),
        ("content_filter: RECITATION", 82),
        ("sensitive", 82),
        ("insufficient_system_resource", 69),
        ("abort", 69),
        ("timeout", 69),
        ("ERROR", 69),
        ("MAX_TOKENS", 86),
        ("model_length", 86),
        ("STOP", 0),
    ],
)
def test_finish_reasons_in_any_spelling(
    run: Run, endpoint: Endpoint, reason: str, code: int
) -> None:
    endpoint(events(chunk("half"), finish(reason)))
    assert run("ask", "--retries", "0", "hi").returncode == code


def test_text_beside_an_error_is_shown(run: Run, endpoint: Endpoint) -> None:
    endpoint(events(chunk("half"), chunk(" more") | {"error": {"message": "gone"}}))
    assert run("ask", "hi").stdout == b"half more"


def test_a_finish_reason_before_more_text_is_no_end(run: Run, endpoint: Endpoint) -> None:
    endpoint(events(finish("stop", "Hello "), chunk("wor"), done=False, reset=True))
    assert run("ask", "--retries", "0", "hi").returncode == 85
    endpoint(events(finish("stop", "Hello "), chunk("world"), finish("stop"), done=False))
    assert run("ask", "hi").stdout == b"Hello world\n"


def test_max_tokens_does_not_make_nothing_an_answer(
    run: Run, endpoint: Endpoint, tmp_path: Any
) -> None:
    (tmp_path / "out").write_text("old")
    endpoint(events(chunk(None, delta={"reasoning": "hm"}), finish("length")))
    assert run("ask", "--max-tokens", "5", "-O", "out", "hi").returncode == 86
    assert (tmp_path / "out").read_text() == "old"


def test_a_whole_message_after_its_pieces_is_not_repeated(run: Run, endpoint: Endpoint) -> None:
    last = chunk(None, finish_reason="stop", message={"content": "Hello world"})
    endpoint(events(chunk("Hello "), chunk("world"), last))
    assert run("ask", "hi").stdout == b"Hello world\n"


def test_an_id_of_its_own_for_each_piece_of_one_call(run: Run, endpoint: Endpoint) -> None:
    def piece(identity: str, **function: str) -> dict[str, Any]:
        call = {"index": 0, "id": identity, "function": function}
        return chunk(None, delta={"tool_calls": [call]})

    pieces = [piece("a", name="get"), piece("b", arguments='{"x":'), piece("c", arguments="1}")]
    endpoint(events(*pieces, finish("tool_calls")))
    call = json.loads(run("ask", "hi").stdout)
    assert call["function"] == {"name": "get", "arguments": '{"x":1}'}


def test_thinking_in_parts_and_usage_in_odd_places(run: Run, endpoint: Endpoint) -> None:
    parts = [{"type": "thinking", "text": "hm"}, {"type": "text", "text": "yes"}]
    usage = {"prompt_tokens": 7, "completion_tokens": 3}
    for last in (
        chunk(None, finish_reason="stop", usage=usage),
        finish("stop") | {"x_groq": {"usage": usage}},
    ):
        endpoint(events(chunk(None, delta={"content": parts}), last, {"choices": [], "usage": {}}))
        done = run("ask", "hi")
        assert done.stdout == b"yes\n"
        assert "7 in, 3 out" in one_line(done.stderr)


def test_empty_and_null_events_keep_alive(run: Run, endpoint: Endpoint) -> None:
    endpoint(events("", chunk("x"), "null", finish("stop")))
    assert run("ask", "hi").stdout == b"x\n"


def test_a_refusal_in_parts_is_one(run: Run, endpoint: Endpoint) -> None:
    parts = [{"type": "refusal", "refusal": "I will not"}]
    server = endpoint(events(chunk(None, delta={"content": parts}), finish("stop")))
    assert run("ask", "hi").returncode == 82
    assert len(server.requests) == 1


def test_an_answer_that_was_only_thought_is_not_bought_again(run: Run, endpoint: Endpoint) -> None:
    server = endpoint(events(chunk(None, delta={"reasoning": "hm"}), finish("stop")))
    assert run("ask", "hi").returncode == 69
    assert len(server.requests) == 1


def test_details_of_different_types_stay_apart(run: Run, endpoint: Endpoint) -> None:
    details = [
        {"type": "reasoning.text", "text": "a", "index": 0},
        {"type": "reasoning.text", "text": "b", "index": 0, "signature": "s"},
        {"type": "reasoning.encrypted", "data": "x", "index": 0},
        {"type": "reasoning.encrypted", "data": "1", "id": "e1"},
        {"type": "reasoning.encrypted", "data": "2", "id": "e2"},
    ]
    endpoint(
        events(chunk("x", delta={"content": "x", "reasoning_details": details}), finish("stop"))
    )
    message = json.loads(run("ask", "--json", "hi").stdout)["choices"][0]["message"]
    assert message["reasoning_details"] == [
        {"type": "reasoning.text", "text": "ab", "index": 0, "signature": "s"},
        *details[2:],
    ]


def test_details_of_a_whole_message_stay_as_they_are(run: Run, endpoint: Endpoint) -> None:
    details = [
        {"type": "reasoning.text", "text": "a", "signature": "S1"},
        {"type": "reasoning.text", "text": "b", "signature": "S2"},
        {"type": "reasoning.encrypted", "data": "E1"},
        {"type": "reasoning.encrypted", "data": "E2"},
    ]
    message = {"content": "x", "reasoning_details": details}
    server = endpoint(lambda wire, _: wire.json(chunk(None, message=message, finish_reason="stop")))
    run("ask", "--no-stream", "--session", "s", "hi")
    run("ask", "-c", "and?")
    assert server.requests[1].json["messages"][1]["reasoning_details"] == details


def test_fields_that_are_not_read_pass_through(run: Run, endpoint: Endpoint) -> None:
    def piece(text: str, note: str) -> dict[str, Any]:
        delta = {"content": text, "annotations": [note]}
        return chunk(None, delta=delta, logprobs={"content": [text]}) | {"provider": "P"}

    endpoint(events(piece("a", "n1"), piece("b", "n2"), finish("stop") | {"provider": None}))
    value = json.loads(run("ask", "--json", "hi").stdout)
    choice = value["choices"][0]
    assert value["provider"] == "P"
    assert choice["logprobs"] == {"content": ["a", "b"]}
    assert choice["message"]["annotations"] == ["n1", "n2"]
    assert choice["message"]["content"] == "ab"
    message = {"role": "assistant", "content": "ab", "images": [{"u": 1}], "audio": {"id": "x"}}
    whole = chunk(None, message=message, finish_reason="stop") | {"system_fingerprint": "fp"}
    endpoint(lambda wire, _: wire.json(whole))
    value = json.loads(run("ask", "--json", "--no-stream", "hi").stdout)
    assert value["system_fingerprint"] == "fp"
    kept = value["choices"][0]["message"]
    assert (kept["images"], kept["audio"]) == ([{"u": 1}], {"id": "x"})


@pytest.mark.parametrize(
    "beside",
    [
        {"delta": {"role": "assistant", "content": ""}},
        {"delta": {}},
        {"message": {"function_call": {"name": "", "arguments": ""}, "tool_calls": None}},
        {"message": {"tool_calls": [{"function": {"name": "", "arguments": ""}}], "refusal": ""}},
    ],
)
def test_empty_fields_of_a_whole_reply_take_nothing_from_it(
    run: Run, endpoint: Endpoint, beside: dict[str, Any]
) -> None:
    message = {"role": "assistant", "content": "Blue sky", **beside.get("message", {})}
    choice = {"index": 0, "finish_reason": "stop", **beside, "message": message}
    for body in ({"choices": [choice]}, {"success": True, "data": {"choices": [choice]}}):
        endpoint(lambda wire, _, b=body: wire.json(b))  # type: ignore[misc]
        done = run("ask", "--json", "--no-stream", "hi")
        assert done.returncode == 0, done.stderr
        told = json.loads(done.stdout)["choices"][0]["message"]
        assert told["content"] == "Blue sky" and not told.get("tool_calls")
