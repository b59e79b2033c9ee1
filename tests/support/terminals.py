"""Programs on terminals of their own."""

import fcntl
import os
import pty
import select
import subprocess
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.waiting import PATIENCE


@contextmanager
def on_a_terminal(
    arguments: list[str], env: dict[str, str], cwd: Path | None = None
) -> Iterator[tuple["subprocess.Popen[bytes]", int]]:
    """A command with a terminal of its own, which ^C typed there reaches."""
    parent, child = pty.openpty()
    with subprocess.Popen(
        arguments,
        env=env,
        cwd=cwd,
        stdin=child,
        stdout=child,
        stderr=child,
        start_new_session=True,
        preexec_fn=lambda: _control(child),  # noqa: PLW1509  # two system calls, no lock
    ) as process:
        os.close(child)
        try:
            yield process, parent
        except BaseException:
            process.kill()  # else it would be waited for, with nobody to read what it writes
            raise
    os.close(parent)


def _control(terminal: int) -> None:
    fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)
    settings = termios.tcgetattr(terminal)
    settings[3] |= termios.NOFLSH  # else ^C drops what is on its way to the terminal
    termios.tcsetattr(terminal, termios.TCSANOW, settings)


def read_all(terminal: int) -> bytes:
    shown = b""
    while True:
        try:
            block = os.read(terminal, 4096)
        except OSError:
            return shown
        if not block:
            return shown
        shown += block


def read_until(terminal: int, words: bytes) -> bytes:
    shown, limit = b"", time.monotonic() + PATIENCE
    while words not in shown:
        assert select.select([terminal], [], [], limit - time.monotonic())[0], shown
        shown += os.read(terminal, 4096)
    return shown
