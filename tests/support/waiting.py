"""Wait for what another process or thread does, however slow the machine is."""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

# Seconds that a machine under load gets for what takes milliseconds on a quiet one.
PATIENCE = 120


def wait_until(happened: Callable[[], object]) -> None:
    """Return once `happened()` is true."""
    limit = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < limit, "it has not happened"
        time.sleep(0.005)


def reach_deadline(process: "subprocess.Popen[bytes]") -> None:
    """Ring the alarm that the process has set for its deadline, in the step that is meant.

    A short deadline would be reached in another step wherever the machine is slow.
    """
    process.send_signal(signal.SIGALRM)


def has_open(pid: int, path: Path) -> bool:
    """Whether the process has the file open."""
    links = Path(f"/proc/{pid}/fd").iterdir()
    with suppress(FileNotFoundError):  # closed meanwhile
        return any(os.readlink(link) == str(path) for link in links)
    return False
