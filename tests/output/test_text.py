"""What arrives together is written together, and nothing waits for more."""

import json
import socket
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.endpoint import Request, Script, Server, Wire, chunk
from tests.support.program import PROGRAM, shell

Endpoint = Callable[[Script], Server]


def frames(*events: object) -> bytes:
    """Each in an HTTP chunk of its own."""
    lines = [f"data: {json.dumps(event)}\n\n".encode() for event in events]
    return b"".join(b"%x\r\n%b\r\n" % (len(line), line) for line in lines)


TEN = frames(*(chunk(f"{number} ") for number in range(10)))
TEXT = b"0 1 2 3 4 5 6 7 8 9 "


def in_segments(*segments: bytes, shown: threading.Semaphore | None = None) -> Script:
    """Send each segment once something of the one before was `shown`."""

    def script(wire: Wire, _request: Request) -> None:
        wire.head()
        for segment in segments:
            wire.socket.sendall(segment)
            if shown:
                shown.acquire(timeout=60)
        wire.finish()

    return script


def writes(env: dict[str, str], shown: threading.Semaphore, *options: str) -> list[bytes]:
    """Return what the program writes to stdout, and say with each write that it was `shown`: of
    this kind of socket one read gives one write."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    arguments = [PROGRAM, "ask", "-n", "-q", "hi", *options]
    with ours, subprocess.Popen(arguments, env=env, stdout=theirs.fileno()):
        theirs.close()
        found = []
        while data := ours.recv(1 << 20):
            found.append(data)
            shown.release()
    return found


def test_one_write_for_each_arrival(endpoint: Endpoint, env: dict[str, str]) -> None:
    shown = threading.Semaphore(0)
    endpoint(in_segments(TEN, TEN, shown=shown))
    assert writes(env, shown) == [TEXT, TEXT, b"\n"]


def test_what_is_there_does_not_wait_for_what_is_not(
    endpoint: Endpoint, env: dict[str, str]
) -> None:
    """A segment may end inside of a chunk, of the line of its size, of an event."""
    part = TEN.index(b"6 ")
    for at in (part, TEN.index(b"data", part) + 2, TEN.index(b"\r\n", part) + 4):
        shown = threading.Semaphore(0)
        endpoint(in_segments(TEN[:at], TEN[at:], shown=shown))
        first, *rest = writes(env, shown)
        assert first.startswith(b"0 1 2 3 4 5 ")
        assert first + b"".join(rest) == TEXT + b"\n"


def test_events_are_written_together_but_told_apart(
    endpoint: Endpoint, env: dict[str, str]
) -> None:
    endpoint(in_segments(TEN))
    written = writes(env, threading.Semaphore(0), "--events")
    together = next(data for data in written if b'"delta"' in data)
    told = [json.loads(line)["content"] for line in together.splitlines()]
    assert told == [f"{number} " for number in range(10)]


def test_partial_text_comes_before_the_error_that_came_with_it(
    endpoint: Endpoint, env: dict[str, str], tmp_path: Path
) -> None:
    for last in ({"error": {"message": "overloaded"}}, [1]):
        endpoint(in_segments(TEN[:-2] + b"\r\n" + frames(last)))
        done = shell(env, '"$0" ask -n -q --retries 0 hi 2>&1', tmp_path)
        assert done.stdout.startswith(TEXT + b"\nllmcli: ") and done.returncode


def test_thinking_and_text_that_arrive_together_keep_their_order(
    endpoint: Endpoint, env: dict[str, str], tmp_path: Path
) -> None:
    thought = [chunk(None, delta={"reasoning": text}) for text in ("hm ", "well")]
    endpoint(in_segments(frames(*thought, chunk("a"), chunk("b\n"), thought[0], chunk("c"))))
    done = shell(env, '"$0" ask -n -q --show-reasoning hi 2>&1', tmp_path)
    assert done.stdout == b"hm well\nab\nhm \nc\n"


@pytest.mark.parametrize("output", ["", "> both", "-O /dev/stdout"])
def test_an_error_begins_a_line_of_its_own(
    endpoint: Endpoint, env: dict[str, str], tmp_path: Path, output: str
) -> None:
    """Where stdout and stderr are one file; in two files stdout gets nothing more."""
    endpoint(in_segments(frames(chunk("some"), {"error": {"message": "overloaded"}})))
    script = f'"$0" ask -n -q --retries 0 hi {output} 2>&1'
    done = shell(env, script, tmp_path)
    both = (tmp_path / "both").read_bytes() if "both" in output else done.stdout
    assert both.startswith(b"some\nllmcli: overloaded (model m); partial answer kept on ")
    apart = shell(env, '"$0" ask -n -q --retries 0 hi', tmp_path)
    assert apart.stdout == b"some"
    assert apart.stderr == b"llmcli: overloaded (model m); partial answer kept on stdout\n"
