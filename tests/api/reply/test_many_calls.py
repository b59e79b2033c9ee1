"""The work for many tool calls in one reply grows with their number, not with its square."""

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest

from llmcli.api.reply.accumulator import Accumulator
from llmcli.api.reply.judgement import Demands, judge
from llmcli.api.types import DONE

FUNCTION = {"name": "f", "arguments": '{"x": 1}'}
# A piece of call number n, as servers send it.
PIECES: dict[str, Callable[[int], dict[str, Any]]] = {
    "index and id": lambda n: {"index": n, "id": f"c{n}", "function": FUNCTION},
    "index 0 and an id": lambda n: {"index": 0, "id": f"c{n}", "function": FUNCTION},
    "index 0 and no id": lambda _: {"index": 0, "function": FUNCTION},
    "neither": lambda _: {"function": FUNCTION},
    "custom": lambda n: {"index": n, "id": f"c{n}", "custom": {"name": "f", "input": "x"}},
}


def work(chunks: list[dict[str, Any]]) -> tuple[int, int]:
    """The functions that were called to read a reply, and the tool calls in it."""
    count = 0

    def one(_frame: FrameType, event: str, _argument: Any) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    accumulator = Accumulator()
    sys.setprofile(one)
    try:
        for chunk in [*chunks, {"choices": [{"finish_reason": "tool_calls"}]}, DONE]:
            accumulator.add(chunk)
        completion = accumulator.completion()
        judge(completion, Demands())
        completion.passed_back()
    finally:
        sys.setprofile(None)
    return count, len(completion.first.tool_calls)


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("kind", PIECES)
def test_twice_the_calls_are_twice_the_work(kind: str, whole: bool) -> None:
    found = []
    for number in (400, 800):
        calls = [PIECES[kind](n) for n in range(number)]
        chunks = [{"choices": [{"delta": {"tool_calls": [call]}}]} for call in calls]
        if whole:
            chunks = [{"choices": [{"message": {"tool_calls": calls}}]}]
        count, came = work(chunks)
        assert came == number
        found.append(count)
    assert found[1] < 2.2 * found[0]


def test_arguments_in_many_pieces_are_joined_once() -> None:
    found = []
    for number in (400, 800):
        texts = ['{"x": "', *["y"] * number, '"}']
        calls = [{"index": 0, "function": {"name": "f", "arguments": text}} for text in texts]
        found.append(work([{"choices": [{"delta": {"tool_calls": [call]}}]} for call in calls])[0])
    assert found[1] < 2.2 * found[0]
