"""Kept connections that are lost: what is sent again in silence, and what is a fault."""

import json
import time
from typing import Any

import pytest

from llmcli.backends.http.timeouts import Progress
from tests.support.echo import Echo, Handler
from tests.support.program import Run


def lost_after(seconds: float, heard: bytes = b"") -> Any:
    """Close the connection of the second record, once, instead of answering it."""

    def fault(handler: Handler, text: str, number: int) -> bool:
        if text != "second" or number:
            return False
        time.sleep(seconds)
        handler.wfile.write(heard)
        handler.close_connection = True
        return True

    return fault


def reports(run: Run, *options: str) -> list[dict[str, Any]]:
    done = run("map", "-j", "1", "--json", "{}", *options, input=b"first\nsecond\n")
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_connection_that_was_closed_is_no_fault_of_the_request(run: Run, echo: Echo) -> None:
    echo.fault = lost_after(0)
    _first, second = reports(run)
    assert second["error"] is None
    lost, answered = second["llmcli"]["attempts"]
    assert "closed the connection without an answer" in lost["reason"]
    assert answered["status"] == 200


@pytest.mark.parametrize(("seconds", "heard"), [(1.1, b""), (0, b"HTTP/1.1 2")])
def test_a_server_that_has_read_the_request_does_not_get_it_twice(
    run: Run, echo: Echo, seconds: float, heard: bytes
) -> None:
    echo.fault = lost_after(seconds, heard)
    _first, second = reports(run, "--retries", "0")
    assert second["llmcli"]["exit_code"] == 68
    assert len(second["llmcli"]["attempts"]) == 1
    assert echo.asked["second"] == 1


def test_a_race_is_lost_within_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    progress = Progress("the server", 5, 5, lambda _line: None)
    monkeypatch.setattr(time, "monotonic", lambda: 100.0)
    progress.sending(None)
    for now, lost in ((100.9, True), (101.1, False)):
        monkeypatch.setattr(time, "monotonic", lambda now=now: now)
        assert progress.lost_a_race() is lost


IDLE = b"HTTP/1.1 %d Idle\r\nContent-Length: 11\r\nConnection: close\r\n\r\nYou idled.\n"


def idles(handler: Handler, status: int = 408) -> bool:
    """What a server says on an idle connection before it closes that."""
    handler.wfile.write(IDLE % status)
    handler.close_connection = True
    return True


@pytest.mark.parametrize("status", [408, 421])
def test_what_is_said_on_an_idle_connection_closes_it(run: Run, echo: Echo, status: int) -> None:
    echo.fault = lambda handler, text, number: (
        text == "second" and not number and idles(handler, status)
    )
    _first, second = reports(run, "--retries", "0")
    assert second["error"] is None
    lost, answered = second["llmcli"]["attempts"]
    assert (lost["status"], answered["status"]) == (None, 200)
    assert (
        f"closed the connection with HTTP {status} on a connection that was kept" in lost["reason"]
    )


def test_no_kept_connection_is_used_after_one_was_closed(run: Run, echo: Echo) -> None:
    """Each of them may have been closed in the meantime."""

    def fault(handler: Handler, _text: str, _number: int) -> bool:
        kept, handler.kept = getattr(handler, "kept", False), True  # type: ignore[attr-defined]
        return kept and idles(handler)

    echo.fault = fault
    data = b"".join(b"r%d\n" % n for n in range(20))
    done = run("map", "-j", "4", "--json", "--retries", "0", "{}", input=data)
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0, done.stderr
    assert all(len(row["llmcli"]["attempts"]) <= 2 for row in found)


def test_a_408_on_a_new_connection_is_an_answer(run: Run, echo: Echo) -> None:
    echo.fault = lambda handler, text, _number: text == "first" and idles(handler)
    first, second = reports(run, "--retries", "0")
    assert first["llmcli"]["exit_code"] == 69
    assert [attempt["status"] for attempt in first["llmcli"]["attempts"]] == [408]
    assert second["error"] is None


def test_a_late_408_is_an_answer(run: Run, echo: Echo) -> None:
    def fault(handler: Handler, text: str, _number: int) -> bool:
        if text != "second":
            return False
        time.sleep(1.1)
        return idles(handler)

    echo.fault = fault
    _first, second = reports(run, "--retries", "0")
    assert [attempt["status"] for attempt in second["llmcli"]["attempts"]] == [408]
