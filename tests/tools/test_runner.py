"""Tools that llmcli runs: what they get, what becomes of their results, what goes wrong."""

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.conversations import call_weather, gone, results, said, user
from tests.support.endpoint import USAGE, Script, Server, answer, calling, in_turn
from tests.support.program import Run, Tools, one_line

Endpoint = Callable[[Script], Server]


def test_a_tool_is_run_and_its_output_goes_back(run: Run, endpoint: Endpoint, tools: Tools) -> None:
    server = endpoint(in_turn(call_weather, answer("It is sunny.")))
    done = run("ask", *tools(weather="cat; echo; echo sunny; echo note >&2"), "How is Oslo?")
    assert (done.returncode, done.stdout) == (0, b"It is sunny.\n")
    shown = done.stderr.decode().splitlines()
    assert shown[:2] == [
        'llmcli: calls weather({"city": "Oslo"})',
        "llmcli: weather: note",
    ]
    assert "2 turns" in shown[2]
    assert len(shown) == 3
    first, second = server.requests
    assert "command" not in first.json["tools"][0]
    assert second.json == {
        **first.json,
        "messages": [
            user("How is Oslo?"),
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [
                    {
                        "id": "c1",
                        "type": "function",
                        "function": {"name": "weather", "arguments": '{"city":  "Oslo"}'},
                    }
                ],
            },
            {
                "role": "tool",
                "tool_call_id": "c1",
                "content": '{"city": "Oslo"}\nsunny',
            },
        ],
    }


def test_every_turn_is_summed_and_seen(run: Run, endpoint: Endpoint, tools: Tools) -> None:
    first = calling(("c1", "weather", {"city": "Oslo"}), text="Let me look.", usage=USAGE)
    options = tools(weather="echo sunny")
    endpoint(in_turn(first, answer("Sunny.", usage=USAGE)))
    value = json.loads(run("ask", *options, "--json", "Q").stdout)
    assert value["choices"][0]["message"]["content"] == "Sunny."
    assert value["usage"] == {
        "prompt_tokens": 24,
        "completion_tokens": 68,
        "prompt_tokens_details": {"cached_tokens": 8},
        "cost": 0.00246,
    }
    assert value["llmcli"]["cost_usd"] == 0.00246
    turns = value["llmcli"]["turns"]
    assert [(t["usage"], t["cost_usd"], t["tool_calls"]) for t in turns] == [
        (USAGE, 0.00123, ["weather"]),
        (USAGE, 0.00123, []),
    ]
    endpoint(in_turn(first, answer("Sunny.", usage=USAGE)))
    events = [
        json.loads(line) for line in run("ask", *options, "--events", "Q").stdout.splitlines()
    ]
    assert [e["event"] for e in events] == [
        *("start", "delta", "tool_call", "tool_result", "turn", "delta", "usage", "end")
    ]
    assert events[3]["content"] == "sunny"
    assert (events[4]["usage"], events[4]["cost_usd"]) == (USAGE, 0.00123)
    endpoint(in_turn(first, answer("Sunny.", usage=USAGE)))
    done = run("ask", *options, "Q")
    assert done.stdout == b"Let me look.\nSunny.\n"
    assert b"24 in (8 cached), 68 out, $0.0025" in done.stderr


def test_a_turn_of_unknown_cost_makes_the_sum_unknown(
    run: Run, endpoint: Endpoint, tools: Tools
) -> None:
    endpoint(in_turn(call_weather, answer("x", usage=USAGE)))
    value = json.loads(run("ask", *tools(weather="echo"), "--json", "Q").stdout)
    assert value["llmcli"]["cost_usd"] is None
    assert [t["cost_usd"] for t in value["llmcli"]["turns"]] == [None, 0.00123]


def test_calls_of_one_turn_run_side_by_side(run: Run, endpoint: Endpoint, tools: Tools) -> None:
    """Each waits for what the other makes: one after the other would run into the time limit."""
    meet = "touch {0}; until test -e {1}; do sleep 0.01; done; echo {0}"
    server = endpoint(in_turn(calling(("c1", "a", {}), ("c2", "b", {})), answer("x")))
    options = tools(a=meet.format("one", "two"), b=meet.format("two", "one"))
    assert run("ask", *options, "Q").returncode == 0
    assert results(server) == ["one", "two"]


