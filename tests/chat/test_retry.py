"""What is tried again, how long is waited, and that nothing is sent twice once it was shown."""

import email.utils
import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from llmcli.chat import retry
from tests.support.endpoint import Request, Script, Server, Wire, answer, chunk, in_turn
from tests.support.program import Run, one_line

Endpoint = Callable[[Script], Server]
AT_ONCE = "Retry-After: 0"


def status(line: str, *headers: str, message: str = "no") -> Script:
    return lambda wire, _: wire.json({"error": {"message": message}}, line, *headers)


def cut(*texts: str) -> Script:
    def script(wire: Wire, _request: Request) -> None:
        wire.head()
        for text in texts:
            wire.text(text)
        wire.event(chunk(None) | {"usage": {"cost": 0.25, "prompt_tokens": 3}})
        wire.reset()

    return script


def rst(wire: Wire, _request: Request) -> None:
    wire.reset()


def error_event(code: str, text: str = "") -> Script:
    def script(wire: Wire, _request: Request) -> None:
        wire.head()
        if text:
            wire.text(text)
        wire.event({"error": {"message": "busy", "code": code}})
        wire.end()

    return script


empty = answer()


@pytest.mark.parametrize(
    "passing",
    [
        *(status(f"{code} X", AT_ONCE) for code in (408, 409, 425, 429, 500, 502, 503, 504, 529)),
        rst,
        lambda wire, _: None,  # FIN without a word
        cut(),
        error_event("rate_limit"),
        error_event("server_error"),
        empty,
    ],
)
def test_passing_faults_are_tried_again(run: Run, endpoint: Endpoint, passing: Script) -> None:
    server = endpoint(in_turn(passing, answer("good")))
    done = run("ask", "hi")
    assert (done.returncode, done.stdout) == (0, b"good\n"), done.stderr
    assert len(server.requests) == 2
    assert server.requests[0].body == server.requests[1].body
    assert "m: " in one_line(done.stderr)  # the usage line: no word of the fault


@pytest.mark.parametrize(
    ("script", "code"),
    [
        (status("400 X"), 65),
        (status("401 X"), 77),
        (status("402 X"), 83),
        (status("403 X"), 77),
        (status("404 X"), 69 + 7),
        (status("413 X"), 80),
        (status("422 X"), 65),
        (status("429 X", message="spend limit reached"), 83),
        (status("429 X", message="free tier limit exceeded"), 83),
        (status("307 X", "Location: /"), 76),
        (error_event("context_length_exceeded"), 80),
        (error_event("content_filter"), 82),
    ],
)
def test_lasting_faults_are_not(run: Run, endpoint: Endpoint, script: Script, code: int) -> None:
    server = endpoint(script)
    assert run("ask", "hi").returncode == code
    assert len(server.requests) == 1


def test_a_fault_that_stays_is_tried_as_often_as_documented(run: Run, endpoint: Endpoint) -> None:
    server = endpoint(status("500 X", AT_ONCE, "x-request-id: req-1"))
    done = run("ask", "hi")
    assert done.returncode == 69
    assert len(server.requests) == 4
    line = one_line(done.stderr)
    assert "HTTP 500: no (model m, request id req-1, 4 attempts)" in line
    assert run("ask", "--retries", "0", "hi").returncode == 69
    assert len(server.requests) == 5


@pytest.mark.parametrize("broken", [cut("some"), error_event("server_error", "some")])
def test_nothing_is_sent_again_once_text_was_written(
    run: Run, endpoint: Endpoint, broken: Script
) -> None:
    server = endpoint(in_turn(broken, answer("good")))
    done = run("ask", "hi")
    assert done.returncode in (85, 69)
    assert done.stdout == b"some"
    assert len(server.requests) == 1
    server = endpoint(in_turn(broken, answer("good")))
    done = run("ask", "--events", "hi")
    assert len(server.requests) == 1


