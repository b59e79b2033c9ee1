"""Calls that a server does not number, and which of its pieces make one."""

import json
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.conversations import said
from tests.support.endpoint import Request, Script, Server, Wire, answer, calling, chunk, in_turn
from tests.support.program import PROGRAM, Run

Endpoint = Callable[[Script], Server]


def piece(name: str = "", arguments: Any = "", identity: Any = "", index: Any = 0) -> Any:
    call = {"id": identity, "function": {"name": name, "arguments": arguments}, "index": index}
    return {key: value for key, value in call.items() if value is not None}


A, B = ("a", {"y": 1}), ("b", {"x": 1})
TWICE = [("a", {"t": "a"}), ("a", {"t": "b"})]
X, Y = '{"t":"a"}', '{"t":"b"}'


@pytest.mark.parametrize(
    ("pieces", "calls"),
    [
        ([piece("a"), piece("b", '{"x":1}')], [("a", {}), B]),
        ([piece("a", {"y": 1}), piece("b", {"x": 1})], [A, B]),
        ([piece("a", X), piece("a", Y)], TWICE),
        ([piece("a", X, index=None), piece("a", Y, index=None)], TWICE),
        ([piece("a", X, None, None), piece("a", Y, None, None)], TWICE),
        # Some say the name with every piece, or once more at the end.
        ([piece("a", '{"t":'), piece("a", '"a"}'), piece("a", Y)], TWICE),
        ([piece("a", X), piece("a"), piece("a", "\n"), piece("b", '{"x":1}')], [TWICE[0], B]),
        ([piece("a", '{"t":', "1"), piece("a", '"a"}', "1"), piece("a", "", "1")], TWICE[:1]),
    ],
)
def test_names_tell_them_apart(run: Run, endpoint: Endpoint, pieces: list[Any], calls: Any) -> None:
    def script(wire: Wire, _: Request) -> None:
        wire.head()
        for one in pieces:
            wire.event(chunk(None, delta={"tool_calls": [one]}))
        wire.finish("tool_calls")

    endpoint(script)
    assert called(run("ask", "hi").stdout) == calls


def call_of(name: str, arguments: str | None = None, **fields: Any) -> dict[str, Any]:
    function = {"name": name} if arguments is None else {"name": name, "arguments": arguments}
    return {"index": 0, **fields, "function": function}


APART = [("get_", {}), ("weather", {"t": "a"})]
WEATHER = [("get_weather", {"t": "a"})]


@pytest.mark.parametrize(
    ("pieces", "calls"),
    [
        ([call_of("get_", "", id="c"), call_of("weather", ""), piece("", X)], WEATHER),
        ([call_of("get_", id="c"), call_of("weather", X)], WEATHER),
        ([call_of("get_", id="c"), call_of("weather", X, id="c")], WEATHER),
        ([call_of("get_"), call_of("weather"), piece("", X)], WEATHER),
        ([call_of("g", ""), call_of("et_", None), call_of("weather", ""), piece("", X)], WEATHER),
        # Repeated with each piece, whole or as far as it has come.
        ([call_of("get_weather", "", id="c"), call_of("get_weather", X)], WEATHER),
        ([call_of("get_weather", '{"t":', id="c"), call_of("get_weather", '"a"}')], WEATHER),
        ([call_of("get_", "", id="c"), call_of("get_weather", X)], WEATHER),
        ([call_of("get_"), call_of("weather"), call_of("get_weather"), piece("", X)], WEATHER),
        # Others are calls of their own.
        (
            [call_of("get_", id="c"), call_of("weather", X, id="d")],
            APART,
        ),
        (
            [call_of("get_", id="c"), call_of("weather", X, index=1)],
            APART,
        ),
        ([call_of("a", X, id="c"), call_of("b", Y)], [("a", {"t": "a"}), ("b", {"t": "b"})]),
    ],
)
def test_a_name_in_pieces(run: Run, endpoint: Endpoint, pieces: list[Any], calls: Any) -> None:
    test_names_tell_them_apart(run, endpoint, pieces, calls)


def test_names_in_one_chunk_are_of_two_calls(run: Run, endpoint: Endpoint) -> None:
    def script(wire: Wire, _: Request) -> None:
        wire.head()
        wire.event(chunk(None, delta={"tool_calls": [call_of("a"), call_of("b")]}))
        wire.finish("tool_calls")

    endpoint(script)
    assert called(run("ask", "hi").stdout) == [("a", {}), ("b", {})]


