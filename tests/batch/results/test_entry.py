"""The short way to what a line of results says gives the same as the long way."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmcli.api.trace import Trace
from llmcli.batch.results import entry
from llmcli.batch.results.entry import Entry, parsed_entry, renumbered
from llmcli.batch.results.formats import BatchForm, Form, JsonForm, TextForm
from llmcli.batch.task import Outcome, Task
from llmcli.chat.call import Call
from llmcli.chat.report import report
from llmcli.errors import BadRequest, LlmcliError

KEY = "0123456789abcdef" * 2
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
FORMS: tuple[Form, ...] = (JsonForm(), BatchForm(), TextForm(ordered=True))


def line_of(form: Form, value: Any, text: str, index: int, error: LlmcliError | None) -> bytes:
    task = Task(index, KEY, value, custom_id="c")
    return form.to_line(Outcome(task, report(Call(Trace()), error), text, error))


@given(
    st.sampled_from(FORMS),
    JSON,
    st.text() | st.just('", "ok": true, "row": '),
    st.integers(0, 1 << 20),
    st.sampled_from([None, BadRequest("x"), LlmcliError("x")]),
)
def test_a_line_of_llmcli_is_read_the_same_in_both_ways(
    form: Form, value: Any, text: str, index: int, error: LlmcliError | None
) -> None:
    line = line_of(form, value, text, index, error)
    found = entry.entry(7, line)
    assert found
    assert found == parsed_entry(7, line) == Entry(7, form.name, KEY, error is None, *found[4:])
    assert found.number == index
    assert parsed_entry(0, renumbered(line, 5)) == found._replace(offset=0, number=5)
    assert renumbered(line, index) == line


@given(st.sampled_from(FORMS), JSON, st.integers(1, 80))
def test_a_torn_line_is_no_answer(form: Form, value: Any, cut: int) -> None:
    line = line_of(form, value, "text", 0, None)
    assert entry.entry(0, line[:-cut]) == parsed_entry(0, line[:-cut])


@pytest.mark.parametrize(
    "line",
    [
        b'{"key": "%s", "index": 3, "ok": false, "text": ""}\n',
        b'{"key": "%s", "index": 3, "text": "a", "ok": true}\n',
        b'{"key": "%s", "index": 3, "row": ["a"], "ok": true}\n',
        b'{"key": "%s", "index": 3, "input": {"ok": true, "row": ""}, "ok": true, "text": "a"}\n',
        b'{"key": "%s", "index": 3, "input": "\\"", "ok": true, "text": "a"}\n',
        b'{"key": "short", "index": 3, "ok": true, "text": "a"}\n',
        b'{"key": "%s", "ok": true, "text": "a"}\n',
        b'{"key": "%s", "index": 3, "ok": true, "text": "a"}',
    ],
)
def test_unusual_lines(line: bytes) -> None:
    line = line.replace(b"%s", KEY.encode())
    assert entry.entry(0, line) == parsed_entry(0, line) is not None
