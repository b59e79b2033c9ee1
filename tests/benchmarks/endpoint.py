"""The server as the measurements see it: started, asked what it used, and timed by itself."""

import http.client
import json
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.replies import Plan

BODY = b'{"model":"m","stream":true,"messages":[{"role":"user","content":"hi"}]}'


@dataclass(frozen=True)
class Used:
    """What the server has done since it began: CPU seconds, requests."""

    cpu: float
    requests: int


@dataclass(frozen=True)
class Endpoint:
    port: int
    scheme: str = "http"

    def base_url(self, plan: Plan) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}{plan.path()}/v1"

    def used(self) -> Used:
        client = http.client.HTTPConnection("127.0.0.1", self.port)
        client.request("GET", "/used")
        return Used(**json.loads(client.getresponse().read()))

    def alone(self, plan: Plan, requests: int) -> float:
        """Seconds from connecting to the last byte, for a client that only reads; the median."""
        return statistics.median(self._raw(plan) for _ in range(requests))

    def _raw(self, plan: Plan) -> float:
        begin = time.perf_counter()
        with socket.create_connection(("127.0.0.1", self.port)) as client:
            head = f"POST {plan.path()}/v1/chat/completions HTTP/1.1\r\nHost: x\r\n"
            client.sendall(f"{head}Content-Length: {len(BODY)}\r\n\r\n".encode() + BODY)
            end = b""
            while not end.endswith(b"0\r\n\r\n"):
                block = client.recv(1 << 20)
                if not block:
                    raise EOFError("the server closed the connection")
                end = (end + block)[-5:]
        return time.perf_counter() - begin


@contextmanager
def serving(certificate: Path | None = None) -> Iterator[Endpoint]:
    command = [sys.executable, "-m", "tests.benchmarks.server"]
    command += [str(certificate)] if certificate else []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            port = int(process.stdout.readline())
            yield Endpoint(port, "https" if certificate else "http")
        finally:
            process.kill()
