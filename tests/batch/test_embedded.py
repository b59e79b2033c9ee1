"""`map` on the embedded model: rows of a table, classified with a schema."""

import json

import pytest

from tests.support.program import Run

ROWS = """text,stars
"The battery died after a day, and nobody answers my mails.",1
"Bought it for my mother, she uses it every morning and loves it.",5
"It does what it says, no more.",3
"""
SCHEMA = {
    "type": "object",
    "properties": {"mood": {"enum": ["good", "bad"]}},
    "required": ["mood"],
    "additionalProperties": False,
}

pytestmark = pytest.mark.embedded


@pytest.mark.embedded
def test_rows_are_classified_in_order(run: Run, embedded: dict[str, str]) -> None:
    done = run(
        *("map", "-m", "local", "--json", "-j", "2", "--temperature", "0", "--schema"),
        *(json.dumps(SCHEMA), "Is this review good or bad? {text} ({stars} stars)"),
        input=ROWS.encode(),
        timeout=110,
    )
    assert done.returncode == 0, done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["input"]["stars"] for row in found] == ["1", "5", "3"]
    assert all(row["llmcli"]["parsed"]["mood"] in ("good", "bad") for row in found)
    assert {row["llmcli"]["cost_source"] for row in found} == {"local"}