@pytest.mark.parametrize("ids", [["", ""], [None, None], ["same", "same"], ["", "c"]])
@pytest.mark.parametrize("whole", [True, False])
def test_ids_in_text_are_those_of_the_open_calls(
    run: Run, endpoint: Endpoint, ids: list[str | None], whole: bool
) -> None:
    calls = [piece(f"f{n}", "{}", one, n) for n, one in enumerate(ids)]
    field = "message" if whole else "delta"

    def script(wire: Wire, _: Request) -> None:
        if whole:
            return wire.json(chunk(None, **{field: {"tool_calls": calls}}, finish_reason="stop"))
        wire.head()
        wire.event(chunk(None, delta={"tool_calls": calls}))
        wire.finish("tool_calls")

    endpoint(script)
    text = [json.loads(line)["id"] for line in run("ask", "hi").stdout.splitlines()]
    told = json.loads(run("ask", "--json", "hi").stdout)
    assert len(set(text)) == 2
    assert [call["id"] for call in told["llmcli"]["open_calls"]] == text
    # The choices are told as they came.
    ids_told = [call["id"] for call in told["choices"][0]["message"]["tool_calls"]]
    assert ids_told == [one or "" for one in ids]


def called(output: bytes) -> list[tuple[str, Any]]:
    found = [json.loads(line)["function"] for line in output.splitlines()]
    return [(one["name"], json.loads(one["arguments"])) for one in found]


@pytest.mark.parametrize("identity", ["same", "", None])
def test_those_of_a_whole_message_are_whole(run: Run, endpoint: Endpoint, identity: Any) -> None:
    calls = [piece(name, X, identity, None) for name in ("a", "a", "b")]
    message = {"content": "", "tool_calls": calls}
    endpoint(lambda wire, _: wire.json(chunk(None, message=message, finish_reason="tool_calls")))
    output = run("ask", "--no-stream", "hi").stdout
    assert called(output) == [("a", {"t": "a"}), ("a", {"t": "a"}), ("b", {"t": "a"})]
    assert len({json.loads(line)["id"] for line in output.splitlines()}) == 3


def test_runs_on_one_session_make_up_different_ids(
    run: Run, endpoint: Endpoint, env: dict[str, str], tmp_path: Path
) -> None:
    numbers = iter((7, "gen-8"))  # some servers number their replies
    both_asked = threading.Barrier(2)

    def script(wire: Wire, _: Request) -> None:
        both_asked.wait(60)
        reply = chunk(None, delta={"tool_calls": [piece("f", "{}")]}, finish_reason="tool_calls")
        wire.head()
        wire.event(reply | {"id": next(numbers)})
        wire.event("[DONE]")
        wire.end()

    server = endpoint(script)
    command = [PROGRAM, "ask", "-n", "--session", "s", "hi"]
    running = [subprocess.Popen(command, env=env, stdout=subprocess.PIPE) for _ in range(2)]
    ids = [json.loads(process.communicate(timeout=120)[0])["id"] for process in running]
    assert len(set(ids)) == 2
    server.script = answer("x")
    done = run("ask", "-c", *(w for one in ids for w in ("--tool-result", f"{one}=of {one}")))
    assert done.returncode == 0, done.stderr
    results = {m["tool_call_id"]: m["content"] for m in said(server) if m["role"] == "tool"}
    assert results == {one: f"of {one}" for one in ids}


def test_a_result_is_not_read_from_a_closed_stdin(
    run: Run, endpoint: Endpoint, env: dict[str, str]
) -> None:
    server = endpoint(in_turn(calling(("a", "f", {})), answer("x")))
    run("ask", "--session", "s", "hi")
    command = ["sh", "-c", '"$0" ask -q -c --tool-result a=@- <&-', PROGRAM]
    done = subprocess.run(command, env=env, capture_output=True, check=False)
    assert done.returncode == 2
    assert b"stdin, which is closed; nothing sent" in done.stderr
    assert len(server.requests) == 1


def test_a_turn_that_breaks_tells_its_own_attempts(
    run: Run, endpoint: Endpoint, tmp_path: Path
) -> None:
    tools = [{"type": "function", "function": {"name": "f"}, "command": ["true"]}]
    (tmp_path / "tools.json").write_text(json.dumps(tools))
    endpoint(in_turn(calling(("a", "f", {})), lambda wire, _: wire.json({}, "500 X")))
    options = ("--tools", str(tmp_path / "tools.json"), "--run-tools", "--retries", "0")
    done = run("ask", *options, "hi")
    assert done.returncode == 69
    assert b"attempts" not in done.stderr


def test_arguments_of_null_are_none(run: Run, endpoint: Endpoint) -> None:
    endpoint(calling(("1", "now", "null")))
    done = run("ask", "hi")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["function"]["name"] == "now"
