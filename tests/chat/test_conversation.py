"""The way back to the model: results of tools, and what is left to the caller instead."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.conversations import call_weather, results
from tests.support.endpoint import (
    Request,
    Script,
    Server,
    Wire,
    answer,
    broken,
    calling,
    chunk,
    in_turn,
)
from tests.support.program import Run, Tools, one_line

Endpoint = Callable[[Script], Server]


def mixed(tools: Tools, folder: Path) -> list[str]:
    """The options for a tool `own`, which is run, and one `mine`, which the caller answers."""
    options = tools(own="echo")
    path = folder / "tools.json"
    mine = {"type": "function", "function": {"name": "mine"}}
    path.write_text(json.dumps([*json.loads(path.read_text()), mine]))
    return options


def test_a_call_is_neither_yes_nor_no(
    run: Run, endpoint: Endpoint, tools: Tools, tmp_path: Path
) -> None:
    options = mixed(tools, tmp_path)
    server = endpoint(calling(("c1", "mine", {}), text="Yes, let me look"))
    for more in (options, options[:2]):
        done = run("ask", *more, "--yes-no", "--repair", "2", "Is it?")
        assert done.returncode == 65
        assert "the answer must be yes or no, but it is a tool call" in done.stderr.decode()
    assert len(server.requests) == 2  # no complaint about a call that waits for a result


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


def test_turns_run_out(run: Run, endpoint: Endpoint, tools: Tools, tmp_path: Path) -> None:
    server = endpoint(call_weather)
    done = run("ask", "-q", *tools(weather="echo x >> ran"), "--max-turns", "3", "Q")
    assert done.returncode == 87
    assert "the model still calls tools after turn 3; raise --max-turns" in one_line(done.stderr)
    assert len(server.requests) == 3
    assert (tmp_path / "ran").read_text() == "x\nx\n"  # what nobody will read is not run


def test_a_choice_that_forces_a_call_holds_for_the_first_turn(
    run: Run, endpoint: Endpoint, tools: Tools
) -> None:
    server = endpoint(in_turn(call_weather, answer("x")))
    run("ask", *tools(weather="echo"), "-o", 'tool_choice="required"', "Q")
    assert [r.json["tool_choice"] for r in server.requests] == ["required", "auto"]


def test_a_tool_without_a_command_is_left_to_the_caller(
    run: Run, endpoint: Endpoint, tools: Tools, tmp_path: Path
) -> None:
    options = tools(a="echo from a")
    path = tmp_path / "tools.json"
    other = {"type": "function", "function": {"name": "mine"}}
    path.write_text(json.dumps([*json.loads(path.read_text()), other]))
    calls = calling(("c1", "a", {}), ("c2", "mine", {}))
    server = endpoint(in_turn(calls, answer("both")))
    done = run("ask", "-q", *options, "--session", "s", "Q")
    assert done.returncode == 0
    assert [json.loads(line)["id"] for line in done.stdout.splitlines()] == ["c2"]
    done = run("ask", "-q", *options, "-c", "--tool-result", "c2=from me")
    assert done.stdout == b"both\n"
    assert results(server) == ["from a", "from me"]


def test_a_later_turn_is_tried_again_though_an_earlier_one_was_shown(
    run: Run, endpoint: Endpoint, tools: Tools
) -> None:
    def down(wire: Any, _request: Any) -> None:
        wire.json({"error": {"message": "down"}}, "503 X")

    first = calling(("c1", "weather", {"city": "Oslo"}), text="Let me look.")
    server = endpoint(in_turn(first, down, answer("Sunny.")))
    done = run("ask", "-q", *tools(weather="echo sunny"), "Q")
    assert (done.returncode, done.stdout) == (0, b"Let me look.\nSunny.\n")
    assert len(server.requests) == 3
    endpoint(in_turn(first, broken, answer("Sunny.")))
    done = run("ask", "-q", *tools(weather="echo sunny"), "--no-stream", "Q")
    assert (done.returncode, done.stdout) == (0, b"Let me look.\nSunny.\n")
