"""Replies in the shapes that real servers send, each with its expected reading."""

import base64
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llmcli.api import errors
from llmcli.api.reply.judgement import Demands
from llmcli.api.trace import Trace
from llmcli.backends.http.reply import chunks as reply
from llmcli.chat.call import Call
from llmcli.chat.complete import complete
from llmcli.chat.observer import Silent
from llmcli.chat.report import report
from llmcli.errors import LlmcliError

DATA = Path(__file__).parents[1] / "data"


@dataclass(frozen=True)
class Shape:
    name: str
    request_stream: bool
    content_type: str
    status: int
    headers: dict[str, str]
    body: bytes
    expected: dict[str, Any]


def shapes() -> list[Shape]:
    lines = (DATA / "stream_shapes.jsonl").read_text(encoding="utf-8").strip().split("\n")
    return [
        Shape(
            name=line["name"],
            request_stream=line["request_stream"],
            content_type=line["content_type"],
            status=line["status"],
            headers=line.get("headers") or {},
            body=base64.b64decode(line["body_base64"]),
            expected=line["expected"],
        )
        for line in map(json.loads, lines)
    ]


@dataclass(frozen=True)
class Vector:
    name: str
    data: bytes
    chunking: list[int] | None
    expected: list[tuple[str, str]]


def vectors() -> list[Vector]:
    lines = (DATA / "sse_vectors.jsonl").read_text(encoding="utf-8").strip().split("\n")
    return [
        Vector(
            line["name"],
            base64.b64decode(line["input_base64"]),
            line["chunking"],
            [(event["event"], event["data"]) for event in line["expected_events"]],
        )
        for line in map(json.loads, lines)
    ]


def cut(data: bytes, sizes: Iterable[int]) -> list[bytes]:
    """`data` in pieces of these sizes, the last size for all the rest."""
    pieces, begin, size = [], 0, len(data)
    for size in sizes:
        pieces.append(data[begin : begin + size])
        begin += size
    while size and begin < len(data):
        pieces.append(data[begin : begin + size])
        begin += size
    return pieces if b"".join(pieces) == data else [*pieces, data[begin:]]


def reading_of(report: dict[str, Any]) -> dict[str, Any]:
    """The fields of --json that a shape speaks of."""
    choice = report["choices"][0]
    message = choice["message"]
    return {
        "text": message["content"] or "",
        "reasoning": message["reasoning"] or "",
        "tool_calls": [
            {
                "id": call["id"],
                "name": call["function"]["name"],
                "arguments": call["function"]["arguments"],
            }
            for call in message["tool_calls"]
        ],
        "finish_reason": choice["finish_reason"],
        "usage": report["usage"],
    }


def read(shape: Shape, blocks: Iterable[bytes]) -> tuple[dict[str, Any], LlmcliError | None]:
    """The report and error for a body that comes in these blocks, without a network."""
    call = Call(Trace())
    try:
        if shape.status != 200:
            raise errors.from_response(shape.status, shape.headers, b"".join(blocks))
        complete(
            lambda _: reply.chunks(iter(blocks), shape.content_type, call.trace),
            {},
            call,
            Silent(call),
            Demands(),
        )
    except LlmcliError as error:
        return report(call, error), error
    return report(call, None), None


def check(shape: Shape, report: dict[str, Any], exit_code: int) -> None:
    """Raises AssertionError unless this is the expected reading."""
    expected = dict(shape.expected)
    error = expected.pop("error")
    assert reading_of(report) == expected
    if error:
        assert exit_code != 0
        assert report["error"]["message"]
        if error["where"] in ("http", "body", "stream", "choice", "event"):
            assert error["message"] in report["error"]["message"]
            if error["code"] is not None:
                assert report["error"]["code"] == error["code"]
    elif exit_code:
        # No error by itself, but no answer either: cut by length, filtered, refused, empty.
        assert report["error"]["code"] in ("cut", "filtered", "server")
