"""A stream that breaks off within the event that ends it: nothing of the answer is lost."""

import json
from collections.abc import Callable

import pytest

from tests.support.endpoint import Script, Server, chunk
from tests.support.faults import CHUNKED, SOME, STOP, body, event, in_chunks, raw
from tests.support.program import Run, one_line

Endpoint = Callable[[Script], Server]

ENDS = (b"data: [DONE]\n\n", b"data:[DONE]\r\n\r\n", b"id: 7\nevent: end\ndata: [DONE]\n\n")
# The third from its field `data` on: what stands in front may belong to any event.
TAILS = sorted({end[:n] for end in ENDS for n in range(end.index(b"data") + 1, len(end))})


@pytest.mark.parametrize("tail", TAILS)
def test_an_answer_is_whole_without_the_end_of_the_last_event(
    run: Run, endpoint: Endpoint, tail: bytes
) -> None:
    endpoint(body(SOME + STOP + tail))
    done = run("ask", "-q", "hi", "--retries", "0")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"some\n", b"")


@pytest.mark.parametrize("tail", [b"d", b"data", b"data:", b"data: [DO"])
@pytest.mark.parametrize("reset", [False, True])
@pytest.mark.parametrize("options", [(), ("--json",), ("--no-stream",), ("-O", "out")])
def test_it_is_not_paid_for_again(
    run: Run, endpoint: Endpoint, tail: bytes, reset: bool, options: tuple[str, ...]
) -> None:
    server = endpoint(raw(CHUNKED + in_chunks(SOME + STOP + tail), reset=reset))
    done = run("ask", "hi", *options)
    assert done.returncode == 0, done.stderr
    assert len(server.requests) == 1
    if "--json" in options:
        assert json.loads(done.stdout)["choices"][0]["message"]["content"] == "some"


@pytest.mark.parametrize("tail", [b"data: [DO", b"data: ", b"da"])
def test_without_a_finish_reason_it_is_cut(run: Run, endpoint: Endpoint, tail: bytes) -> None:
    endpoint(body(SOME + tail))
    done = run("ask", "hi", "--retries", "0")
    assert (done.returncode, done.stdout) == (85, b"some")
    assert "stream ended without finish_reason or [DONE]" in one_line(done.stderr)


@pytest.mark.parametrize(
    "tail",
    [b"data: {", b"data: [DONE]x", b"data: [DONX", b"dato", b"event: error\ndata: ", b"err",
     event(chunk("more"))[:-9]],
)  # fmt: skip
def test_any_other_event_may_have_been_a_part_of_the_answer(
    run: Run, endpoint: Endpoint, tail: bytes
) -> None:
    endpoint(body(SOME + STOP + tail))
    done = run("ask", "hi", "--retries", "0")
    assert (done.returncode, done.stdout) == (85, b"some")
    assert "inside an event" in one_line(done.stderr)
