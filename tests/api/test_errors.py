"""What a server says went wrong, in the forms that servers use, by its kind."""

import gzip
import json
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.endpoint import Script, Server, answer, chunk, events, in_turn
from tests.support.program import KEY, Run, one_line

Endpoint = Callable[[Script], Server]


@pytest.mark.parametrize(
    "error",
    [
        {"error": True, "message": "boom"},
        {"error": ["boom"]},
        {"errors": [{"message": "boom"}]},
        {"code": 500, "message": "boom", "type": "server_error"},
        {"message": "boom"},
    ],
)
def test_errors_in_any_form(run: Run, endpoint: Endpoint, error: dict[str, Any]) -> None:
    endpoint(events(chunk("half"), error))
    done = run("ask", "hi")
    assert done.returncode == 69
    assert "boom" in one_line(done.stderr)


def test_errors_of_one_vendor_come_in_a_list(run: Run, endpoint: Endpoint) -> None:
    body = [{"error": {"code": 400, "message": "API key not valid"}}]
    for status in ("400 Bad", "200 OK"):
        endpoint(lambda wire, _, status=status: wire.json(body, status))  # type: ignore[misc]
        done = run("ask", "hi")
        assert done.returncode == 77
        assert "API key not valid" in one_line(done.stderr)


@pytest.mark.parametrize("padding", [60, 180, 480])
@pytest.mark.parametrize("form", [(), ("--json",), ("--events",)])
def test_no_part_of_a_key_is_shown_where_a_message_is_cut_or_kept_in_the_ledger(
    run: Run, endpoint: Endpoint, home: Path, padding: int, form: tuple[str, ...]
) -> None:
    text = "x" * padding + KEY
    scripts: list[Script] = [
        lambda wire, _: wire.json({"error": {"message": text}}, "503 X", "Retry-After: 0"),
        lambda wire, _: wire.whole(text.encode(), "500 X", "text/plain"),
        events({"error": {"message": text}}),
        events(text),
        lambda wire, _: wire.json({"error": {"message": "no"}}, "401 X", f"x-request-id: {KEY}"),
    ]
    for script in scripts:
        endpoint(script)
        done = run("ask", "--retries", "1", "-v", "hi", *form)
        assert done.returncode != 0
        assert KEY[:12].encode() not in done.stdout + done.stderr
    (ledger,) = home.glob(".local/state/llmcli/ledger/*.jsonl")
    assert "[redacted]" in ledger.read_text()
    assert KEY[:12] not in ledger.read_text()


def test_a_limit_that_passes_soon_is_no_bill(run: Run, endpoint: Endpoint) -> None:
    text = "Rate limit reached. Need more? https://console.example/settings/billing"
    error = {"error": {"message": text, "code": "rate_limit_exceeded"}}
    plain = {"error": {"message": text}}
    for body in (error, plain):
        waiting = [
            lambda wire, _, body=body: wire.json(body, "429 X", "Retry-After: 0"),  # type: ignore[misc]
            answer("good"),
        ]
        endpoint(lambda wire, request, w=waiting: w.pop(0)(wire, request))  # type: ignore[misc]
        assert run("ask", "hi").stdout == b"good\n"


SLOW_DOWN = b'{"error": {"message": "slow down"}}'


@pytest.mark.parametrize(
    ("coding", "body", "says"),
    [
        ("gzip", gzip.compress(SLOW_DOWN), "slow down"),
        ("deflate", zlib.compress(SLOW_DOWN), "slow down"),
        ("gzip", b"no gzip at all", "HTTP 429"),
        ("br", b"nobody here can read this", "HTTP 429"),
        ("gzip", gzip.compress(b"x" * 300_000_000, 1), "HTTP 429: xxx"),
    ],
    ids=["gzip", "deflate", "broken", "brotli", "bomb"],
)
def test_a_compressed_error_goes_by_its_status(
    run: Run, endpoint: Endpoint, coding: str, body: bytes, says: str
) -> None:
    """Gateways compress their errors whatever was asked for."""
    head = ("429 Too Many", "application/json", f"Content-Encoding: {coding}")
    endpoint(lambda wire, _: wire.whole(body, *head))
    done = run("ask", "hi", "--retries", "0")
    assert done.returncode == 75
    assert says in one_line(done.stderr)


def refusal(status: int, error: dict[str, Any], *headers: str) -> Script:
    return lambda wire, _: wire.json({"error": error}, f"{status} X", *headers)


def details(kind: str, **fields: Any) -> dict[str, Any]:
    return {"details": [{"@type": f"type.googleapis.com/google.rpc.{kind}", **fields}]}


@pytest.mark.parametrize(
    ("error", "headers"),
    [
        ({"message": "slow down"}, ["retry-after-ms: 2500"]),
        ({"message": "slow down", **details("RetryInfo", retryDelay="2.5s")}, []),
        ({"message": "Rate limit reached. Please try again in 2500ms."}, []),
        ({"message": "Please retry in 2.5s, or see our billing page"}, []),
    ],
)
def test_a_delay_counts_wherever_the_server_tells_it(
    run: Run, endpoint: Endpoint, error: dict[str, Any], headers: list[str]
) -> None:
    endpoint(refusal(429, error, *headers))
    done = run("ask", "--json", "--retries", "0", "hi")
    assert done.returncode == 75
    assert json.loads(done.stdout)["llmcli"]["retry_after"] == 2.5


def test_a_delay_in_the_body_is_waited_for(run: Run, endpoint: Endpoint) -> None:
    endpoint(in_turn(refusal(429, {"message": "try again in 20ms"}), answer("good")))
    done = run("ask", "--json", "hi")
    assert done.returncode == 0, done.stderr
    # Of its own accord it would wait a random time.
    assert json.loads(done.stdout)["llmcli"]["attempts"][1]["waited"] == 0.02


@pytest.mark.parametrize(
    ("status", "error", "code"),
    [
        (400, details("ErrorInfo", reason="API_KEY_INVALID"), 77),
        (400, {"message": "API key not valid. Please pass a valid API key."}, 77),
        (400, {"message": "Incorrect API key provided", "code": "invalid_api_key"}, 77),
        (400, {"message": "the colour is not valid"}, 65),
        (400, {"message": "no", "type": "exceed_context_size_error"}, 80),
        (429, details("QuotaFailure", violations=[{"quotaId": "RequestsPerDayPerProject"}]), 83),
        (429, details("QuotaFailure", violations=[{"quotaId": "RequestsPerMinute"}]), 75),
    ],
)
def test_what_the_server_says_in_fields_goes_before_its_words(
    run: Run, endpoint: Endpoint, status: int, error: dict[str, Any], code: int
) -> None:
    endpoint(refusal(status, {"message": "no", **error}))
    assert run("ask", "--retries", "0", "hi").returncode == code


def test_all_that_the_server_says_is_in_json(run: Run, endpoint: Endpoint) -> None:
    error = {"message": "no", "param": "tools", "failed_generation": "{", "code": "tool_use_failed"}
    endpoint(refusal(400, error))
    done = run("ask", "--json", "--no-stream", "hi")
    value = json.loads(done.stdout)
    assert done.returncode == 65
    assert value["error"]["param"] == "tools" and value["error"]["failed_generation"] == "{"
    assert value["llmcli"]["retryable"] is False
    endpoint(refusal(503, {"message": "busy"}))
    value = json.loads(run("ask", "--json", "--retries", "0", "hi").stdout)
    assert value["llmcli"]["retryable"] is True
