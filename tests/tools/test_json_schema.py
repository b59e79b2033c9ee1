"""JSON Schemas of users: refused before anything is sent, or kept to; never a defect."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.endpoint import Script, Server, answer
from tests.support.program import Run, one_line

Endpoint = Callable[[Script], Server]


@pytest.mark.parametrize(
    ("schema", "code"),
    [
        ({"$schema": [1]}, 65),
        ({"pattern": "a{99999999999}"}, 65),
        ({"$dynamicRef": "#nowhere"}, None),
        ({"type": "object", "$ref": "#/type/x"}, 65),
        ({"$ref": "#/definitions/nope"}, 65),
        ({"const": {"type": "object", "additionalProperties": False, "required": [[1]]}}, None),
        ({"default": {"type": "object", "required": 3, "additionalProperties": False}}, None),
        ({"type": "number", "multipleOf": 0.1}, None),
    ],
)
def test_schemas_at_the_edge_of_the_standard_are_no_defects(
    run: Run, endpoint: Endpoint, schema: Any, code: int | None
) -> None:
    server = endpoint(answer("1" + "0" * 400))
    done = run("ask", "--schema", json.dumps(schema), "hi")
    assert done.returncode in (0, 65, 78)
    if code:
        assert (done.returncode, server.requests) == (code, [])


@pytest.mark.parametrize(
    ("schema", "code", "says"),
    [
        ("{", 65, "--schema is not JSON"),
        (
            '{"type": "objekt"}',
            65,
            "--schema: not a valid JSON Schema: $.type: 'objekt' is not valid",
        ),
        ("missing.json", 66, "cannot read missing.json"),
        ("[1]", 66, "cannot read [1]"),
    ],
)
def test_what_is_no_schema_sends_nothing(
    run: Run, endpoint: Endpoint, schema: str, code: int, says: str
) -> None:
    server = endpoint(answer("x"))
    done = run("ask", "--schema", schema, "hi")
    assert done.returncode == code
    assert says in one_line(done.stderr)
    assert server.requests == []


def test_a_schema_fetches_nothing_from_the_network(run: Run, endpoint: Endpoint) -> None:
    server = endpoint(answer("{}"))
    schema = json.dumps({"$ref": f"http://127.0.0.1:{server.port}/schema.json"})
    done = run("ask", "--schema", schema, "--repair", "3", "hi")
    assert done.returncode == 65
    assert "--schema: cannot resolve the $ref http://" in one_line(done.stderr)
    assert server.requests == []


def test_without_the_extra_the_way_to_it_is_named(
    run: Run, endpoint: Endpoint, env: dict[str, str], tmp_path: Path
) -> None:
    server = endpoint(answer("x"))
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['jsonschema'] = None\n")
    env["PYTHONPATH"] = str(tmp_path)
    done = run("ask", "--schema", "{}", "hi")
    assert done.returncode == 78
    assert "pip install 'jsonschema" in one_line(done.stderr)
    assert server.requests == []
