"""Each exit code that can be reached, through a real process; and the tree of exceptions."""

import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from llmcli.errors import ExitCode, LlmcliError
from tests.support.endpoint import Request, Script, Server, Wire, answer
from tests.support.program import PROGRAM, Run
from tests.support.waiting import wait_until

Endpoint = Callable[[Script], Server]


def error(status: str, message: str = "no", **more: object) -> Script:
    return lambda wire, _: wire.json({"error": {"message": message, **more}}, status)


def finished(reason: str, text: str = "some") -> Script:
    def script(wire: Wire, _request: Request) -> None:
        wire.head()
        wire.text(text)
        wire.finish(reason)

    return script


def cut(wire: Wire, _request: Request) -> None:
    wire.head()
    wire.text("some")
    wire.socket.close()


def silent(wire: Wire, _request: Request) -> None:
    wire.receive()


REACHED: dict[ExitCode, tuple[Script, tuple[str, ...]]] = {
    ExitCode.OK: (answer("x"), ()),
    ExitCode.USAGE: (answer("x"), ("--no-such-option",)),
    ExitCode.BAD_REQUEST: (error("400 Bad"), ()),
    ExitCode.NO_INPUT: (answer("x"), ("-f", "missing")),
    ExitCode.NETWORK: (answer("x"), ("--base-url", "http://127.0.0.1:1/v1")),
    ExitCode.SERVER: (error("503 No"), ()),
    ExitCode.CANT_CREATE: (answer("x"), ("-O", "missing/out")),
    ExitCode.IO: (answer("x"), ("-O", "/dev/full")),
    ExitCode.TRY_LATER: (error("429 Slow down"), ()),
    ExitCode.PROTOCOL: (lambda wire, _: wire.whole(b"<p>", "200 OK", "text/html"), ()),
    ExitCode.AUTH: (error("401 Who"), ()),
    ExitCode.CONFIG: (answer("x"), ("--profile", "missing")),
    ExitCode.TOO_LONG: (error("400 Bad", code="context_length_exceeded"), ()),
    ExitCode.NO_MODEL: (error("404 No", "model x not found"), ()),
    ExitCode.FILTERED: (finished("content_filter"), ()),
    ExitCode.PAYMENT: (error("402 Pay"), ()),
    ExitCode.TRUNCATED: (cut, ()),
    ExitCode.CUT: (finished("length"), ()),
    ExitCode.TIMEOUT: (silent, ("--idle-timeout", "0.1")),
}
# Reached from a cause of their own, below.
BY_THEMSELVES = {ExitCode.INTERNAL, ExitCode.OS}
# Of commands and options that are not there yet, and what nothing ends with so far.
NOT_YET = {ExitCode.ERROR, ExitCode.PARTIAL, ExitCode.BUDGET, ExitCode.TOOL}


@pytest.mark.parametrize("code", REACHED, ids=lambda code: code.kind)
def test_reached(run: Run, endpoint: Endpoint, code: ExitCode) -> None:
    script, arguments = REACHED[code]
    endpoint(script)
    done = run("ask", "--retries", "0", "hi", *arguments)
    assert done.returncode == code, done.stderr
    assert len(done.stderr.decode().splitlines()) == 1


def test_every_code_is_accounted_for() -> None:
    assert {*REACHED, *BY_THEMSELVES, *NOT_YET} == set(ExitCode)


def test_a_defect_is_one_line_without_traceback(
    run: Run, endpoint: Endpoint, env: dict[str, str], tmp_path: Path
) -> None:
    endpoint(answer("x"))
    (tmp_path / "sitecustomize.py").write_text(
        "import base64, llmcli.api.request\nllmcli.api.request.build = lambda *a, **k: 1 / 0\n"
    )
    env["PYTHONPATH"] = str(tmp_path)
    done = run("ask", "hi")
    assert done.returncode == ExitCode.INTERNAL
    assert b"internal error: ZeroDivisionError" in done.stderr
    assert b"Traceback" not in done.stderr
    env["LLMCLI_DEBUG"] = "1"
    assert b"Traceback" in run("ask", "hi").stderr


def test_out_of_memory(endpoint: Endpoint, env: dict[str, str]) -> None:
    endpoint(answer("x"))
    limited = 'ulimit -v 250000; head -c 150M /dev/zero | "$0" ask --max-input 1G hi'
    done = subprocess.run(
        ["bash", "-c", limited, PROGRAM],
        env=env,
        capture_output=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == ExitCode.OS
    assert done.stderr == b"llmcli: out of memory\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_death_by_signal(endpoint: Endpoint, env: dict[str, str], number: signal.Signals) -> None:
    server = endpoint(silent)
    with subprocess.Popen([PROGRAM, "-n", "say it"], env=env, stderr=subprocess.PIPE) as process:
        wait_until(lambda: server.requests)
        process.send_signal(number)
        assert process.wait(120) == -number
        assert process.stderr and b"Traceback" not in process.stderr.read()


def tree(kind: type[LlmcliError]) -> list[type[LlmcliError]]:
    return [kind, *(k for sub in kind.__subclasses__() for k in tree(sub))]


def test_every_exception_has_a_docstring_and_a_code_of_its_own_or_that_of_its_kind() -> None:
    kinds = LlmcliError.__subclasses__()
    assert sorted(k.exit_code for k in kinds) == sorted(set(ExitCode) - {ExitCode.OK})
    for kind in kinds:
        assert {case.exit_code for case in tree(kind)} == {kind.exit_code}
        assert all("__doc__" in vars(case) and case.__doc__ for case in tree(kind))


def test_codes_never_change() -> None:
    """What scripts out there rely on."""
    assert {code.kind: int(code) for code in ExitCode} == {
        "ok": 0,
        "error": 1,
        "usage": 2,
        "partial": 3,
        "bad-request": 65,
        "no-input": 66,
        "network": 68,
        "server": 69,
        "internal": 70,
        "os": 71,
        "cant-create": 73,
        "io": 74,
        "try-later": 75,
        "protocol": 76,
        "auth": 77,
        "config": 78,
        "too-long": 80,
        "no-model": 81,
        "filtered": 82,
        "payment": 83,
        "budget": 84,
        "truncated": 85,
        "cut": 86,
        "tool": 87,
        "timeout": 124,
    }
