"""What can go wrong on the wire, and what must happen then: a table, run through real processes.

A row: what the server does, the options, then exit code, stdout, and what the one line says.
"""

import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import trustme

from .conftest import KEY, Run, one_line
from .fakes import Request, Script, Server, Wire, chunk, serving

Endpoint = Callable[[Script], Server]


@dataclass(frozen=True)
class Fault:
    script: Script
    code: int
    says: str
    stdout: bytes = b""
    options: tuple[str, ...] = ("--retries", "0")


def raw(data: bytes, *, reset: bool = False, wait: bool = False) -> Script:
    """These bytes and nothing else, then FIN, RST, or silence."""

    def script(wire: Wire, _request: Request) -> None:
        wire.socket.sendall(data)
        if wait:
            wire.receive()
        if reset:
            time.sleep(0.2)  # what was sent is delivered before the RST overtakes it
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
                time.sleep(0.05)

    return script


def error(status: str, value: Any, *extra: str) -> Script:
    return lambda wire, _: wire.json(value, status, *extra)


def event(value: Any) -> bytes:
    text = value if isinstance(value, str) else json.dumps(value)
    return f"data: {text}\n\n".encode()


def endless(data: bytes) -> Script:
    def script(wire: Wire, _request: Request) -> None:
        wire.head(chunked=False)
        while True:
            wire.send(data)

    return script


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
SOME = event(chunk("some"))
STOP = event(chunk("", finish_reason="stop"))
DONE = event("[DONE]")


def in_chunks(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


LOST = "connection lost after 4 chars; partial answer kept"
NO_END = "stream ended without finish_reason or [DONE] after 4 chars; partial answer kept"
SHORT = ("--retries", "0", "--idle-timeout", "0.5")
DEADLINE = ("--retries", "0", "--deadline", "1")

FAULTS: dict[str, Fault] = {
    # before the answer
    "rst_before_headers": Fault(
        raw(b"", reset=True),
        68,
        "closed the connection without an answer",
        options=("--retries", "1"),
    ),
    "fin_before_headers": Fault(raw(b""), 68, "closed the connection without an answer"),
    "no_headers_ever": Fault(raw(b"", wait=True), 124, "no answer from 127.0.0.1", options=SHORT),
    "slow_headers": Fault(trickle(b"X-A: b\r\n", HEAD), 124, "no answer from", options=DEADLINE),
    "endless_100_continue": Fault(
        trickle(b"HTTP/1.1 100 Continue\r\n\r\n"), 124, "no answer from", options=DEADLINE
    ),
    "many_headers": Fault(
        raw(HEAD + b"X: y\r\n" * 100_000 + b"\r\n"), 76, "headers beyond all limits"
    ),
    "long_header": Fault(raw(HEAD + b"X: " + b"y" * 2**20 + b"\r\n\r\n"), 76, "headers beyond all"),
    "http_0_9": Fault(raw(b"<html>hello</html>"), 76, "is not HTTP"),
    "ssh_banner": Fault(raw(b"SSH-2.0-OpenSSH_9.2\r\n"), 76, "is not HTTP"),
    "301": Fault(
        error("301 Moved", {}, "Location: /v2"), 76, "redirect to /v2 refused; set base_url"
    ),
    "302": Fault(error("302 Found", {}, "Location: /v2"), 76, "redirect to /v2 refused"),
    "307_elsewhere": Fault(
        error("307 T", {}, "Location: http://evil.invalid/"), 76, "redirect to http://evil.invalid/"
    ),
    "308_no_location": Fault(error("308 P", {}), 76, "redirect to nowhere refused"),
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
        error("200 OK", {"hello": "world"}), 76, "JSON but no completion"
    ),
    "json_that_is_cut": Fault(
        body(b'{"choices": [', "application/json"), 69, "the reply ended inside its JSON"
    ),
    "json_that_is_broken": Fault(body(b'{"choices": x}', "application/json"), 76, "not JSON"),
    # within the answer
    "rst_in_answer": Fault(raw(CHUNKED + in_chunks(SOME), reset=True), 85, LOST, b"some"),
    "fin_in_a_chunk": Fault(raw(CHUNKED + in_chunks(SOME) + b"ff\r\nda"), 85, LOST, b"some"),
    "fin_between_chunks": Fault(raw(CHUNKED + in_chunks(SOME)), 85, LOST, b"some"),
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
    "deep_arguments": Fault(
        body(
            event(
                chunk(
                    None,
                    delta={"tool_calls": [{"function": {"name": "f", "arguments": "[" * 100_000}}]},
                )
            )
            + STOP
        ),
        87,
        "not a JSON object",
    ),
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
        raw(CHUNKED + in_chunks(SOME), wait=True), 124, "no data for 0.5 s after 4", b"some", SHORT
    ),
    "comments_for_ever": Fault(
        endless(b": keep-alive\n\n"),
        124,
        "keeps the connection open, but sent no event for 1 s",
        options=("--idle-timeout", "0.1"),
    ),
    "comments_until_the_deadline": Fault(
        trickle(b": keep-alive\n\n", HEAD + b"\r\n" + SOME),
        124,
        "deadline of 1 s reached: the answer is not complete after 4 chars",
        b"some",
        DEADLINE,
    ),
    "one_byte_at_a_time": Fault(
        trickle(b"x", HEAD + b"\r\ndata: "), 124, "the answer is not complete", options=DEADLINE
    ),
    "not_json": Fault(body(SOME + event("{oops")), 76, "a reply is not JSON: {oops", b"some"),
    "nested_too_deeply": Fault(body(SOME + event("[" * 100_000)), 76, "nested too deeply", b"some"),
    "a_list": Fault(body(event([1])), 76, "a reply is a list, not an object"),
    "a_string": Fault(body(event('"x"')), 76, "a reply is a str, not an object"),
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


