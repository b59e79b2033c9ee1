"""Heads and bodies that are framed as few servers do it, and connections that are kept after it."""

from collections.abc import Callable

import pytest

from tests.support.echo import Echo, Handler
from tests.support.endpoint import Request, Script, Server, Wire, answer, in_turn
from tests.support.faults import DONE, SOME, STOP, in_chunks, raw
from tests.support.program import Run, one_line

Endpoint = Callable[[Script], Server]

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
ANSWER = SOME + STOP + DONE


@pytest.mark.parametrize("coding", ["chunked ", "identity, chunked", "chunked,\tchunked"])
def test_chunks_are_known_by_any_spelling(run: Run, endpoint: Endpoint, coding: str) -> None:
    head = HEAD + f"Transfer-Encoding: {coding}\r\nContent-Length: 9\r\n\r\n".encode()
    endpoint(raw(head + in_chunks(ANSWER) + b"0\r\n\r\n"))
    done = run("ask", "hi")
    assert (done.returncode, done.stdout) == (0, b"some\n"), done.stderr


@pytest.mark.parametrize("cut", [b"H", b"HTTP/1.", b"HTTP/1.1 20", HEAD, HEAD[:-9], HEAD + b"X-A"])
def test_a_head_that_is_cut_is_no_answer_and_tried_again(
    run: Run, endpoint: Endpoint, cut: bytes
) -> None:
    server = endpoint(in_turn(raw(cut), raw(HEAD + b"\r\n" + ANSWER)))
    done = run("ask", "hi")
    assert (done.returncode, done.stdout) == (0, b"some\n"), done.stderr
    assert len(server.requests) == 2
    endpoint(raw(cut))
    done = run("ask", "--retries", "0", "hi")
    assert done.returncode == 68
    assert "closed the connection without an answer" in one_line(done.stderr)


@pytest.mark.parametrize("size", [b"-5", b" -5", b"\t-5"])
@pytest.mark.parametrize("option", ["-q", "--no-stream"])
def test_a_negative_size_ends_it(run: Run, endpoint: Endpoint, size: bytes, option: str) -> None:
    head = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
    endpoint(raw(head + in_chunks(SOME) + size + b"\r\n" + ANSWER, wait=True))
    assert run("ask", "hi", option, "--retries", "0", "--idle-timeout", "5").returncode == 85


def test_connections_are_kept_after_streams_of_known_length(run: Run, echo: Echo) -> None:
    def answered(handler: Handler, _text: str, _number: int) -> bool:
        handler.wfile.write(HEAD + b"Content-Length: %d\r\n\r\n" % len(ANSWER) + ANSWER)
        return True

    echo.fault = answered
    done = run("map", "-j", "2", "{}", input=b"".join(b"r%d\n" % n for n in range(20)))
    assert (done.returncode, done.stdout) == (0, b"some\n" * 20), done.stderr
    assert echo.connections <= 2


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
