"""The fields of the request's body, as the user sets them with -o."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.endpoint import Request, Script, Server, Wire, answer
from tests.support.program import Run, one_line

Endpoint = Callable[[Script], Server]


@pytest.fixture
def sent(endpoint: Endpoint) -> list[Any]:
    """The bodies that the server got."""
    bodies: list[Any] = []

    def script(wire: Wire, request: Request) -> None:
        bodies.append(json.loads(request.body))
        answer("x")(wire, request)

    endpoint(script)
    return bodies


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("x=5", 5),
        ("x=[1, 2]", [1, 2]),
        ('x="low"', "low"),
        ("x=low", "low"),
        ("x=https://a.example/b=c", "https://a.example/b=c"),
        ("x=", ""),
        ("x=true", True),
        ("x=True", "True"),
        ("x=NaN", "NaN"),
    ],
)
def test_a_value_is_json_or_text(run: Run, sent: list[Any], option: str, value: Any) -> None:
    done = run("ask", "-o", option, "hi")
    assert done.returncode == 0, done.stderr
    assert sent[0]["x"] == value


def test_null_leaves_a_field_out(run: Run, sent: list[Any]) -> None:
    assert run("ask", "hi").returncode == 0
    assert run("ask", "-o", "stream_options=null", "-o", "x=null", "hi").returncode == 0
    assert "stream_options" in sent[0]
    assert "stream_options" not in sent[1] and "x" not in sent[1]


@pytest.mark.parametrize("value", ['{"a": 1', "[1,", '"half'])
def test_what_begins_as_json_and_is_none_is_a_mistake(
    run: Run, sent: list[Any], value: str
) -> None:
    done = run("ask", "-o", f"x={value}", "hi")
    assert done.returncode == 2
    assert "the value of -o x is not valid JSON" in one_line(done.stderr)
    assert not sent


def test_a_pair_needs_a_key(run: Run, sent: list[Any]) -> None:
    for pair in ("x", "=5"):
        done = run("ask", "-o", pair, "hi")
        assert done.returncode == 2
        assert "is not KEY=VALUE" in one_line(done.stderr)
    assert not sent
