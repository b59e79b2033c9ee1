"""The real program against servers that none of us wrote."""

import json
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.program import KEY, ROOT, Run, one_line

pytestmark = pytest.mark.foreign
FOREIGN = ROOT / ".foreign"
LLMOCK = FOREIGN / "venv/bin/llmock"
AIMOCK = FOREIGN / "npm/node_modules/.bin/llmock"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def running(*command: object) -> Iterator["subprocess.Popen[bytes]"]:
    process = subprocess.Popen(
        [str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    try:
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=60)


def wait_for(port: int) -> None:
    for _ in range(1000):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.1)
    raise AssertionError("the server does not listen")


def needed(path: Path) -> Path:
    if not path.exists():
        pytest.skip(f"{path.name} is not installed: tests/foreign/set-up")
    return path


@pytest.fixture
def llama(embedded: dict[str, str]) -> Iterator[dict[str, str]]:
    """The environment with llama.cpp's own server as the endpoint."""
    weights = next(Path(embedded["XDG_DATA_HOME"]).rglob("*.gguf"))
    program = Path(__file__).with_name("llama_server.py")
    with running(sys.executable, program, weights, KEY) as server:
        assert server.stdout
        embedded["LLMCLI_BASE_URL"] = server.stdout.readline().decode().strip() + "/v1"
        embedded["LLMCLI_API_KEY"] = KEY
        embedded["LLMCLI_MODEL"] = "any"
        yield embedded


@pytest.mark.embedded
def test_llama_cpp_server(run: Run, llama: dict[str, str]) -> None:
    eight = ("--max-tokens", "8", "--allow-cut", "-o", "ignore_eos=true")
    for arguments in ((), ("--no-stream",), ("--json",), ("--events",)):
        done = run("ask", *eight, "Say hello", *arguments)
        assert done.returncode == 0, done.stderr
        assert done.stdout.strip()
        assert ", 8 out, " in one_line(done.stderr)
        if arguments == ("--json",):
            assert json.loads(done.stdout)["usage"]["completion_tokens"] == 8
    assert run("config", "check").returncode == 0


@pytest.mark.embedded
def test_llama_cpp_server_refuses(run: Run, llama: dict[str, str]) -> None:
    done = run("ask", "-q", input=b"x " * 9000)
    assert done.returncode == 80
    assert "exceeds the available context size" in one_line(done.stderr)
    done = run("ask", "-q", "-o", 'temperature="x"', "hi")
    assert done.returncode == 65, done.stderr
    llama["LLMCLI_API_KEY"] = "wrong-key-wrong-key"
    done = run("ask", "hi")
    assert done.returncode == 77
    assert "from LLMCLI_API_KEY was refused" in one_line(done.stderr)


# Few enough that ten retries in a row do not fail: 0.28 ** 11 is a millionth.
FAULTS = ["--error-rate", "429=0.1", "--error-rate", "503=0.05"]
FEW_CUTS = ["--stream-fault", "truncate=0.1", "--stream-fault", "disconnect=0.05"]
CUTS = ["--stream-fault", "truncate=0.15", "--stream-fault", "disconnect=0.1"]


@contextmanager
def llmock(env: dict[str, str], *options: str) -> Iterator[str]:
    port = free_port()
    command = (needed(LLMOCK), "serve", "--port", port, "--log-level", "warning", *options)
    with running(*command):
        wait_for(port)
        url = f"http://127.0.0.1:{port}"
        env |= {"LLMCLI_BASE_URL": f"{url}/v1", "LLMCLI_API_KEY": KEY, "LLMCLI_MODEL": "gpt-4o"}
        yield url


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_llmock_finds_no_fault_with_our_retries(run: Run, env: dict[str, str]) -> None:
    """Its verdict looks at what is sent again; so nothing is shown before the end (--json)."""
    with llmock(env, *FAULTS, *FEW_CUTS) as url:
        for number in range(12):
            done = run("ask", "--json", "--retries", "10", f"hello {number}", timeout=120)
            assert done.returncode == 0, done.stderr
        report = subprocess.run([LLMOCK, "report", "--url", url], capture_output=True, check=False)
        assert report.returncode == 0, report.stdout.decode()


@pytest.mark.timeout(300)
def test_llmock_never_gets_half_an_answer_past_us(run: Run, env: dict[str, str]) -> None:
    with llmock(env, *CUTS, "--stream-fault", "malformed=0.2", "--response-style", "static") as url:
        whole = None
        codes = set()
        for _ in range(16):
            done = run("ask", "--retries", "0", "hello")
            codes.add(done.returncode)
            if done.returncode == 0:
                whole = whole or done.stdout
                assert done.stdout == whole
            else:
                assert done.returncode in (85, 76, 68, 69), done.stderr
        assert 0 in codes and len(codes) > 1, (codes, url)


@contextmanager
def aimock(env: dict[str, str], *options: str) -> Iterator[str]:
    port = free_port()
    fixtures = FOREIGN / "npm/node_modules/@copilotkit/aimock/fixtures/example-greeting.json"
    with running(needed(AIMOCK), "-p", port, "-f", fixtures, "--log-level", "silent", *options):
        wait_for(port)
        url = f"http://127.0.0.1:{port}"
        env |= {"LLMCLI_BASE_URL": f"{url}/v1", "LLMCLI_API_KEY": KEY, "LLMCLI_MODEL": "gpt-4o"}
        yield url


def test_aimock(run: Run, env: dict[str, str]) -> None:
    with aimock(env) as url:
        for arguments in ((), ("--no-stream",)):
            done = run("ask", "-q", "hello", *arguments)
            assert (done.returncode, done.stdout) == (0, b"Hello! How can I help you today?\n")
        done = run("ask", "something unknown to it")
        assert done.returncode != 0
        one_line(done.stderr)
        with urllib.request.urlopen(f"{url}/__aimock/journal") as journal:
            assert b"/v1/chat/completions" in journal.read()


@pytest.mark.parametrize(
    ("chaos", "code"), [("drop", 69), ("malformed", 76), ("disconnect", 68), ("ratelimit", 75)]
)
def test_aimock_in_chaos(run: Run, env: dict[str, str], chaos: str, code: int) -> None:
    with aimock(env, f"--chaos-{chaos}", "1"):
        done = run("ask", "--retries", "1", "hello")
        assert done.returncode == code, done.stderr
        one_line(done.stderr)
