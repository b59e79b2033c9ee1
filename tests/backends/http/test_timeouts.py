"""What is connecting, and bounded by its timeout, and what is not."""

import socket
import time
from collections.abc import Callable
from pathlib import Path

from tests.support.endpoint import Script, Server, answer, listening
from tests.support.faults import raw
from tests.support.program import Run, one_line


def test_who_reads_the_request_late_is_connected_to(
    run: Run, env: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "large.txt").write_text("x" * 12_000_000)

    def late(connection: socket.socket) -> None:
        time.sleep(5)  # twice the time in which a connection must be made
        Server(answer("ok")).serve(connection)

    with listening(late) as port:
        env.update(LLMCLI_BASE_URL=f"http://127.0.0.1:{port}/v1", LLMCLI_MODEL="m")
        done = run("map", "--files", "large.txt", "--connect-timeout", "2.5", "--retries", "0")
    assert (done.returncode, done.stdout) == (0, b"ok\n"), done.stderr


def test_a_proxy_that_does_not_connect(
    run: Run, endpoint: Callable[[Script], Server], env: dict[str, str]
) -> None:
    proxy = endpoint(raw(b"", wait=True))
    env.update(NO_PROXY="", HTTPS_PROXY=f"http://127.0.0.1:{proxy.port}")
    limits = ("--connect-timeout", "1", "--idle-timeout", "120", "--deadline", "100")
    done = run("ask", "hi", "--base-url", "https://far.invalid/v1", "--retries", "0", *limits)
    assert done.returncode == 124
    assert "deadline" not in one_line(done.stderr)
