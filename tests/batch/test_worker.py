"""One record among many: its shape, its connection, its deadline, its failures."""

import json
import random
import socket
import struct
import time

import pytest

from tests.support.echo import Echo, Handler, lines, rows
from tests.support.program import Run


def test_a_shape_for_each(run: Run, echo: Echo) -> None:
    echo.reply = lambda text: f'{{"n": {text[1:]}}}' if text != "r2" else "none"
    schema = '{"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}'
    done = run("map", "--json", "--schema", schema, "{}", input=lines(10))
    found = rows(done.stdout)
    assert done.returncode == 3
    assert [r["llmcli"].get("parsed") for r in found] == [
        {"n": n} if n != 2 else None for n in range(10)
    ]


def test_yes_no_prints_the_word(run: Run, echo: Echo) -> None:
    echo.reply = {"r0": "**Yes**", "r1": "No.\n", "r2": "perhaps"}.__getitem__
    done = run("map", "--yes-no", "{}", input=lines(3))
    assert (done.returncode, done.stdout) == (3, b"yes\nno\n\n")


def test_verbose_names_the_record(run: Run, echo: Echo) -> None:
    echo.fault = lambda handler, text, _n: text == "r3" and handler.refuse(400)
    stderr = run("map", "-v", "{}", input=lines(10)).stderr.decode()
    assert "record 3: HTTP 400: refused 400" in stderr
    assert "record 7: HTTP 200" in stderr


def test_connections_are_kept(run: Run, echo: Echo) -> None:
    for options in ([], ["--no-stream"]):
        echo.connections = 0
        assert run("map", "-j", "4", *options, "{}", input=lines(60)).returncode == 0
        assert echo.connections <= 4
    assert echo.most <= 4


def test_a_connection_closed_in_between_is_made_anew(run: Run, echo: Echo) -> None:
    """The server closes each connection after its answer, and says nothing of it."""

    def fault(handler: Handler, _text: str, _number: int) -> None:
        handler.close_connection = True

    echo.fault = fault
    done = run("map", "-j", "4", "{}", input=lines(40))
    assert done.returncode == 0, done.stderr
    assert len(echo.bodies) == 40


def test_a_stalled_record_ends_by_its_own_deadline(run: Run, echo: Echo) -> None:
    """Comments that keep the connection alive for ever count for nothing."""

    def fault(handler: Handler, text: str, _number: int) -> bool | None:
        if text != "r1":
            return None
        handler.send_response(200)
        handler.send_header("Content-Type", "text/event-stream")
        handler.end_headers()
        while True:
            handler.wfile.write(b": alive\n\n")
            time.sleep(0.05)

    echo.fault = fault
    done = run("map", "--json", "-j", "2", "--deadline", "3", "{}", input=lines(4))
    assert done.returncode == 3, done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["ok"] for row in found] == [True, False, True, True]
    assert found[1]["llmcli"]["exit_code"] == 124
    assert "deadline of 3 s reached" in found[1]["error"]["message"]


class Storm:
    """Faults of all kinds, in an order that is the same each time."""

    def __init__(self) -> None:
        self._random = random.Random(3)

    def __call__(self, handler: Handler, _text: str, _number: int) -> bool | None:
        with handler.server.lock:
            what = self._random.random()
        if what < 0.1:
            return handler.refuse(429)
        if what < 0.15:
            return handler.refuse(429, Retry_After="1")
        if what < 0.25:
            return handler.refuse(503)
        if what < 0.3:  # a reset, before anything came
            linger = struct.pack("ii", 1, 0)
            handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            handler.connection.close()
            return True
        if what < 0.35:  # a cut answer
            handler.send_response(200)
            handler.send_header("Content-Type", "text/event-stream")
            handler.send_header("Connection", "close")
            handler.end_headers()
            handler.wfile.write(b'data: {"choices": [{"delta": {"content": "ha')
            handler.close_connection = True
            return True
        if what < 0.38:  # a stall, until the client goes away
            handler.rfile.read(1)
            handler.close_connection = True
            return True
        return None


def test_a_storm_of_refusals_alone_loses_nothing(run: Run, echo: Echo) -> None:
    """One in five comes too early, with a time or without one: each is asked again."""
    chance = random.Random(3)

    def fault(handler: Handler, _text: str, _number: int) -> bool | None:
        with echo.lock:
            what = chance.random()
        named = {"Retry_After": "1"} if what < 0.02 else {}
        return handler.refuse(429 if what < 0.1 else 503, **named) if what < 0.2 else None

    echo.fault = fault
    done = run("map", "--json", "-j", "16", "--retries", "1", "{}", input=lines(60))
    assert done.returncode == 0, done.stderr
    assert [row["index"] for row in rows(done.stdout)] == list(range(60))


@pytest.mark.parametrize("options", [[], ["--no-stream"]], ids=["stream", "whole"])
def test_a_storm(run: Run, echo: Echo, options: list[str]) -> None:
    echo.fault = Storm()
    done = run("map", "--json", "-j", "16", "--idle-timeout", "1", *options, "{}",
               input=lines(40), timeout=110)  # fmt: skip
    assert done.returncode in (0, 3), done.stderr
    found = rows(done.stdout)
    assert [row["index"] for row in found] == list(range(40))
    for row in found:
        if row["ok"]:
            assert row["choices"][0]["message"]["content"] == f"answer to {row['input']}"
        else:
            assert row["error"]["message"] and row["llmcli"]["exit_code"] in (68, 69, 75, 85, 124)
    assert sum(row["ok"] for row in found) > 20
