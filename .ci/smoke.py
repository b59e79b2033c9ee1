"""Use an installed llmcli once for each thing it is for, against a scripted server on loopback.

    python .ci/smoke.py PROGRAM          one question
    python .ci/smoke.py PROGRAM --all    a question over each kind of connection, and the commands

It tells whether what is installed fits together; what is right in detail is for the tests. It needs
nothing of them, as they are not where llmcli is installed. With --all it needs trustme.
"""

import json
import os
import pty
import ssl
import subprocess
import sys
import tempfile
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

SCHEMA = '{"type": "object", "required": ["said"]}'
MODELS = {"data": [{"id": "vendor/model", "context_length": 8192}]}
SECONDS = 60  # no command hangs for ever; no result depends on it


class Handler(BaseHTTPRequestHandler):
    """Repeats the prompt: as JSON where JSON is asked for."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._send("application/json", json.dumps(MODELS))

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        prompt = body["messages"][-1]["content"]
        text = json.dumps({"said": prompt}) if "response_format" in body else f"said {prompt}"
        choices = [
            {"index": 0, "delta": {"content": text}, "finish_reason": None},
            {"index": 0, "delta": {}, "finish_reason": "stop"},
        ]
        events = [json.dumps({"id": "1", "model": "m", "choices": [c]}) for c in choices]
        stream = "".join(f"data: {event}\n\n" for event in [*events, "[DONE]"])
        self._send("text/event-stream", stream)

    def _send(self, content_type: str, text: str) -> None:
        data = text.encode()
        self.send_response(200)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.port = self.server_address[1]
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, *_: Any) -> None:
        pass  # llmcli left; it says why


class SocksServer(Server):
    """A SOCKS5 proxy (RFC 1928) that has every host behind it."""

    def finish_request(self, request: Any, client_address: Any) -> None:
        connection = request.makefile("rb")
        _version, methods = connection.read(2)
        connection.read(methods)
        request.sendall(b"\x05\x00")
        *_, length = connection.read(5)
        connection.read(length + 2)
        request.sendall(b"\x05\x00\x00\x01" + bytes(6))
        super().finish_request(request, client_address)


class Program:
    """llmcli in a home of its own, configured by variables."""

    def __init__(self, path: str, home: str) -> None:
        self.path = path
        self.home = home
        self.variables = {"PATH": os.environ["PATH"], "HOME": home, "LLMCLI_MODEL": "m"}
        self.variables["LLMCLI_API_KEY"] = "sk-a-key-of-no-worth"
        if base := os.environ.get("PYTHONUSERBASE"):  # where `pip install --user` has put it
            self.variables["PYTHONUSERBASE"] = base

    def check(
        self, expected: str, *arguments: str, stdin: str = "", terminal: bool = False, **more: str
    ) -> None:
        """Run it with `arguments`. Exit unless it succeeds and `expected` is in what it shows."""
        run = _on_a_terminal if terminal else _in_a_pipe
        code, output, errors = run(
            [self.path, *arguments], stdin, {**self.variables, **more}, self.home
        )
        shown = f"llmcli {' '.join(arguments)}"
        if code or expected not in output:
            sys.exit(f"FAILED, exit code {code}: {shown}\n{output}{errors}")
        print(f"ok: {shown}")


def _in_a_pipe(
    command: list[str], stdin: str, environment: dict[str, str], cwd: str
) -> tuple[int, str, str]:
    """Return the exit code, stdout and stderr."""
    done = subprocess.run(
        command,
        input=stdin,
        env=environment,
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )
    return done.returncode, done.stdout, done.stderr


def _on_a_terminal(
    command: list[str], stdin: str, environment: dict[str, str], cwd: str
) -> tuple[int, str, str]:
    """As `_in_a_pipe`; stdout and stderr are one, a terminal."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        command, env=environment, cwd=cwd, stdin=subprocess.PIPE, stdout=theirs, stderr=theirs
    ) as process:
        os.close(theirs)
        assert process.stdin
        process.stdin.write(stdin.encode())
        process.stdin.close()
        output = b""
        with suppress(OSError):  # Linux says EIO where the other side is gone
            while block := os.read(ours, 65536):
                output += block
        os.close(ours)
        return process.wait(SECONDS), output.decode(), ""


def check_a_question(program: Program) -> None:
    server = Server()
    base_url = f"http://127.0.0.1:{server.port}/v1"
    program.variables["LLMCLI_BASE_URL"] = base_url
    program.check("said hello", "ask", "-n", "hello")


def check_connections(program: Program) -> None:
    """The question again over TLS and through a SOCKS proxy."""
    import trustme

    authority = trustme.CA()
    bundle = Path(program.home) / "ca.pem"
    authority.cert_pem.write_to_path(str(bundle))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    secure = Server()
    secure.socket = context.wrap_socket(secure.socket, server_side=True)
    program.check(
        "said hello",
        *("ask", "-n", "--base-url", f"https://127.0.0.1:{secure.port}/v1", "hello"),
        REQUESTS_CA_BUNDLE=str(bundle),
    )
    program.check(
        "said hello",
        *("ask", "-n", "--base-url", "http://far.invalid/v1", "hello"),
        ALL_PROXY=f"socks5h://127.0.0.1:{SocksServer().port}",
        LLMCLI_ALLOW_HTTP="true",
    )


def check_commands(program: Program) -> None:
    program.check("said b\nsaid c\n", "map", "{}", stdin="a\nb\nc\n")
    program.check('{"said": "hello"}', "ask", "-n", "--schema", SCHEMA, "hello")
    program.check("vendor/model\t8192", "models")
    program.check("vendor/model", "models", terminal=True)  # a table by rich
    program.check("3 done", "map", "-O", "f", "{}", stdin="a\nb\nc\n", terminal=True)  # and a bar
    program.check("Usage: llmcli", "--help")
    program.check("Usage: llmcli ask", "ask", "--help", terminal=True)


def main() -> None:
    path, *options = sys.argv[1:]
    with tempfile.TemporaryDirectory() as home:
        program = Program(str(Path(path).absolute()), home)
        check_a_question(program)
        if options == ["--all"]:
            check_connections(program)
            check_commands(program)


if __name__ == "__main__":
    main()