@pytest.mark.parametrize("name", FAULTS)
def test_fault(run: Run, endpoint: Endpoint, name: str) -> None:
    fault = FAULTS[name]
    server = endpoint(fault.script)
    done = run("ask", "hi", *fault.options)
    line = one_line(done.stderr)
    assert (done.returncode, done.stdout) == (fault.code, fault.stdout), line
    assert fault.says in line
    assert line.isprintable() and len(line) < 700
    assert KEY not in line
    if "1" in fault.options[:2]:
        assert len(server.requests) == 2


@pytest.mark.parametrize("name", [n for n, f in FAULTS.items() if f.code not in (85, 124)])
def test_fault_in_json(run: Run, endpoint: Endpoint, name: str) -> None:
    """The same code in the object, with the partial text."""
    fault = FAULTS[name]
    endpoint(fault.script)
    done = run("ask", "--json", "hi", *fault.options)
    value = json.loads(done.stdout)
    assert done.returncode == fault.code == value["llmcli"]["exit_code"]
    assert value["error"]["message"]
    text = value["choices"][0]["message"]["content"] or ""
    assert text == fault.stdout.decode().rstrip("\n")
    assert KEY.encode() not in done.stdout


def test_what_is_odd_but_whole(run: Run, endpoint: Endpoint) -> None:
    """Each of these is an answer, with or without a warning."""
    big = "x" * 10 * 2**20
    cases: list[tuple[Script, bytes, str]] = [
        (body(SOME + STOP), b"some\n", ""),
        (body(SOME + DONE), b"some\n", "named no finish_reason"),
        (body(SOME + STOP + b"data: [DONE]"), b"some\n", ""),
        (raw(CHUNKED + in_chunks(SOME + STOP), reset=True), b"some\n", "lost after the end"),
        (body(b"data: {\"choices\":[{\"delta\":{\"content\":\"a\xff\"}}]}\n\n" + STOP),
         "a\ufffd\n".encode(), "not UTF-8"),
        (body(event(chunk("a\x00b")) + STOP), b"a\x00b\n", ""),
        (body(b'data: {"choices":[{"delta":{"content":1,"content":"b"}}]}\n\n' + STOP), b"b\n", ""),
        (body(event({"choices": [{"index": 3, "delta": {"content": "x"}}]})
              + event({"choices": [{"index": 3, "finish_reason": "stop"}]})), b"x\n", ""),
        (body(event(chunk(big)) + STOP), big.encode() + b"\n", ""),
        (body(SOME + event(chunk("", finish_reason="eos")) + DONE), b"some\n", "reason 'eos'"),
    ]  # fmt: skip
    for script, stdout, warning in cases:
        endpoint(script)
        done = run("ask", "hi", "--retries", "0")
        assert (done.returncode, done.stdout) == (0, stdout), done.stderr
        assert warning in done.stderr.decode()
        assert ("warning" in done.stderr.decode()) == bool(warning)


