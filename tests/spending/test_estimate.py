"""What a request may cost at most: what bounds it, and what does not."""

from collections.abc import Callable

import pytest

from tests.support.endpoint import Script, Server, answer
from tests.support.money import PRICES, Config
from tests.support.program import Run, one_line

Endpoint = Callable[[Script], Server]


@pytest.mark.parametrize(
    "options",
    [
        ("-o", "max_tokens=-1"),
        ("-o", "max_tokens=true"),
        ("--max-tokens", "100", "-o", "n=-1"),
        ("--json", "--max-tokens", "100", "-o", 'n="100"'),
        ("--json", "--max-tokens", "100", "-o", "n=100.0"),
        ("--max-tokens", "100", "-o", "best_of=20"),
        ("--max-tokens", "100000", "-o", "max_completion_tokens=1"),
        ("--max-tokens", "100", "-o", f'functions=[{{"x": "{"y" * 50_000}"}}]'),
    ],
)
def test_what_bounds_nothing_is_not_sent(
    run: Run, endpoint: Endpoint, config: Config, options: tuple[str, ...]
) -> None:
    config(PRICES)
    server = endpoint(answer("x"))
    assert run("ask", "--max-cost", "0.005", *options, "hi").returncode == 84
    assert server.requests == []


def test_the_input_counts_by_its_bytes(run: Run, endpoint: Endpoint, config: Config) -> None:
    config(PRICES)
    server = endpoint(answer("x"))
    options = ("--max-tokens", "1", "--max-cost", "0.01")
    assert run("ask", *options, input=b"x" * 9_800).returncode == 0
    assert run("ask", *options, input=b"x" * 10_100).returncode == 84
    assert run("ask", *options, input="é".encode() * 5_050).returncode == 84
    assert len(server.requests) == 1


def test_what_has_no_bound_or_price_keeps_to_no_budget(
    run: Run, endpoint: Endpoint, config: Config
) -> None:
    server = endpoint(answer("x"))
    done = run("ask", "--max-cost", "1", "hi")
    assert done.returncode == 84
    assert "the price of m is not known" in one_line(done.stderr)
    config(PRICES)
    done = run("ask", "--max-cost", "1", "hi")
    assert done.returncode == 84
    assert "nothing limits the length of the answer" in one_line(done.stderr)
    assert "give --max-tokens" in one_line(done.stderr)
    assert server.requests == []
    for value in ("-1", "nan", "inf"):
        assert run("ask", "--max-cost", value, "hi").returncode == 2
