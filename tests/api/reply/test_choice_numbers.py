"""Which of several answers a chunk means, by whatever index a server writes."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.endpoint import Script, Server, events
from tests.support.program import Run

Endpoint = Callable[[Script], Server]

NONE: Any = object()


def choice(index: Any, text: str, finish: str | None = "stop") -> dict[str, Any]:
    told = {"delta": {"content": text}, "finish_reason": finish}
    return told if index is NONE else {"index": index, **told}


def texts(run: Run, endpoint: Endpoint, *chunks: list[dict[str, Any]]) -> list[tuple[int, str]]:
    endpoint(events(*({"choices": one} for one in chunks)))
    done = run("ask", "--json", "-o", "n=2", "--retries", "0", "hi")
    told = json.loads(done.stdout)["choices"]
    return [(one["index"], one["message"]["content"]) for one in told]


@pytest.mark.parametrize("zero", [0, "0", 0.0, None, NONE])
@pytest.mark.parametrize("one", [1, "1", 1.0, "01"])
def test_the_same_number_however_it_is_written(
    run: Run, endpoint: Endpoint, zero: Any, one: Any
) -> None:
    expected = [(0, "ab"), (1, "xy")]
    apart = ([choice(zero, "a")], [choice(one, "x")], [choice(0, "b")], [choice(1, "y")])
    assert texts(run, endpoint, *apart) == expected
    beside = ([choice(one, "x"), choice(zero, "a")], [choice(zero, "b"), choice(one, "y")])
    assert texts(run, endpoint, *beside) == expected


@pytest.mark.parametrize("odd", [1.5, True, "b", "", [1], {"n": 1}, "9" * 40, -1, 1e300])
def test_an_odd_index_is_a_choice_of_its_own(run: Run, endpoint: Endpoint, odd: Any) -> None:
    chunks = ([choice(0, "a")], [choice(odd, "x")], [choice(1, "m")], [choice(odd, "y")])
    found = sorted(text for _, text in texts(run, endpoint, *chunks))
    assert found == ["a", "m", "xy"]


@pytest.mark.parametrize("odd", [1.5, True, "1", "b", None, NONE, 7])
def test_a_single_choice_is_the_answer(run: Run, endpoint: Endpoint, odd: Any) -> None:
    chunks = ([choice(odd, "a", None)], [choice(odd, "b", None)], [choice(odd, "")])
    assert texts(run, endpoint, *chunks) == [(0, "ab")]
    assert run("ask", "-q", "hi").stdout == b"ab\n"


@pytest.mark.parametrize("index", [1, None, NONE, "x", True])
def test_two_in_one_chunk_are_two(run: Run, endpoint: Endpoint, index: Any) -> None:
    chunks = ([choice(index, "a"), choice(index, "x")], [choice(index, "b"), choice(index, "y")])
    assert [text for _, text in texts(run, endpoint, *chunks)] == ["ab", "xy"]
