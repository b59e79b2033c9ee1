"""Replies that no server sends: hypothesis changes good ones in shape, in bytes and in framing."""

import json
import random
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from tests.chaos.place import CODES, Done, Places, ending
from tests.chaos.tally import Tally
from tests.support.endpoint import USAGE, Request, Wire, chunk

SUBJECT = "an odd reply"
# How many are tried if nothing else is said.
_ALL = 400
LEAVES = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
    | st.sampled_from(["", "stop", "length", "assistant", "\ud800", "\x1b]0;x\x07", "9" * 400])
)  # fmt: skip
NAMES = st.text(max_size=9)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)
CALL = {"index": 0, "id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
GOOD: list[dict[str, Any]] = [
    chunk("", delta={"role": "assistant", "reasoning": "hm"}),
    chunk("some "),
    chunk("text"),
    chunk(None, delta={"tool_calls": [CALL]}),
    chunk("", finish_reason="stop") | {"usage": USAGE},
]


@st.composite
def changed_shapes(draw: st.DrawFn) -> list[Any]:
    """Good events, of which one value at any depth is another, or is missing, or stands twice."""
    events = json.loads(json.dumps(GOOD))
    for _ in range(draw(st.integers(1, 3))):
        holder: Any = events
        while True:
            places = list(range(len(holder)) if isinstance(holder, list) else holder)
            if not places:
                break
            place = draw(st.sampled_from(places))
            inner = holder[place]
            if isinstance(inner, (dict, list)) and inner and draw(st.integers(0, 4)):
                holder = inner
                continue
            if draw(st.booleans()):
                holder[place] = draw(VALUES)
            else:
                del holder[place]
            break
    return list(events)


@st.composite
def replies(draw: st.DrawFn) -> tuple[str, bytes]:
    """Return the kind of a reply, and its bytes."""
    kind = draw(st.sampled_from(["shape", "whole", "bytes", "head", "status", "error"]))
    events = draw(changed_shapes()) if kind in ("shape", "whole") else GOOD
    content_type, status = "text/event-stream", "200 OK"
    if kind == "whole":
        choice = {"index": 0, "message": {"content": "text"}, "finish_reason": "stop"}
        body = json.dumps({**chunk(), "choices": [choice, *events[:1]], "usage": draw(VALUES)})
        content_type = "application/json"
    elif kind == "error":
        body = json.dumps({"error": draw(VALUES)})
        status = draw(st.sampled_from(["400 No", "401 No", "402 No", "404 No", "429 No", "500 No"]))
        content_type = "application/json"
    else:
        body = "".join(f"data: {json.dumps(event)}\n\n" for event in events) + "data: [DONE]\n\n"
    if kind == "status":
        status = draw(st.integers(0, 1999).map(str) | st.text(max_size=9))
    lines = [f"HTTP/1.1 {status}", f"Content-Type: {content_type}", "Connection: close"]
    if kind == "head":
        names = ["Content-Length", "Transfer-Encoding", "Content-Encoding", "Content-Type",
                 "Retry-After", "Location", "x-ratelimit-reset", "x-request-id"]  # fmt: skip
        values = st.integers().map(str) | st.text(max_size=30) | st.sampled_from(["chunked", "br"])
        lines.insert(draw(st.integers(1, 3)), f"{draw(st.sampled_from(names))}: {draw(values)}")
    data = ("\r\n".join(lines) + "\r\n\r\n" + body).encode(errors="replace")
    if kind == "bytes":
        begin = draw(st.integers(0, len(data)))
        end = draw(st.integers(begin, min(len(data), begin + draw(st.sampled_from([0, 1, 40])))))
        data = data[:begin] + draw(st.binary(max_size=40)) + data[end:]
        data = data[: draw(st.sampled_from([len(data), len(data) // 2, begin]))]
    return kind, data


def run(places: Places, tally: Tally, chance: random.Random, most: int | None) -> None:
    """Try 400 replies, or `most` of them."""
    script = places.server.script
    with places.fresh() as place:

        @seed(chance.randrange(2**32))
        @settings(
            max_examples=most or _ALL,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(replies(), st.sampled_from([[], ["--json"], ["--events"], ["--no-stream"]]))
        def try_one(reply: tuple[str, bytes], options: list[str]) -> None:
            kind, data = reply
            places.server.script = _sending(data)
            line = ["ask", "-n", "--deadline", "60", *options, "hi"]
            done = place.run(*line)
            problem = ending(done, CODES) or _no_object(done, options)
            tally.add(SUBJECT, kind, f"{options} {data!r}", problem)

        try:
            try_one()
        finally:
            places.server.script = script


def _sending(data: bytes) -> Any:
    def script(wire: Wire, _request: Request) -> None:
        wire.socket.sendall(data)

    return script


def _no_object(done: Done, options: list[str]) -> str | None:
    """Return what is wrong with the object of --json, or with the last of --events."""
    if options not in (["--json"], ["--events"]):
        return None
    try:
        last = json.loads(done.stdout.splitlines()[-1])
        code = last["llmcli"]["exit_code"]
    except (ValueError, LookupError, TypeError):
        return f"no object on stdout: {done.stdout[-300:]!r}"
    return None if code == done.returncode else f"exit code {done.returncode}, {code} in the object"
