"""Faults of which the words matter: replies without an answer, and cuts within reasoning."""

from tests.support.endpoint import chunk
from tests.support.faults import CHUNKED, SHORT, Fault, body, error, event, in_chunks, raw

WORDINGS: dict[str, Fault] = {
    "304": Fault(
        raw(b"HTTP/1.1 304 Not Modified\r\n\r\n"), 76, "HTTP 304 Not Modified, which has no answer"
    ),
    "304_with_a_body": Fault(error("304 N", {}), 76, "HTTP 304 Not Modified, which has no answer"),
    "399_unknown": Fault(error("399 X", {}), 76, "HTTP 399, which does not say where"),
    "cut_in_think_tags": Fault(
        body(event(chunk("<think>let me"))),
        85,
        "stream ended without finish_reason or [DONE]; only reasoning had come",
    ),
    "cut_in_reasoning": Fault(
        raw(CHUNKED + in_chunks(event(chunk(None, delta={"reasoning": "hm"}))), reset=True),
        85,
        "connection lost; only reasoning had come",
    ),
    "silence_in_think_tags": Fault(
        raw(CHUNKED + in_chunks(event(chunk("<think>let me</thi"))), wait=True),
        124,
        "no data for 1 s; only reasoning had come",
        options=SHORT,
    ),
}
