"""How long ^C takes, from the signal to the end of the process, in each thing that can hang."""

import os
import platform
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.support.endpoint import Request, Script, Wire, comments, serving, slow_headers, started

PROGRAM = str(Path(sys.executable).with_name("llmcli"))
RUNS = 15
SETTLE = 0.6  # seconds until the program surely hangs where it should


def silent(wire: Wire, _request: Request) -> None:
    wire.receive()


def retry(wire: Wire, _request: Request) -> None:
    wire.json({"error": "x"}, "503 X", "Retry-After: 60")


@contextmanager
def scripted(script: Script) -> Iterator[dict[str, str]]:
    with serving(script) as server:
        yield {"LLMCLI_BASE_URL": server.base_url}


@contextmanager
def full_queue() -> Iterator[dict[str, str]]:
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            client = stack.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(listener.getsockname())
        yield {"LLMCLI_BASE_URL": f"http://127.0.0.1:{listener.getsockname()[1]}/v1"}


@contextmanager
def silent_dns() -> Iterator[dict[str, str]]:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "sitecustomize.py").write_text(
            "import socket, threading\n"
            "socket.getaddrinfo = lambda *a, **k: threading.Event().wait()\n"
        )
        yield {"LLMCLI_BASE_URL": "http://host.invalid/v1", "PYTHONPATH": folder}


CASES: dict[str, Callable[[], object]] = {
    "name resolution": silent_dns,
    "full accept queue": full_queue,
    "no headers": lambda: scripted(silent),
    "headers byte by byte": lambda: scripted(slow_headers),
    "comments only": lambda: scripted(comments),
    "half an answer": lambda: scripted(started),
    "waiting to try again": lambda: scripted(retry),
}


def once(variables: dict[str, str]) -> float:
    environment = {**os.environ, **variables, "LLMCLI_MODEL": "m"}
    with subprocess.Popen(
        [PROGRAM, "ask", "-n", "-q", "hi"],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        time.sleep(SETTLE)
        begin = time.perf_counter()
        process.send_signal(signal.SIGINT)
        process.wait()
        return time.perf_counter() - begin


def main() -> None:
    print(f"^C to end, {RUNS} runs, Python {platform.python_version()}, {os.cpu_count()} cores")
    print(f"{'hangs in':<24}{'median ms':>10}{'worst ms':>10}")
    for name, make in CASES.items():
        with make() as variables:  # type: ignore[attr-defined]
            times = [once(variables) * 1000 for _ in range(RUNS)]
        print(f"{name:<24}{statistics.median(times):>10.1f}{max(times):>10.1f}")
