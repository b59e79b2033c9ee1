"""What can go wrong on the wire, and what must happen then, run through real processes."""

import json
import subprocess
from collections.abc import Callable

import pytest

from tests.support.endpoint import Request, Script, Server, Wire, chunk
from tests.support.faults import (
    CHUNKED,
    DEADLINE,
    DONE,
    FAULTS,
    LOST,
    SOME,
    STOP,
    Fault,
    body,
    event,
    in_chunks,
    raw,
)
from tests.support.framing import FRAMING, LONG, lengths
from tests.support.program import KEY, PROGRAM, Run, one_line
from tests.support.waiting import reach_deadline, wait_until
from tests.support.wordings import WORDINGS

Endpoint = Callable[[Script], Server]


def at_the_deadline(
    server: Server, env: dict[str, str], fault: Fault
) -> subprocess.CompletedProcess[bytes]:
    """Let the deadline come once the server has the request, and stdout what came of the answer."""
    command = [PROGRAM, "ask", "-n", "hi", *fault.options]
    with subprocess.Popen(
        command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout
        wait_until(lambda: server.requests)
        shown = process.stdout.read(len(fault.stdout))
        reach_deadline(process)
        rest, stderr = process.communicate(timeout=120)
        return subprocess.CompletedProcess(command, process.returncode, shown + rest, stderr)


ALL = FAULTS | FRAMING | WORDINGS
# It waits for a deadline of five seconds.
SLOW = "one_byte_at_a_time"


@pytest.mark.parametrize(
    "name", [*(n for n in ALL if n != SLOW), pytest.param(SLOW, marks=pytest.mark.slow)]
)
def test_fault(run: Run, endpoint: Endpoint, env: dict[str, str], name: str) -> None:
    fault = ALL[name]
    server = endpoint(fault.script)
    done = at_the_deadline(server, env, fault) if fault.waits else run("ask", "hi", *fault.options)
    line = one_line(done.stderr)
    assert (done.returncode, done.stdout) == (fault.code, fault.stdout), line
    assert fault.says in line
    assert line.isprintable() and len(line) < 700
    assert KEY not in line
    if "1" in fault.options[:2]:
        assert len(server.requests) == 2


@pytest.mark.parametrize(
    "name", [n for n, f in ALL.items() if f.code not in (85, 124) and n != "endless_line"]
)
def test_fault_in_json(run: Run, endpoint: Endpoint, name: str) -> None:
    """The same code in the object, with the partial text."""
    fault = ALL[name]
    endpoint(fault.script)
    done = run("ask", "--json", "hi", *fault.options)
    value = json.loads(done.stdout)
    assert done.returncode == fault.code == value["llmcli"]["exit_code"]
    assert value["error"]["message"]
    text = value["choices"][0]["message"]["content"] or ""
    assert text == fault.stdout.decode().rstrip("\n")
    assert KEY.encode() not in done.stdout


def test_what_is_whole_all_the_same(run: Run, endpoint: Endpoint) -> None:
    """Each of these is an answer, with or without a warning."""
    big = "x" * 2 * 2**20
    cases: list[tuple[Script, bytes, str]] = [
        (body(SOME + STOP), b"some\n", ""),
        (body(SOME + DONE), b"some\n", "named no finish_reason"),
        (body(SOME + STOP + b"data: [DONE]"), b"some\n", ""),
        (raw(CHUNKED + in_chunks(SOME + STOP), reset=True), b"some\n", "lost after the end"),
        (body(b"data: {\"choices\":[{\"delta\":{\"content\":\"a\xff\"}}]}\n\n" + STOP),
         "a\ufffd\n".encode(), "not UTF-8"),
        (body(event(chunk("a\x00b")) + STOP), b"a\x00b\n", ""),
        (body(b'data: {"choices":[{"delta":{"content":1,"content":"b"}}]}\n\n' + STOP), b"b\n", ""),
        (body(event({"choices": [{"index": 3, "delta": {"content": "x"}}]})
              + event({"choices": [{"index": 3, "finish_reason": "stop"}]})), b"x\n", ""),
        (body(event(chunk(big)) + STOP), big.encode() + b"\n", ""),
        (body(SOME + event(chunk("", finish_reason="eos")) + DONE), b"some\n", "reason 'eos'"),
    ]  # fmt: skip
    for script, stdout, warning in cases:
        endpoint(script)
        done = run("ask", "hi", "--retries", "0")
        assert (done.returncode, done.stdout) == (0, stdout), done.stderr
        assert warning in done.stderr.decode()
        assert ("warning" in done.stderr.decode()) == bool(warning)


@pytest.mark.parametrize(
    "line", [b"data: [DONE] ", b"data:[DONE]", b"data: [DONE]\t ", b"data: [DONE]"]
)
@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n", b"\r", b"\n\n"])
def test_the_end_with_blanks(run: Run, endpoint: Endpoint, line: bytes, end: bytes) -> None:
    """A line end is enough, even if the server then waits for the connection to be closed."""
    for script in (
        body(SOME + STOP + line + end),
        *([raw(CHUNKED + in_chunks(SOME + STOP + line + end), wait=True)] if end else []),
    ):
        endpoint(script)
        done = run("ask", "-q", "hi", "--retries", "0")
        assert (done.returncode, done.stdout) == (0, b"some\n"), done.stderr


@pytest.mark.parametrize("values", [(LONG,), (LONG, LONG), (f"{LONG}, {LONG}",)])
def test_one_length_however_often(run: Run, endpoint: Endpoint, values: tuple[str, ...]) -> None:
    endpoint(lengths(*values))
    done = run("ask", "-q", "hi", "--retries", "0")
    assert (done.returncode, done.stdout) == (0, b"some\n"), done.stderr


WHOLE = CHUNKED + in_chunks(SOME) + in_chunks(STOP) + in_chunks(DONE) + b"0\r\n\r\n"
# Bytes of WHOLE: its head, what is in the first chunk and in the second.
FIRST, SECOND = WHOLE.index(b"{"), WHOLE.index(STOP)


@pytest.mark.parametrize(
    ("cut", "code", "stdout"),
    [
        *((cut, 68, b"") for cut in (0, 1, 8, 9, 20, len(CHUNKED) - 1, len(CHUNKED))),
        *((cut, 68, b"") for cut in (len(CHUNKED) + 1, FIRST - 6, FIRST, FIRST + len(SOME) - 7)),
        *((cut, 85, b"some") for cut in (SECOND - 6, SECOND - 5, SECOND - 1, SECOND, SECOND + 9)),
        *((SECOND + len(STOP) + more, 0, b"some\n") for more in (0, 1, 2, 6, 9, 20, 22, 25, 27)),
    ],
)
def test_chunks_cut_anywhere(
    run: Run, endpoint: Endpoint, env: dict[str, str], cut: int, code: int, stdout: bytes
) -> None:
    """With and without the short ways, in the same words."""
    server = endpoint(raw(WHOLE[:cut]))
    for short in "10":
        env["LLMCLI_SHORT"] = short
        done = run("ask", "-q", "hi", "--retries", "0")
        assert (done.returncode, done.stdout) == (code, stdout), done.stderr
        says = {68: "nothing of the answer had come", 85: LOST}.get(code, "")
        head = f"127.0.0.1:{server.port} closed the connection without an answer"
        if code:
            assert (head if cut < len(CHUNKED) else says) in one_line(done.stderr)


def test_a_deadline_after_the_end_of_the_answer(endpoint: Endpoint, env: dict[str, str]) -> None:
    fault = Fault(raw(CHUNKED + in_chunks(SOME + STOP), wait=True), 0, "", b"some", DEADLINE)
    done = at_the_deadline(endpoint(fault.script), env, fault)
    assert (done.returncode, done.stdout) == (0, b"some\n")
    words = "warning: deadline of 100 s reached after the end of the answer, which is whole"
    assert words in done.stderr.decode()


def test_characters_cut_at_every_byte(run: Run, endpoint: Endpoint) -> None:
    def script(wire: Wire, _request: Request) -> None:
        wire.head()
        for byte in event(json.dumps(chunk("日本🎉"), ensure_ascii=False)):
            wire.send(bytes([byte]))
        wire.finish()

    endpoint(script)
    assert run("ask", "hi").stdout == "日本🎉\n".encode()