@pytest.mark.parametrize("options", [("--json",), ("-O", "out"), ("--no-stream",)])
def test_a_cut_stream_is_tried_again_where_nothing_was_shown(
    run: Run, endpoint: Endpoint, options: tuple[str, ...], tmp_path: Any
) -> None:
    server = endpoint(in_turn(cut("half an ans"), answer("good")))
    done = run("ask", "hi", *options)
    assert done.returncode == 0, done.stderr
    assert len(server.requests) == 2
    shown = done.stdout if options[0] != "-O" else (tmp_path / "out").read_bytes()
    assert b"good" in shown and b"half" not in shown


def test_attempts_and_what_they_cost_are_in_the_json(run: Run, endpoint: Endpoint) -> None:
    good = answer("good", usage={"cost": 0.5, "prompt_tokens": 3})
    endpoint(in_turn(status("503 X", AT_ONCE), cut("half"), good))
    done = run("ask", "--json", "hi")
    value = json.loads(done.stdout)
    assert value["usage"] == {"cost": 0.5, "prompt_tokens": 3}
    assert value["llmcli"]["cost_usd"] == 0.75
    first, second, third = value["llmcli"]["attempts"]
    assert (first["status"], first["reason"], first["waited"]) == (503, "HTTP 503: no", 0)
    assert second["status"] == 200 and "connection lost" in second["reason"]
    assert second["usage"]["cost"] == 0.25
    assert third == {"status": 200, "reason": None, "waited": third["waited"]}
    assert "$0.75" in one_line(done.stderr)


def test_partial_text_is_kept_when_every_attempt_breaks(run: Run, endpoint: Endpoint) -> None:
    endpoint(cut("half"))
    for options in (("--json",), ("--no-stream",)):
        done = run("ask", "--retries", "1", "hi", *options)
        assert done.returncode == 85
        assert b"half" in done.stdout


def test_retry_event_and_verbose_line(run: Run, endpoint: Endpoint) -> None:
    endpoint(in_turn(status("503 X", AT_ONCE), answer("good")))
    done = run("ask", "--events", "hi")
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert events[1] == {"event": "retry", "status": 503, "reason": "HTTP 503: no", "wait": 0}
    endpoint(in_turn(status("503 X", AT_ONCE), answer("good")))
    assert b"HTTP 503: no; trying again in 0.0 s" in run("ask", "-v", "hi").stderr


@pytest.mark.parametrize("date", [False, True])
def test_retry_after_is_waited_for(run: Run, endpoint: Endpoint, date: bool) -> None:
    def later(wire: Wire, request: Request) -> None:
        when = email.utils.formatdate(time.time() + 3, usegmt=True) if date else "1"
        status("429 X", f"Retry-After: {when}")(wire, request)

    endpoint(in_turn(later, answer("good")))
    done = run("ask", "--json", "hi")
    assert done.returncode == 0
    waited = json.loads(done.stdout)["llmcli"]["attempts"][1]["waited"]
    assert waited == 1 if not date else 0 < waited <= 3


@pytest.mark.parametrize(
    ("header", "options"),
    [
        ("Retry-After: 121", ()),
        ("Retry-After: 100", ("--deadline", "90")),
        ("llm_provider-retry-after: 500", ()),
    ],
)
@pytest.mark.parametrize("line", ["429 X", "503 X"])
def test_a_wait_that_is_too_long_is_75_and_said(
    run: Run, endpoint: Endpoint, header: str, options: tuple[str, ...], line: str
) -> None:
    server = endpoint(status(line, header))
    done = run("ask", "--json", "hi", *options)
    seconds = float(header.split()[1])
    assert done.returncode == 75
    assert len(server.requests) == 1
    assert json.loads(done.stdout)["llmcli"]["retry_after"] == seconds
    assert f"try again in {seconds:.0f} s" in one_line(done.stderr)


def test_a_deadline_ends_the_waiting(run: Run, endpoint: Endpoint) -> None:
    endpoint(status("503 X", "Retry-After: 1"))
    done = run("ask", "--deadline", "1.5", "hi")
    assert done.returncode in (69, 75, 124)
    one_line(done.stderr)


def test_delays_grow_and_are_jittered() -> None:
    delays = [[retry.delay(number, None) for _ in range(200)] for number in range(8)]
    assert all(0 <= d <= 8 for ds in delays for d in ds)
    assert max(delays[0]) <= 0.5 < max(delays[3]) <= 4
    assert len(set(delays[4])) > 100
