"""Tools that the caller answers: calls printed, results sent back."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.conversations import assistant, said, user
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
from tests.support.program import PROGRAM, Run, one_line

Endpoint = Callable[[Script], Server]

WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather in a city",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
        },
    },
}
CALL = {
    "id": "c1",
    "type": "function",
    "function": {"name": "weather", "arguments": '{"city": "Oslo"}'},
}
CALLED = {"role": "assistant", "content": None, "tool_calls": [CALL]}
call_weather = calling(("c1", "weather", {"city": "Oslo"}))


def result(text: str, identity: str = "c1") -> dict[str, str]:
    return {"role": "tool", "tool_call_id": identity, "content": text}


@pytest.fixture
def tools(tmp_path: Path) -> str:
    own = {"command": ["never-run"], "timeout": 3, "max_output": 10, "env": ["X"]}
    definitions = [WEATHER, {**WEATHER, "function": {"name": "other"}, **own, "strict": True}]
    (tmp_path / "tools.json").write_text(json.dumps(definitions))
    return "tools.json"


def test_calls_come_out_as_lines(run: Run, endpoint: Endpoint, tools: str) -> None:
    endpoint(
        calling(("c1", "weather", {"city": "Oslo"}), ("c2", "weather", ""), text="Let me look.")
    )
    done = run("ask", "--tools", tools, "hi")
    assert done.returncode == 0
    text, *lines = done.stdout.decode().splitlines()
    assert text == "Let me look."
    first, second = map(json.loads, lines)
    assert first == CALL
    assert second["function"]["arguments"] == "{}"
    value = json.loads(run("ask", "--tools", tools, "--json", "hi").stdout)
    assert value["choices"][0]["finish_reason"] == "tool_calls"
    assert value["choices"][0]["message"]["tool_calls"][0] == CALL


@pytest.mark.parametrize(
    ("way", "source"),
    [*(("session", source) for source in ("text", "file", "stdin", "at")), ("messages", "text")],
)
def test_a_result_continues_the_conversation(
    run: Run, endpoint: Endpoint, tools: str, tmp_path: Path, way: str, source: str
) -> None:
    server = endpoint(in_turn(call_weather, answer("It is sunny."), answer("You are welcome.")))
    (tmp_path / "out").write_text("sunny=yes\n")
    given = {"text": "sunny=yes", "file": "@out", "stdin": "@-", "at": "@@home"}[source]
    sent = "@home" if source == "at" else "sunny=yes"
    keep, go_on = {
        "session": (["--session", "s"], ["-c"]),
        "messages": (
            ["--save-messages", "c.json"],
            ["--messages", "c.json", "--save-messages", "c.json"],
        ),
    }[way]
    assert run("ask", "--tools", tools, *keep, "How is Oslo?").returncode == 0
    done = run(
        *("ask", "--tools", tools, *go_on, "--tool-result", f"c1={given}"),
        input=b"sunny=yes\n" if source == "stdin" else b"",
    )
    assert done.stdout == b"It is sunny.\n", done.stderr
    assert run("ask", *go_on, "Thanks").returncode == 0
    assert said(server) == [
        *(user("How is Oslo?"), CALLED, result(sent)),
        *(assistant("It is sunny."), user("Thanks")),
    ]


def test_results_come_in_the_order_of_the_calls_and_a_prompt_after_them(
    run: Run, endpoint: Endpoint, tools: str
) -> None:
    server = endpoint(in_turn(calling(("a", "weather", {}), ("b", "other", {})), answer("x")))
    run("ask", "--session", "s", "--tools", tools, "Q")
    done = run("ask", "-c", "--tool-result", "b=B", "--tool-result", "a=A", "and quickly")
    assert done.returncode == 0, done.stderr
    assert said(server)[2:] == [result("A", "a"), result("B", "b"), user("and quickly")]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("more",), "tool calls wait for a result: c1 (weather); answer all of them"),
        (("--tool-result", "cX=1"), "no open tool call cX; the open calls are: c1"),
        (("--tool-result", "c1=1", "--tool-result", "c1=2"), "c1 is given twice"),
        (("--tool-result", "c1"), "is not ID=TEXT or ID=@FILE"),
    ],
)
def test_results_that_do_not_fit_send_nothing(
    run: Run, endpoint: Endpoint, tools: str, arguments: tuple[str, ...], says: str
) -> None:
    server = endpoint(call_weather)
    run("ask", "--session", "s", "--tools", tools, "Q")
    done = run("ask", "-c", *arguments)
    assert done.returncode == 2
    assert says in one_line(done.stderr)
    assert len(server.requests) == 1


def test_a_missing_file_of_a_result(run: Run, endpoint: Endpoint, tools: str) -> None:
    endpoint(call_weather)
    run("ask", "--session", "s", "--tools", tools, "Q")
    assert run("ask", "-c", "--tool-result", "c1=@missing").returncode == 66


def test_a_result_whose_turn_failed_can_be_given_again(
    run: Run, endpoint: Endpoint, tools: str
) -> None:
    server = endpoint(in_turn(call_weather, broken, answer("good")))
    run("ask", "--session", "s", "--tools", tools, "Q")
    assert run("ask", "-c", "--tool-result", "c1=sunny").returncode == 69
    assert run("ask", "-c", "--tool-result", "c1=sunny").stdout == b"good\n"
    assert said(server) == [user("Q"), CALLED, result("sunny")]


def test_calls_without_ids_of_their_own_get_some(run: Run, endpoint: Endpoint, tools: str) -> None:
    def nameless(wire: Wire, _request: Request) -> None:
        wire.head()
        function = {"name": "weather", "arguments": "{}"}
        wire.event(chunk(None, delta={"function_call": function}))
        wire.finish("function_call")

    server = endpoint(in_turn(nameless, answer("x")))
    line = run("ask", "--session", "s", "--tools", tools, "Q").stdout
    identity = json.loads(line)["id"]
    assert identity
    assert run("ask", "-c", "--tool-result", f"{identity}=1").returncode == 0
    assert said(server)[1]["tool_calls"][0]["id"] == said(server)[2]["tool_call_id"] == identity


def test_answers_at_the_same_time_keep_their_order(
    run: Run, endpoint: Endpoint, tools: str
) -> None:
    """Another turn that ended between a call and its result does not come between them."""
    server = endpoint(in_turn(call_weather, answer("x")))
    run("ask", "--session", "s", "--tools", tools, "Q1")
    other = {"messages": [user("Q2"), assistant("A2")]}
    path = Path(json.loads(run("session", "show", "s", "--json").stdout)["path"])
    with path.open("a") as file:
        file.write(json.dumps(other) + "\n")
    assert run("ask", "-c", "--tool-result", "c1=sunny").returncode == 0
    assert said(server) == [user("Q1"), CALLED, result("sunny")]
    assert run("ask", "-c", "Q3").returncode == 0
    assert [m["content"] for m in said(server)] == ["Q1", None, "sunny", "x", "Q2", "A2", "Q3"]


def test_arguments_that_are_no_json_are_an_error_for_the_caller(
    run: Run, endpoint: Endpoint, tools: str
) -> None:
    endpoint(calling(("c1", "weather", '{"city": "Os')))
    done = run("ask", "--tools", tools, "Q")
    assert done.returncode == 87
    assert "the arguments of the call to 'weather' are not a JSON object" in one_line(done.stderr)


def test_a_shell_script_holds_a_conversation_of_three_turns(
    endpoint: Endpoint, env: dict[str, str], tmp_path: Path
) -> None:
    """As a user would write it: the script answers the tool call itself."""

    def serve(wire: Wire, request: Request) -> None:
        number = len(server.requests)
        expected: list[list[dict[str, Any]]] = [
            [user("How warm is it in Oslo?")],
            [user("How warm is it in Oslo?"), CALLED, result("23 degrees in Oslo")],
            [
                *(user("How warm is it in Oslo?"), CALLED, result("23 degrees in Oslo")),
                *(assistant("It is 23 degrees."), user("In Fahrenheit?")),
            ],
        ]
        body = {
            "model": "m",
            "messages": expected[number - 1],
            "stream": True,
            "stream_options": {"include_usage": True},
            "tools": [WEATHER],
        }
        assert request.json == body  # to the letter; else the script sees no answer
        script = (call_weather, answer("It is 23 degrees."), answer("73 degrees."))[number - 1]
        script(wire, request)

    server = endpoint(serve)
    (tmp_path / "weather.json").write_text(json.dumps([WEATHER]))
    script = """
        set -euo pipefail
        talk() { llmcli ask -n -q --session weather --tools weather.json "$@"; }

        call=$(talk "How warm is it in Oslo?")
        id=$(jq -r .id <<< "$call")
        city=$(jq -r '.function.arguments | fromjson | .city' <<< "$call")
        echo "23 degrees in $city" > measured
        talk --tool-result "$id=@measured"
        talk "In Fahrenheit?"
    """
    path = f"{Path(PROGRAM).parent}:{env['PATH']}"
    done = subprocess.run(
        ["bash", "-c", script],
        env={**env, "PATH": path},
        cwd=tmp_path,
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == b"It is 23 degrees.\n73 degrees.\n"


def kept_calls(run: Run) -> list[dict[str, Any]]:
    messages = json.loads(run("session", "export").stdout)
    found: list[dict[str, Any]] = messages[-1]["tool_calls"]
    return found


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
