"""Every recorded shape of a reply is read as it should be, however it is framed and cut."""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmcli.api.reply.judgement import Demands
from llmcli.api.trace import Trace
from llmcli.backends.http import completions
from llmcli.backends.http import endpoint as backend
from llmcli.backends.http.reply import sse
from llmcli.chat.call import Call
from llmcli.chat.complete import complete
from llmcli.chat.observer import Silent
from llmcli.chat.report import report
from llmcli.errors import LlmcliError
from tests.support import readings
from tests.support.endpoint import Request, Script, Server, Wire, serving
from tests.support.program import Run, one_line
from tests.support.readings import Shape, Vector

Endpoint = Callable[[Script], Server]
SHAPES = readings.shapes()
VECTORS = readings.vectors()


def replay(shape: Shape, framing: str, size: int) -> Script:
    """`shape` sent by chunks, by length or until close, in writes of `size` bytes."""

    def script(wire: Wire, _request: Request) -> None:
        lines = [f"HTTP/1.1 {shape.status} X", f"Content-Type: {shape.content_type}"]
        lines += [f"{name}: {value}" for name, value in shape.headers.items()]
        lines += {
            "chunked": ["Transfer-Encoding: chunked"],
            "length": [f"Content-Length: {len(shape.body)}"],
            "close": ["Connection: close"],
        }[framing]
        wire.socket.sendall("\r\n".join(lines).encode() + b"\r\n\r\n")
        wire.chunked = framing == "chunked"
        for piece in readings.cut(shape.body, [size]):
            wire.send(piece)
        wire.end()

    return script


@pytest.mark.parametrize("shape", SHAPES, ids=lambda s: s.name)
def test_shape_through_the_real_program(run: Run, endpoint: Endpoint, shape: Shape) -> None:
    endpoint(replay(shape, "chunked", 100_000))
    arguments = [] if shape.request_stream else ["--no-stream"]
    done = run("ask", "--json", "--retries", "0", "hi", *arguments)
    readings.check(shape, json.loads(done.stdout), done.returncode)
    text = run("ask", "-q", "--no-newline", "--retries", "0", "hi", *arguments)
    assert text.returncode == done.returncode
    if not shape.expected["tool_calls"] and done.returncode != 86:
        assert text.stdout == shape.expected["text"].encode()


@contextmanager
def over_http(shape: Shape, framing: str, size: int) -> Iterator[backend.Endpoint]:
    with serving(replay(shape, framing, size)) as server:
        yield backend.Endpoint(server.base_url, idle_timeout=20)


@pytest.mark.parametrize("size", [1, 7, 100_000])
@pytest.mark.parametrize("framing", ["chunked", "length", "close"])
def test_every_shape_at_every_framing(framing: str, size: int) -> None:
    for shape in SHAPES:
        call = Call(Trace())
        error = None
        with over_http(shape, framing, size) as endpoint:
            try:
                stream = completions.stream(endpoint, call.trace)
                complete(stream, {}, call, Silent(call), Demands())
            except LlmcliError as raised:
                error = raised
        readings.check(shape, report(call, error), error.exit_code if error else 0)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(SHAPES), st.lists(st.integers(0, 60), min_size=1, max_size=30))
def test_any_cutting_reads_the_same(shape: Shape, sizes: list[int]) -> None:
    report, error = readings.read(shape, readings.cut(shape.body, sizes))
    readings.check(shape, report, error.exit_code if error else 0)


def complete_shapes() -> list[Shape]:
    """Those that are answers, sent as events."""
    return [s for s in SHAPES if b"data:" in s.body and readings.read(s, [s.body])[1] is None]


