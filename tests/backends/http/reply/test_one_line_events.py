"""A line of data is read as sseclient-py reads it."""

from hypothesis import example, given, settings
from hypothesis import strategies as st
from sseclient import SSEClient

from llmcli.backends.http.reply import one_line_events

# What a line may hold after its ends were made LF.
_TEXT = st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]), max_size=20)
_START = st.sampled_from(["data:", "data: ", "data:  ", "data", "dat:", "event: ", ":", "", "id:"])


@settings(max_examples=500, deadline=None)
@given(st.builds("{}{}".format, _START, _TEXT))
@example("data:")
@example("data: ")
@example("data: \u2028{}\x0b\x1c")
def test_as_sseclient_reads_it(line: str) -> None:
    data = one_line_events.data(line.encode())
    if data is None:
        return
    parsed = [(one.event, one.data) for one in SSEClient(iter((line.encode(),))).events()]
    assert parsed == [("message", data)]


def test_which_it_takes() -> None:
    assert one_line_events.data(b"data: {}") == "{}"
    for event in (b"data: a\ndata: b", b"event: x\ndata: a", b"id: 1", b": data:", b""):
        assert one_line_events.data(event) is None
