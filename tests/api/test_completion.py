"""Odd values from servers, each found by somebody who tried to break it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from llmcli.api import strict_json
from tests.support.endpoint import Request, Script, Server, Wire, answer, chunk
from tests.support.program import Run, one_line

Endpoint = Callable[[Script], Server]
Config = Callable[[str], Path]

DIGITS = "9" * 5000


def test_costs_that_are_none(run: Run, endpoint: Endpoint) -> None:
    costs: list[Any] = ["1e-999999999999999", "1e-300000000", "1e999", -1, "NaN", True, [], DIGITS]
    for cost in costs:
        endpoint(answer("x", usage={"cost": cost, "prompt_tokens": 1048576}))
        done = run("ask", "--json", "hi")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["llmcli"]["cost_usd"] is None
        warning, usage = done.stderr.decode().splitlines()
        assert "warning: the server's cost " in warning and "is no amount" in warning
        assert "1048576 in, cost unknown" in usage


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
    assert f"warning: the server's cost {number} is no amount" in warning
    assert run("ask", "--messages", "m.json", "--tool-result", "a=1", "hi").returncode == 0


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


def test_control_characters_in_json_are_escapes(run: Run, endpoint: Endpoint) -> None:
    endpoint(answer("\x9b2J \u202e ok 日本"))
    done = run("ask", "--json", "hi")
    assert b"\\u009b2J \\u202e ok " in done.stdout and "日本".encode() in done.stdout
    assert json.loads(done.stdout)["choices"][0]["message"]["content"] == "\x9b2J \u202e ok 日本"


def test_lines_of_data_without_end(run: Run, endpoint: Endpoint) -> None:
    def script(wire: Wire, _: Request) -> None:
        wire.head()
        wire.send(b"data: x\n" * 1_500_000 + b"\n")

    endpoint(script)
    done = run("ask", "hi")
    assert done.returncode == 76
    assert "an event of more than 20000 lines" in one_line(done.stderr)


def test_a_refused_proxy_whose_port_looks_like_a_status(
    run: Run, endpoint: Endpoint, env: dict[str, str]
) -> None:
    endpoint(answer("x"))
    env |= {"NO_PROXY": "", "HTTP_PROXY": "http://127.0.0.1:14071", "LLMCLI_ALLOW_HTTP": "1"}
    done = run("ask", "hi", "--base-url", "http://far.invalid", "--retries", "0")
    assert done.returncode == 68
    env["HTTP_PROXY"] = "http://user:pr0#xySECRET@127.0.0.1:1"
    done = run("ask", "hi", "--base-url", "http://far.invalid", "--retries", "0")
    assert done.returncode in (68, 78)
    assert b"pr0" not in done.stderr


def test_show_masks_a_base_url_with_credentials(run: Run, config: Config) -> None:
    config('base_url = "http://u:sk-pass@h/"\n')
    for arguments in ((), ("--json",)):
        assert b"sk-pass" not in run("config", "show", *arguments).stdout


@pytest.mark.parametrize("command", [("ask", "hi"), ("map", "-j", "2", "{}")])
def test_interim_answers_are_read_over(
    run: Run, endpoint: Endpoint, command: tuple[str, ...]
) -> None:
    def script(wire: Wire, request: Request) -> None:
        for status in (b"100 Continue", b"103 Early Hints\r\nLink: x"):
            wire.socket.sendall(b"HTTP/1.1 " + status + b"\r\n\r\n")
        answer("good")(wire, request)

    endpoint(script)
    done = run(*command, input=b"a\nb\n")
    assert (done.returncode, set(done.stdout.split())) == (0, {b"good"}), done.stderr