@pytest.mark.parametrize(
    ("arguments", "script", "told"),
    [
        ('{"city": "Os', "touch ran", 'its arguments are not a JSON object: {"city": "Os'),
        ("[1]", "touch ran", "its arguments are not a JSON object: [1]"),
        ('{"city": NaN}', "touch ran", "its arguments are not a JSON object: "),
        (
            '{"city": 7}',
            "touch ran",
            "its arguments do not fit its parameters: $.city: 7 is",
        ),
        ("{}", "touch ran", "its arguments do not fit its parameters: $: 'city' is a required"),
        ('{"city": "x"}', "echo partly; exit 3", "failed with exit code 3\npartly"),
        ('{"city": "x"}', "kill -9 $$", "failed with signal 9"),
    ],
)
def test_a_failure_goes_back_to_the_model_or_ends_it_if_strict(
    run: Run,
    endpoint: Endpoint,
    tools: Tools,
    tmp_path: Path,
    arguments: str,
    script: str,
    told: str,
) -> None:
    server = endpoint(in_turn(calling(("c1", "weather", arguments)), answer("sorry")))
    done = run("ask", "-q", *tools(weather=script), "Q")
    assert (done.returncode, done.stdout) == (0, b"sorry\n")
    assert results(server)[0].startswith(f"error: {told}")
    assert "tool weather: " in one_line(done.stderr)  # said even with -q
    json.loads(said(server)[1]["tool_calls"][0]["function"]["arguments"])  # endpoints insist
    assert not (tmp_path / "ran").exists()
    endpoint(calling(("c1", "weather", arguments)))
    done = run("ask", "-q", *tools(weather=script), "--strict-tools", "Q")
    assert done.returncode == 87
    assert "tool weather: " in one_line(done.stderr)


def test_unknown_tools_and_programs_that_are_none(
    run: Run, endpoint: Endpoint, tools: Tools, tmp_path: Path
) -> None:
    server = endpoint(in_turn(calling(("c1", "delete", {}), ("c2", "a", {})), answer("x")))
    program = tmp_path / "program"
    program.write_text("#!/nowhere/interpreter\n")
    program.chmod(0o755)
    assert run("ask", *tools({"command": ["./program"]}, a=""), "Q").returncode == 0
    assert results(server) == [
        "error: there is no tool 'delete'; there are: a",
        "error: cannot run ./program: No such file or directory",
    ]


def test_the_time_limit_ends_its_children_too(
    run: Run, endpoint: Endpoint, tools: Tools, tmp_path: Path
) -> None:
    server = endpoint(in_turn(calling(("c1", "slow", {})), answer("x")))
    script = "trap '' TERM; echo begun; sleep 61 & echo $! > child; wait; sleep 61"
    assert run("ask", *tools({"timeout": 2}, slow=script), "Q").returncode == 0
    assert results(server) == ["error: took longer than 2 s\nbegun"]
    assert gone(int((tmp_path / "child").read_text()))


def test_a_child_that_keeps_the_output_open_is_not_waited_for(
    run: Run, endpoint: Endpoint, tools: Tools, tmp_path: Path
) -> None:
    server = endpoint(in_turn(calling(("c1", "a", {})), answer("x")))
    done = run("ask", *tools(a="sleep 300 & echo $! > pid; echo done"), "Q")
    os.kill(int((tmp_path / "pid").read_text()), signal.SIGTERM)  # it was left alone till now
    assert done.returncode == 0
    assert results(server) == ["done"]


def test_output_beyond_the_limit_is_cut_and_said(
    run: Run, endpoint: Endpoint, tools: Tools
) -> None:
    server = endpoint(in_turn(calling(("c1", "a", {}), ("c2", "a", {})), answer("x")))
    script = "head -c 3000000 /dev/zero | tr '\\0' x"
    assert run("ask", *tools(a=script), "Q").returncode == 0
    cut = "x" * 2**20 + f"\n… truncated: {3000000 - 2**20} bytes more"
    assert results(server) == [cut, cut]


def test_a_tool_that_does_not_read_or_speaks_no_utf8(
    run: Run, endpoint: Endpoint, tools: Tools
) -> None:
    large = json.dumps({"x": "y" * 300_000})
    server = endpoint(in_turn(calling(("c1", "a", large), ("c2", "b", large)), answer("x")))
    options = tools(a="exec 0<&-; printf 'caf\\351\\n\\n'", b="wc -c")
    assert run("ask", *options, "Q").returncode == 0
    assert results(server) == ["caf\ufffd", str(len(large))]
