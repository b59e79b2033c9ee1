"""What comes out: text as it arrives, usage, JSON, events, files; through real processes."""

import json
import os
import pty
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from .conftest import KEY, PROGRAM, Run, one_line
from .fakes import Request, Script, Server, Wire, answer, chunk

Endpoint = Callable[[Script], Server]
USAGE = {
    "prompt_tokens": 12,
    "completion_tokens": 34,
    "prompt_tokens_details": {"cached_tokens": 4},
    "cost": 0.00123,
}


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
            assert seen.wait(30)
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
            assert process.wait(30) == 0


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


def reasoning(wire: Wire, _request: Request) -> None:
    wire.head()
    wire.event(chunk(None, delta={"reasoning": "let me think"}))
    wire.text("answer")
    wire.finish(usage=USAGE)


def test_reasoning_is_apart_from_the_answer(run: Run, endpoint: Endpoint) -> None:
    endpoint(reasoning)
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


def test_usage_file_gets_a_line_for_each_run(run: Run, endpoint: Endpoint, tmp_path: Path) -> None:
    endpoint(answer("x", usage=USAGE))
    run("ask", "--usage-file", "usage.jsonl", "hi")
    endpoint(lambda wire, _: wire.json({"error": {"message": "no", "code": 402}}, "402 No"))
    run("ask", "--usage-file", "usage.jsonl", "hi")
    good, bad = (json.loads(line) for line in (tmp_path / "usage.jsonl").read_text().splitlines())
    assert good["usage"] == USAGE
    assert (good["ok"], good["cost_usd"], good["model"]) == (True, 0.00123, "m")
    assert (bad["ok"], bad["kind"], bad["cost_usd"]) == (False, "payment", None)


def test_usage_file_that_cannot_be_written_costs_nothing(run: Run, endpoint: Endpoint) -> None:
    server = endpoint(answer("x"))
    done = run("ask", "--usage-file", "missing/usage", "hi")
    assert done.returncode == 73
    assert "--usage-file missing/usage" in one_line(done.stderr)
    assert server.requests == []


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
            "session": None,
            "tag": None,
        },
    }


def broken(wire: Wire, _request: Request) -> None:
    wire.head()
    wire.text("half an ans")
    wire.event({"error": {"code": "server_error", "message": "gone", "metadata": {"k": 1}}})
    wire.end()


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
    endpoint(reasoning)
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


def test_output_file_is_replaced_only_on_success(
    run: Run, endpoint: Endpoint, tmp_path: Path
) -> None:
    target = tmp_path / "out.txt"
    target.write_text("yesterday")
    target.chmod(0o640)
    endpoint(broken)
    done = run("ask", "-O", "out.txt", "hi")
    assert (done.returncode, done.stdout) == (69, b"")
    assert target.read_text() == "yesterday"
    assert (tmp_path / "out.txt.part").read_text() == "half an ans"
    assert "out.txt.part" in one_line(done.stderr)
    endpoint(answer("today"))
    done = run("ask", "-q", "-O", "out.txt", "hi")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert target.read_text() == "today\n"
    assert target.stat().st_mode & 0o777 == 0o640
    assert not (tmp_path / "out.txt.part").exists()


def test_output_file_leaves_nothing_behind(run: Run, endpoint: Endpoint, tmp_path: Path) -> None:
    endpoint(lambda wire, _: wire.json({"error": {"message": "no"}}, "402 No"))
    (tmp_path / "out.txt").write_text("yesterday")
    assert run("ask", "-O", "out.txt", "hi").returncode == 83
    assert {p.name for p in tmp_path.iterdir()} == {"home", "out.txt"}
    assert (tmp_path / "out.txt").read_text() == "yesterday"


def test_output_follows_a_link_and_writes_to_devices(
    run: Run, endpoint: Endpoint, tmp_path: Path
) -> None:
    endpoint(answer("x"))
    (tmp_path / "real.txt").write_text("old")
    (tmp_path / "link.txt").symlink_to("real.txt")
    assert run("ask", "-O", "link.txt", "hi").returncode == 0
    assert (tmp_path / "link.txt").is_symlink()
    assert (tmp_path / "real.txt").read_text() == "x\n"
    assert run("ask", "-O", "/dev/null", "hi").returncode == 0
    log = tmp_path / "log.txt"
    for name in ("/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"):
        log.write_text("before\n")
        with log.open("ab") as stdout:
            assert run("ask", "-O", name, "hi", stdout=stdout).returncode == 0
        assert log.read_text() == "before\nx\n"
    assert run("ask", "-O", "-", "hi").stdout == b"x\n"


def test_json_failure_goes_to_stdout_where_the_file_must_stay(
    run: Run, endpoint: Endpoint, tmp_path: Path
) -> None:
    (tmp_path / "out.json").write_text("{}")
    endpoint(broken)
    done = run("ask", "--json", "-O", "out.json", "hi")
    assert (tmp_path / "out.json").read_text() == "{}"
    assert json.loads(done.stdout)["llmcli"]["ok"] is False
    endpoint(answer("good"))
    done = run("ask", "--json", "-O", "out.json", "hi")
    assert done.stdout == b""
    assert json.loads((tmp_path / "out.json").read_text())["llmcli"]["ok"] is True


@pytest.mark.parametrize("target", ["missing/out.txt", ".", "/proc/out.txt"])
def test_output_that_cannot_be_created_costs_nothing(
    run: Run, endpoint: Endpoint, target: str
) -> None:
    server = endpoint(answer("x"))
    done = run("ask", "-O", target, "hi")
    assert done.returncode == 73
    assert f"cannot create {target}" in one_line(done.stderr)
    assert server.requests == []


def test_dry_run_prints_the_body_and_sends_nothing(
    run: Run, endpoint: Endpoint, env: dict[str, str]
) -> None:
    server = endpoint(answer("x"))
    del env["LLMCLI_API_KEY"]
    done = run("ask", "--dry-run", "-s", "be kind", "ça va?")
    assert (done.returncode, done.stderr) == (0, b"")
    assert json.loads(done.stdout) == {
        "model": "m",
        "messages": [
            {"role": "system", "content": "be kind"},
            {"role": "user", "content": "ça va?"},
        ],
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    assert server.requests == []


def test_curl_command_can_be_run_and_shows_no_secret(
    run: Run, endpoint: Endpoint, env: dict[str, str]
) -> None:
    server = endpoint(answer("x"))
    prompt = 'it\'s $HOME `id` \\ "quoted"\nLLMCLI_BODY ça'
    shown = run("ask", "--curl", "--header", "X-Api-Key=topsecret", prompt)
    assert shown.returncode == 0, shown.stderr
    assert b"topsecret" not in shown.stdout and KEY.encode() not in shown.stdout
    env["LLMCLI_HEADER_X_API_KEY"] = "topsecret"
    done = subprocess.run(["sh", "-c", shown.stdout], env=env, capture_output=True, check=False)
    assert b"data: [DONE]" in done.stdout, done.stderr
    by_curl = server.only
    run("ask", "--header", "X-Api-Key=topsecret", prompt)
    by_llmcli = server.requests[1]
    assert by_curl.json == by_llmcli.json
    for name in ("authorization", "content-type", "x-title", "http-referer", "x-api-key"):
        assert by_curl.headers[name] == by_llmcli.headers[name]


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
        assert process.wait(30) == 0
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
