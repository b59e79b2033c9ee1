"""The table of faults on the wire.

A row: what the server does, the options, then exit code, stdout, and what the one line says.
"""

import json
import time
from dataclasses import dataclass
from typing import Any

from tests.support.endpoint import Request, Script, Wire, chunk
from tests.support.program import KEY


@dataclass(frozen=True)
class Fault:
    script: Script
    code: int
    says: str
    stdout: bytes = b""
    options: tuple[str, ...] = ("--retries", "0")

    @property
    def waits(self) -> bool:
        """Whether it ends by its deadline, which is rung for: see `reach_deadline`."""
        return self.options is DEADLINE


def raw(data: bytes, *, reset: bool = False, wait: bool = False) -> Script:
    """These bytes and nothing else, then FIN, RST, or silence."""

    def script(wire: Wire, _request: Request) -> None:
        wire.socket.sendall(data)
        if wait:
            wire.receive()
        if reset:
            wire.reset()

    return script


def body(
    data: bytes, content_type: str = "text/event-stream", *extra: str, chunked: bool = False
) -> Script:
    def script(wire: Wire, _request: Request) -> None:
        wire.head("200 OK", content_type, *extra, chunked=chunked)
        wire.send(data)
        wire.end()

    return script


def trickle(data: bytes, head: bytes = b"") -> Script:
    """One byte at a time, for as long as the client listens."""

    def script(wire: Wire, _request: Request) -> None:
        wire.socket.sendall(head)
        while True:
            for byte in data:
                wire.socket.sendall(bytes([byte]))
                time.sleep(0.02)

    return script


def error(status: str, value: Any, *extra: str) -> Script:
    return lambda wire, _: wire.json(value, status, *extra)


def event(value: Any) -> bytes:
    text = value if isinstance(value, str) else json.dumps(value)
    return f"data: {text}\n\n".encode()


def endless(data: bytes, pause: float = 0) -> Script:
    def script(wire: Wire, _request: Request) -> None:
        wire.head(chunked=False)
        while True:
            wire.send(data)
            time.sleep(pause)

    return script


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
INTERIM = b"HTTP/1.1 %d Wait\r\n\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
SOME = event(chunk("some"))
STOP = event(chunk("", finish_reason="stop"))
DONE = event("[DONE]")
DEEP = {"function": {"name": "f", "arguments": "[" * 100_000}}
DEEP_CALL = event(chunk(None, delta={"tool_calls": [DEEP]}))