@settings(max_examples=500, deadline=None)
@given(st.sampled_from(complete_shapes()), st.data())
def test_cut_anywhere_it_is_whole_only_if_its_end_was_in_it(
    shape: Shape, data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, len(shape.body) - 1))
    start = shape.body[:at]
    report, error = readings.read(shape, [start])
    whole_events = re.sub(rb"\r\n?", b"\n", start).rpartition(b"\n\n")[0]
    its_end = any(mark in whole_events for mark in END_MARKS) or start.rstrip().endswith(
        b"data: [DONE]"
    )
    if error is None:
        assert its_end
        assert reading_text(report) == shape.expected["text"]
    else:
        assert shape.expected["text"].startswith(reading_text(report))


END_MARKS = [b'"finish_reason":"' + r for r in (b"stop", b"tool_calls", b"function_call", b"eos")]
END_MARKS += [b"[DONE]"]


def reading_text(report: dict[str, object]) -> str:
    text = readings.reading_of(report)["text"]
    assert isinstance(text, str)
    return text


def events(blocks: list[bytes]) -> list[sse.Event]:
    found: list[sse.Event] = []
    try:
        for batch in sse.batches(blocks):
            found += [one for event in batch if (one := sse.parsed(event))]
    except LlmcliError:
        pass  # the rules drop an unfinished event in silence; a client must not
    return found


@pytest.mark.parametrize("vector", VECTORS, ids=lambda v: v.name)
def test_vector(vector: Vector) -> None:
    """The WHATWG events, whole, in pieces of 7 bytes, byte by byte, and as cut in the vector."""
    size = len(vector.data)
    small = size < 10_000
    for sizes in ([size or 1], [7], [1] if small else [999], vector.chunking or [3]):
        found = events(readings.cut(vector.data, sizes))
        if vector.name.startswith("eof_done"):
            assert found[-1] == ("message", "[DONE]")  # says all, even without its blank line
            found = found[:-1]
        assert found == vector.expected, sizes


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(VECTORS), st.lists(st.integers(0, 40), min_size=1, max_size=30))
def test_vector_cut_anywhere(vector: Vector, sizes: list[int]) -> None:
    if len(vector.data) < 10_000:
        whole = events([vector.data])
        assert events(readings.cut(vector.data, sizes)) == whole


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(["data: a", "data", ":c", "x", " ", "event: e", ""]), max_size=12),
       st.lists(st.sampled_from(["\n", "\r", "\r\n"]), min_size=12, max_size=12),
       st.lists(st.integers(0, 5), min_size=1, max_size=20))  # fmt: skip
def test_line_ends_are_all_the_same(lines: list[str], ends: list[str], sizes: list[int]) -> None:
    plain = "".join(f"{line}\n" for line in lines) + "\n\n"
    # A CR before an LF would be one line end, not two.
    mixed = "".join(
        line + ("\r\n" if end == "\r" else end) for line, end in zip(lines, ends, strict=False)
    )
    data = (mixed + "\n\n").encode()
    assert events(readings.cut(data, sizes)) == events([plain.encode()])


def test_large_events_in_small_pieces_take_linear_time() -> None:
    """Counted in bytes that are looked at, not in seconds: each is searched once or twice."""
    looked_at = 0

    class Counting(bytearray):
        def find(self, part: bytes, begin: int = 0) -> int:  # type: ignore[override]
            nonlocal looked_at
            looked_at += len(self) - begin
            return super().find(part, begin)

    splitter = sse._Splitter(lambda _: None)
    splitter._buffer = Counting()
    data = b"data: " + b"x" * 2_000_000 + b"\n\n"
    found = [events for piece in readings.cut(data, [1400]) for events in splitter.feed(piece)]
    assert found == [[data[:-2]]]
    assert looked_at < 2 * len(data)


def test_lines_of_data_without_end(run: Run, endpoint: Endpoint) -> None:
    def script(wire: Wire, _: Request) -> None:
        wire.head()
        wire.send(b"data: x\n" * 1_500_000 + b"\n")

    endpoint(script)
    done = run("ask", "hi")
    assert done.returncode == 76
    assert "an event of more than 20000 lines" in one_line(done.stderr)
