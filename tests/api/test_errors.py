"""What a server says went wrong, in the forms that servers use, by its kind."""

import gzip
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.endpoint import Request, Script, Server, Wire, answer, chunk
from tests.support.program import KEY, Run, one_line

Endpoint = Callable[[Script], Server]


def events(*values: Any, done: bool = True, reset: bool = False) -> Script:
    def script(wire: Wire, _request: Request) -> None:
        wire.head()
        for value in values:
            wire.event(value)
        if done:
            wire.event("[DONE]")
        wire.reset() if reset else wire.end()

    return script


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
