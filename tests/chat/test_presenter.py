"""What comes out: text as it arrives, reasoning, usage, calls of tools."""

import json
import os
import pty
import subprocess
import threading
from collections.abc import Callable

import pytest

from tests.support.endpoint import USAGE, Request, Script, Server, Wire, answer, chunk, reasoning
from tests.support.program import KEY, PROGRAM, Run, one_line

Endpoint = Callable[[Script], Server]


def test_each_token_is_on_stdout_before_the_next_is_sent(
    endpoint: Endpoint, env: dict[str, str]
) -> None:
    """At every framing; a reply framed by the connection's end is not held back to it."""
    for chunked in (True, False):
        seen = threading.Event()

        def script(
            wire: Wire, _: Request, chunked: bool = chunked, seen: threading.Event = seen
        ) -> None:
            wire.head(chunked=chunked)
            wire.text("first")
            assert seen.wait(120)
            wire.text(" second")
            wire.finish()

        endpoint(script)
        with subprocess.Popen(
            [PROGRAM, "-n", "say it"], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as process:
            assert process.stdout
            assert os.read(process.stdout.fileno(), 100) == b"first"
            seen.set()
            assert process.stdout.read() == b" second\n"
            assert process.wait(120) == 0


@pytest.mark.parametrize(
    ("texts", "arguments", "expected"),
    [
        (("a", "b"), (), b"ab\n"),
        (("a\n",), (), b"a\n"),
        (("a",), ("--no-newline",), b"a"),
        (("a\n\n",), (), b"a\n\n"),
        (("ça ", "🎉\x1b[31m\x00\r"), (), "ça 🎉\x1b[31m\x00\r\n".encode()),
    ],
)
def test_text_is_byte_for_byte_in_a_pipe(
    run: Run,
    endpoint: Endpoint,
    texts: tuple[str, ...],
    arguments: tuple[str, ...],
    expected: bytes,
) -> None:
    endpoint(answer(*texts))
    done = run("ask", "hi", *arguments)
    assert (done.returncode, done.stdout) == (0, expected)


def test_surrogates_split_over_two_chunks_are_one_character(run: Run, endpoint: Endpoint) -> None:
    def script(wire: Wire, _: Request) -> None:
        wire.head()
        wire.event(json.dumps(chunk("x\ud83c")))
        wire.event(json.dumps(chunk("\udf89y")))
        wire.finish()

    endpoint(script)
    assert run("ask", "hi").stdout == "x🎉y\n".encode()


def test_reasoning_is_apart_from_the_answer(run: Run, endpoint: Endpoint) -> None:
    endpoint(reasoning())
    silent = run("ask", "hi", "-q")
    assert (silent.stdout, silent.stderr) == (b"answer\n", b"")
    shown = run("ask", "hi", "-q", "--show-reasoning")
    assert (shown.stdout, shown.stderr) == (b"answer\n", b"let me think\n")


def test_usage_line_names_model_tokens_cost_and_time(run: Run, endpoint: Endpoint) -> None:
    endpoint(answer("x", usage=USAGE))
    line = one_line(run("ask", "hi").stderr)
    assert line.startswith("llmcli: m: 12 in (4 cached), 34 out, $0.0012, ")
    assert line.endswith(" s")


def test_unknown_usage_is_not_called_zero(run: Run, endpoint: Endpoint) -> None:
    endpoint(answer("x"))
    assert "m: tokens unknown, cost unknown" in one_line(run("ask", "hi").stderr)


def test_quiet_is_silent(run: Run, endpoint: Endpoint) -> None:
    endpoint(answer("x", usage=USAGE))
    done = run("ask", "-q", "hi")
    assert (done.stdout, done.stderr) == (b"x\n", b"")


def test_verbose_shows_the_way_and_no_secret(run: Run, endpoint: Endpoint) -> None:
    def script(wire: Wire, _: Request) -> None:
        wire.head("200 OK", "text/event-stream", "x-request-id: req-9")
        wire.text("x")
        wire.finish()

    server = endpoint(script)
    done = run("ask", "-v", "--header", "X-Api-Key=topsecret", "hi")
    shown = done.stderr.decode()
    assert f"POST {server.base_url}/chat/completions" in shown
    assert "HTTP 200" in shown and "req-9" in shown and "first token after" in shown
    assert KEY not in shown and "topsecret" not in shown


def test_terminal_is_protected_from_control_sequences(
    endpoint: Endpoint, env: dict[str, str]
) -> None:
    endpoint(answer("\x1b]52;c;eA==\x07 \x9b2J \u202e ok\ttab\nnext"))
    parent, child = pty.openpty()
    with subprocess.Popen([PROGRAM, "-n", "-q", "say it"], env=env, stdout=child) as process:
        os.close(child)
        shown = b""
        try:
            while block := os.read(parent, 1000):
                shown += block
        except OSError:
            pass  # Linux reports the closed terminal so
        assert process.wait(120) == 0
    os.close(parent)
    assert shown.decode() == ("\\x1b]52;c;eA==\\x07 \\x9b2J \\u202e ok\ttab\r\nnext\r\n")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ((), 86),
        (("--allow-cut",), 0),
        (("--max-tokens", "2"), 0),
        (("--max-tokens", "2", "--json"), 86),
        (("--max-tokens", "2", "--json", "--allow-cut"), 0),
    ],
)
def test_an_answer_cut_by_its_length(
    run: Run, endpoint: Endpoint, arguments: tuple[str, ...], code: int
) -> None:
    def script(wire: Wire, _: Request) -> None:
        wire.head()
        wire.text("all there is")
        wire.finish("length")

    endpoint(script)
    done = run("ask", "hi", *arguments)
    assert done.returncode == code
    if "--json" not in arguments:
        assert done.stdout == b"all there is\n"


def test_tool_calls_are_lines_of_json(run: Run, endpoint: Endpoint) -> None:
    def script(wire: Wire, _: Request) -> None:
        wire.head()
        call = {"index": 0, "id": "c1", "type": "function", "function": {"name": "f"}}
        wire.event(chunk(None, delta={"tool_calls": [call]}))
        more = {"index": 0, "function": {"arguments": '{"x":1}'}}
        wire.event(chunk(None, delta={"tool_calls": [more]}))
        wire.finish("tool_calls")

    endpoint(script)
    done = run("ask", "hi")
    assert done.returncode == 0
    assert json.loads(done.stdout) == {
        "id": "c1",
        "type": "function",
        "function": {"name": "f", "arguments": '{"x":1}'},
    }