def test_characters_cut_at_every_byte(run: Run, endpoint: Endpoint) -> None:
    def script(wire: Wire, _request: Request) -> None:
        wire.head()
        for byte in event(json.dumps(chunk("日本🎉"), ensure_ascii=False)):
            wire.send(bytes([byte]))
        wire.finish()

    endpoint(script)
    assert run("ask", "hi").stdout == "日本🎉\n".encode()


# Connections


def test_refused_is_tried_again(run: Run, endpoint: Endpoint) -> None:
    done = run("ask", "hi", "--base-url", "http://127.0.0.1:1/v1", "-m", "m", "--retries", "2")
    assert done.returncode == 68
    assert "cannot reach 127.0.0.1:1: Connection refused (3 attempts)" in one_line(done.stderr)


def test_unknown_host(run: Run) -> None:
    done = run("ask", "hi", "--base-url", "http://host.invalid", "-m", "m", "--retries", "0")
    assert done.returncode == 68
    assert "cannot resolve host.invalid" in one_line(done.stderr)


@pytest.fixture
def silent_dns(env: dict[str, str], home: Path) -> None:
    """Name resolution that hangs and cannot be interrupted."""
    (home / "sitecustomize.py").write_text(
        "import socket, sys, threading\n"
        "def getaddrinfo(host, port, *a, **k):\n"
        "    sys.audit('socket.getaddrinfo', host, port, 0, 0, 0)\n"
        "    threading.Event().wait()\n"
        "socket.getaddrinfo = getaddrinfo\n"
    )
    env["PYTHONPATH"] = str(home)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--deadline", "1"), "deadline of 1 s reached: no answer from DNS for host.invalid"),
        (("--connect-timeout", "1"), "no answer from DNS for host.invalid for 1 s"),
    ],
)
def test_silent_dns(run: Run, silent_dns: None, options: tuple[str, str], says: str) -> None:
    done = run("ask", "hi", "--base-url", "http://host.invalid", "-m", "m", *options)
    assert done.returncode == 124
    assert says in one_line(done.stderr)


