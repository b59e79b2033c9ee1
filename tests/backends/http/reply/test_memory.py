"""A long answer takes no more memory than a short one, where nobody looks at it again."""

import time
from collections.abc import Callable

import pytest

from tests.benchmarks.measure import Command, run
from tests.support.endpoint import Request, Script, Server, Wire, chunk
from tests.support.program import PROGRAM

PIECE = "x" * 65536
PIECES = 500


def long_answer(count: int, field: str) -> Script:
    def script(wire: Wire, _request: Request) -> None:
        wire.head()
        for _ in range(count):
            wire.event(chunk(delta={field: PIECE}))
        wire.text(".")
        wire.finish()

    return script


@pytest.mark.parametrize("field", ["content", "reasoning"])
def test_no_growth(endpoint: Callable[[Script], Server], env: dict[str, str], field: str) -> None:
    command = Command((str(PROGRAM), "ask", "-q", "-n", "hi"), env)
    endpoint(long_answer(1, field))
    short = run(command)
    endpoint(long_answer(PIECES, field))
    long = run(command)
    assert long.output == (PIECE.encode() * PIECES if field == "content" else b"") + b".\n"
    assert long.memory < short.memory + PIECES * len(PIECE) / 4


def test_escapes_take_no_more(endpoint: Callable[[Script], Server], env: dict[str, str]) -> None:
    text = "\n" * 2_000_000

    def script(wire: Wire, _request: Request) -> None:
        wire.head()
        for one in ("a", "b", text):
            wire.text(one)
            time.sleep(0.5)  # what such events are is learned while nothing waits
        wire.finish()

    endpoint(script)
    done = run(Command((str(PROGRAM), "ask", "-q", "-n", "hi"), env))
    assert done.output == f"ab{text}".encode()
    assert done.memory < 100 << 20
