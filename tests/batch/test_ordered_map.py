"""Answers come in the order of the records, or, if that is asked for, as they arrive."""

import random
import time

from tests.support.echo import Echo, Handler, lines
from tests.support.program import Run


def slow_first(handler: Handler, text: str, _number: int) -> None:
    time.sleep(0.5 if text == "r0" else random.uniform(0, 0.05))


def test_answers_stand_in_the_order_of_the_input(run: Run, echo: Echo) -> None:
    echo.fault = slow_first
    done = run("map", "{}", input=lines(10))
    assert done.stdout.decode().split("\n")[:-1] == [f"answer to r{n}" for n in range(10)]


def test_unordered_as_they_come(run: Run, echo: Echo) -> None:
    echo.fault = slow_first
    done = run("map", "--unordered", "{}", input=lines(10))
    shown = done.stdout.decode().split("\n")[:-1]
    assert sorted(shown) == [f"answer to r{n}" for n in range(10)]
    assert shown[-1] == "answer to r0"