@pytest.fixture
def black_hole() -> Iterator[str]:
    """A listener whose queue is full: connections are neither accepted nor refused."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        clients = [socket.socket() for _ in range(4)]
        for client in clients:
            client.setblocking(False)
            client.connect_ex(listener.getsockname())
        time.sleep(0.1)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        for client in clients:
            client.close()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--deadline", "1"), "deadline of 1 s reached: no connection to 127.0.0.1"),
        (("--connect-timeout", "1"), "127.0.0.1"),
    ],
)
def test_full_accept_queue(run: Run, black_hole: str, options: tuple[str, str], says: str) -> None:
    done = run("ask", "hi", "--base-url", black_hole, "-m", "m", *options)
    assert done.returncode == 124
    assert says in one_line(done.stderr)


# TLS


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


def context(authority: trustme.CA, *names: str, **options: Any) -> ssl.SSLContext:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names, **options).configure_cert(tls)
    return tls


def good(wire: Wire, _request: Request) -> None:
    wire.head()
    wire.text("ok")
    wire.finish()


def test_tls(run: Run, authority: trustme.CA, env: dict[str, str], tmp_path: Path) -> None:
    bundle = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(bundle))
    with serving(good, context(authority, "127.0.0.1")) as server:
        arguments = ("ask", "-q", "hi", "-m", "m", "--base-url", server.base_url)
        done = run(*arguments)
        assert done.returncode == 76
        line = one_line(done.stderr)
        assert "the certificate of 127.0.0.1" in line and "is not trusted" in line
        assert "ca_file" in line and "REQUESTS_CA_BUNDLE" in line
        assert "verif" not in line.split(";")[1]
        assert server.requests == []
        for name in ("REQUESTS_CA_BUNDLE", "LLMCLI_CA_FILE"):
            assert run(*arguments, env={**env, name: str(bundle)}).stdout == b"ok\n"
        for name in ("REQUESTS_CA_BUNDLE", "LLMCLI_CA_FILE"):
            done = run(*arguments, env={**env, name: "/missing.pem"})
            assert done.returncode == 78
            assert "/missing.pem" in one_line(done.stderr)


def test_certificates_that_do_not_fit(
    run: Run, authority: trustme.CA, env: dict[str, str], tmp_path: Path
) -> None:
    import datetime

    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    env["REQUESTS_CA_BUNDLE"] = str(tmp_path / "ca.pem")
    past = datetime.datetime(2020, 1, 1)
    for tls, reason in (
        (context(authority, "other.invalid"), "127.0.0.1"),
        (context(authority, "127.0.0.1", not_after=past), "expired"),
    ):
        with serving(good, tls) as server:
            done = run("ask", "hi", "-m", "m", "--base-url", server.base_url)
        assert done.returncode == 76
        assert reason in one_line(done.stderr).partition("is not trusted")[2]


def test_tls_to_a_plain_port_and_the_reverse(run: Run, authority: trustme.CA) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        threading.Thread(target=accept, daemon=True).start()
        url = f"https://127.0.0.1:{listener.getsockname()[1]}"
        done = run("ask", "hi", "-m", "m", "--base-url", url)
    assert done.returncode == 76
    assert "is it http://?" in one_line(done.stderr)
    with serving(good, context(authority, "127.0.0.1")) as secure:
        url = secure.base_url.replace("https:", "http:")
        done = run("ask", "hi", "-m", "m", "--base-url", url, "--retries", "0")
    assert done.returncode in (76, 68)  # by the TLS library: an alert in clear, or a close
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(("close", "code"), [(False, 124), (True, 68)])
def test_tls_handshake_that_stalls_or_closes(run: Run, close: bool, code: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"https://127.0.0.1:{listener.getsockname()[1]}"

        def accept() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(1000)
                if not close:
                    connection.recv(1)

        threading.Thread(target=accept, daemon=True).start()
        options = ("--connect-timeout", "1", "--retries", "0")
        done = run("ask", "hi", "-m", "m", "--base-url", url, *options)
    assert done.returncode == code
    assert "127.0.0.1" in one_line(done.stderr)


def test_tls_cut_without_close_notify(
    run: Run, authority: trustme.CA, env: dict[str, str], tmp_path: Path
) -> None:
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    env["REQUESTS_CA_BUNDLE"] = str(tmp_path / "ca.pem")
    with serving(raw(HEAD + b"\r\n" + SOME), context(authority, "127.0.0.1")) as server:
        done = run("ask", "hi", "-m", "m", "--base-url", server.base_url)
    assert (done.returncode, done.stdout) == (85, b"some")


# Proxies


def test_proxy_is_used_and_its_password_not_shown(
    run: Run, endpoint: Endpoint, env: dict[str, str]
) -> None:
    proxy = endpoint(good)
    env["NO_PROXY"] = ""
    env["HTTP_PROXY"] = f"http://user:hunter2@127.0.0.1:{proxy.port}"
    env["LLMCLI_ALLOW_HTTP"] = "1"
    done = run("ask", "-q", "hi", "--base-url", "http://far.invalid/v1")
    assert (done.returncode, done.stdout) == (0, b"ok\n")
    assert proxy.only.path == "http://far.invalid/v1/chat/completions"
    env["HTTP_PROXY"] = "http://user:hunter2@127.0.0.1:1"
    done = run("ask", "hi", "--base-url", "http://far.invalid/v1", "--retries", "0")
    assert done.returncode == 68
    assert "the proxy for far.invalid cannot be reached" in one_line(done.stderr)
    assert b"hunter2" not in done.stderr


def test_proxy_that_asks_for_a_password(run: Run, endpoint: Endpoint, env: dict[str, str]) -> None:
    proxy = endpoint(error("407 Proxy Authentication Required", {}))
    env["NO_PROXY"] = ""
    env["HTTPS_PROXY"] = f"http://127.0.0.1:{proxy.port}"
    done = run("ask", "hi", "--base-url", "https://far.invalid/v1", "--retries", "0")
    assert done.returncode == 77
    assert "the proxy asks for a password" in one_line(done.stderr)


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:1", "gopher://127.0.0.1:1", "http://[::"])
def test_proxy_that_cannot_be_used(run: Run, env: dict[str, str], home: Path, proxy: str) -> None:
    (home / "sitecustomize.py").write_text("import sys\nsys.modules['socks'] = None\n")
    env |= {"PYTHONPATH": str(home), "NO_PROXY": "", "HTTPS_PROXY": proxy, "https_proxy": proxy}
    done = run("ask", "hi", "-m", "m", "--base-url", "https://far.invalid/v1", "--retries", "0")
    assert done.returncode == 78
    if "socks" in proxy:
        assert "install llmcli[socks]" in one_line(done.stderr)


def test_the_name_resolution_hook_is_silent_about_secrets(run: Run, endpoint: Endpoint) -> None:
    endpoint(good)
    assert KEY.encode() not in run("ask", "-v", "hi").stderr