def in_chunks(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


BEGUN = CHUNKED + in_chunks(SOME)
LOST = "connection lost after 4 chars; partial answer kept"
NO_END = "stream ended without finish_reason or [DONE] after 4 chars; partial answer kept"
SHORT = ("--retries", "0", "--idle-timeout", "1")
HANGS = "keeps the connection open, but sent no event for 3 s"
AT_ONCE = ("--retries", "0", "--idle-timeout", "0.1")
IMPATIENT = ("--idle-timeout", "0.3")
DEADLINE = ("--retries", "0", "--deadline", "100")

FAULTS: dict[str, Fault] = {
    # before the answer
    "rst_before_headers": Fault(
        raw(b"", reset=True),
        68,
        "closed the connection without an answer",
        options=("--retries", "1"),
    ),
    "fin_before_headers": Fault(raw(b""), 68, "closed the connection without an answer"),
    "no_headers_ever": Fault(raw(b"", wait=True), 124, "no answer from 127.0.0.1", options=AT_ONCE),
    "slow_headers": Fault(trickle(b"X-A: b\r\n", HEAD), 124, "no answer from", options=DEADLINE),
    "slow_headers_for_ever": Fault(trickle(b"X-A: b\r\n", HEAD), 124, HANGS, options=IMPATIENT),
    "endless_100": Fault(trickle(INTERIM % 100), 124, "no answer from", options=DEADLINE),
    "endless_103": Fault(trickle(INTERIM % 103), 124, "no answer from", options=DEADLINE),
    "many_headers": Fault(
        raw(HEAD + b"X: y\r\n" * 100_000 + b"\r\n"), 76, "got more than 100 headers"
    ),
    "long_header": Fault(
        raw(HEAD + b"X: " + b"y" * 2**20 + b"\r\n\r\n"), 76, "cannot read the headers"
    ),
    "http_0_9": Fault(raw(b"<html>hello</html>"), 76, "is not HTTP"),
    "ssh_banner": Fault(raw(b"SSH-2.0-OpenSSH_9.2\r\n"), 76, "is not HTTP"),
    "301": Fault(
        error("301 Moved", {}, "Location: /v2"), 76, "redirect to /v2 refused; set base_url"
    ),
    "302": Fault(error("302 Found", {}, "Location: /v2"), 76, "redirect to /v2 refused"),
    "307_elsewhere": Fault(
        error("307 T", {}, "Location: http://evil.invalid/"), 76, "redirect to http://evil.invalid/"
    ),
    "308_no_location": Fault(error("308 P", {}), 76, "Redirect, which does not say where"),
    "gzip": Fault(
        body(b"\x1f\x8b", "text/event-stream", "Content-Encoding: gzip"),
        76,
        "content-encoding gzip was not asked for",
    ),
    "brotli": Fault(
        body(b"x", "application/json", "Content-Encoding: br"), 76, "content-encoding br was not"
    ),
    "captive_portal": Fault(
        body(b"<html>please log in</html>", "text/html"),
        76,
        "expected text/event-stream, got text/html; check base_url",
    ),
    "empty_json": Fault(body(b"", "application/json"), 76, "got an empty body"),
    "json_that_is_no_completion": Fault(
        error("200 OK", {"hello": "world"}), 76, "JSON, but not a completion"
    ),
    "json_that_is_cut": Fault(
        body(b'{"choices": [', "application/json"), 69, "the reply ended inside its JSON"
    ),
    "json_that_is_broken": Fault(body(b'{"choices": x}', "application/json"), 76, "not JSON"),
    # within the answer
    "rst_in_answer": Fault(raw(CHUNKED + in_chunks(SOME), reset=True), 85, LOST, b"some"),
    "negative_chunk": Fault(raw(BEGUN + b"-5\r\n", wait=True), 85, LOST, b"some"),
    "fin_in_a_chunk": Fault(raw(BEGUN + b"ff\r\nda"), 85, LOST, b"some"),
    "fin_between_chunks": Fault(raw(BEGUN), 85, LOST, b"some"),
    "clean_end_without_an_end": Fault(body(SOME, chunked=True), 85, NO_END, b"some"),
    "close_framed_and_cut": Fault(body(SOME), 85, NO_END, b"some"),
    "length_longer_than_body": Fault(
        raw(HEAD + b"Content-Length: 9999\r\n\r\n" + SOME), 85, LOST, b"some"
    ),
    "length_shorter_than_body": Fault(
        raw(HEAD + b"Content-Length: %d\r\n\r\n" % len(SOME) + SOME + STOP), 85, NO_END, b"some"
    ),
    "cut_inside_an_event": Fault(
        body(SOME + STOP[:-9]), 85, "inside an event after 4 chars", b"some"
    ),
    "nothing_but_a_head": Fault(body(b""), 69, "nothing of the answer had come"),
    "rst_after_the_head": Fault(raw(CHUNKED, reset=True), 68, "nothing of the answer had come"),
    "half_an_event_then_silence": Fault(
        raw(CHUNKED + in_chunks(SOME + STOP[:-9]), wait=True), 124, "no data for", b"some", SHORT
    ),
    "deep_error_event": Fault(body(b"event: error\ndata: " + b"[" * 100_000 + b"\n\n"), 69, ""),
    "deep_error_text": Fault(body(event({"error": "{" + '"a":[' * 50_000})), 69, ""),
    "deep_arguments": Fault(body(DEEP_CALL + STOP), 87, "not a JSON object"),
    "error_code_of_many_digits": Fault(
        error("400 Bad", {"error": {"message": "no", "code": "9" * 5000}}), 65, "HTTP 400: no"
    ),
    "detail_of_odd_types": Fault(
        error("422 U", {"detail": [{"loc": None, "msg": "bad"}, 5]}), 65, "bad, 5"
    ),
    "retry_after_of_the_year_million": Fault(
        error("429 T", {}, "Retry-After: Mon, 01 Jan 2024 00:00:00 +99999999999999999999"), 75, ""
    ),
    "half_open": Fault(
        raw(CHUNKED + in_chunks(SOME), wait=True), 124, "no data for 1 s after 4", b"some", SHORT
    ),
    "comments_for_ever": Fault(endless(b": keep-alive\n\n", 0.001), 124, HANGS, options=IMPATIENT),
    "comments_until_the_deadline": Fault(
        trickle(b": keep-alive\n\n", HEAD + b"\r\n" + SOME),
        124,
        "deadline of 100 s reached: the answer is not complete after 4 chars",
        b"some",
        DEADLINE,
    ),
    "one_byte_at_a_time": Fault(
        trickle(b"x", HEAD + b"\r\ndata: "),
        124,
        "deadline of 5 s reached: the answer is not complete",
        options=("--retries", "0", "--deadline", "5"),
    ),
    "not_json": Fault(body(SOME + event("{oops")), 76, "text that is not JSON: {oops", b"some"),
    "nested_too_deeply": Fault(body(SOME + event("[" * 100_000)), 76, "nested too deeply", b"some"),
    "a_list": Fault(body(event([1])), 76, "JSON that is not an object: [1]"),
    "a_string": Fault(body(event('"x"')), 76, 'JSON that is not an object: "x"'),
    "endless_line": Fault(endless(b"data: " + b"x" * 2**20), 76, "a line longer than 128 MiB"),
    "error_in_the_stream": Fault(
        body(SOME + event({"error": {"message": "overloaded", "code": 503}})),
        69,
        "overloaded (model m)",
        b"some",
    ),
    "rate_limit_in_the_stream": Fault(
        body(SOME + event({"error": {"message": "slow down", "code": "rate_limit"}})),
        75,
        "slow down",
        b"some",
    ),
    "long_error_with_escapes": Fault(
        body(event({"error": {"message": "\x1b[31m" + "x" * 3000}})), 69, "\\x1b[31mxxx"
    ),
    "empty_answer": Fault(body(STOP + DONE), 69, "the answer is empty"),
    "length": Fault(
        body(SOME + event(chunk("", finish_reason="length")) + DONE),
        86,
        "answer cut at max_tokens",
        b"some\n",
    ),
    "content_filter": Fault(
        body(SOME + event(chunk("", finish_reason="content_filter")) + DONE),
        82,
        "content filter",
        b"some",
    ),
    # in words of the server
    "400": Fault(error("400 Bad", {"error": {"message": "no such field"}}), 65, "no such field"),
    "422_detail": Fault(
        error("422 U", {"detail": [{"loc": ["body", "n"], "msg": "bad"}]}), 65, "body.n: bad"
    ),
    "413": Fault(error("413 Big", {"error": "too big"}), 80, "HTTP 413: too big"),
    "context": Fault(
        error("400 Bad", {"error": {"message": "wants 9000", "code": "context_length_exceeded"}}),
        80,
        "wants 9000",
    ),
    "401": Fault(
        error("401 Who", {"error": {"message": f"bad key {KEY}"}}, "x-request-id: req-1"),
        77,
        "HTTP 401: bad key [redacted] (model m, request id req-1); "
        "the key …cdef from LLMCLI_API_KEY was refused",
    ),
    "403": Fault(error("403 No", {"error": "not yours"}), 77, "not yours"),
    "402": Fault(error("402 Pay", {"error": {"message": "no credits"}}), 83, "no credits"),
    "429_spent": Fault(
        error("429 T", {"error": {"message": "x", "code": "SPEND_LIMIT_EXCEEDED"}}), 83, "HTTP 429"
    ),
    "429_quota": Fault(
        error("429 T", {"error": {"message": "x", "type": "insufficient_quota"}}), 83, "HTTP 429"
    ),
    "404_html": Fault(
        lambda wire, _: wire.whole(b"<html><title>Nope</title>", "404 Not Found", "text/html"),
        76,
        "HTTP 404: Nope; no such endpoint; check base_url",
    ),
    "404_model": Fault(
        error("404 No", {"error": {"message": "gone", "code": "model_not_found"}}),
        81,
        "choose another",
    ),
    "500_text": Fault(
        lambda wire, _: wire.whole(b"Internal Server Error", "500 E", "text/plain"),
        69,
        "HTTP 500: Internal Server Error (model m, 2 attempts)",
        options=("--retries", "1"),
    ),
    "529": Fault(error("529 O", {"error": {"message": "overloaded"}}), 69, "HTTP 529: overloaded"),
    "408": Fault(error("408 T", {}), 69, "HTTP 408", options=("--retries", "1")),
    "425": Fault(error("425 T", {}), 69, "HTTP 425", options=("--retries", "1")),
    "raw_reason": Fault(
        error(
            "400 Bad",
            {
                "error": {
                    "message": "Provider returned error",
                    "metadata": {"raw": '{"error": {"message": "the true reason"}}'},
                }
            },
        ),
        65,
        "Provider returned error: the true reason",
    ),
}
