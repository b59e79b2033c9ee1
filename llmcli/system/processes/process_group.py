"""Ending a program together with its children."""

import os
import signal
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress

from llmcli.system.dataclass import dataclass

# Seconds between asking a group to end and killing it.
_GRACE = 0.2
# Seconds between two looks at whether a group has ended.
_POLL = 0.005


@dataclass(frozen=True)
class ProcessGroup:
    """A program that was started, and its children unless they have left its process group.

    `leads` says that the program leads a group of its own. Without it the program shares ours,
    and only the program itself can be ended.
    """

    process: subprocess.Popen[bytes]
    leads: bool

    def send_signal(self, number: int) -> None:
        """Send signal `number` to the group; do nothing if it has ended."""
        with suppress(OSError):
            if self.leads:
                os.killpg(self.process.pid, number)
            else:
                self.process.send_signal(number)

    def is_alive(self) -> bool:
        """Return whether any process of the group still runs. The program itself is reaped."""
        # Looked at first: a program that has ended counts for the group until it is reaped.
        program_runs = self.process.poll() is None
        if not self.leads:
            return program_runs
        try:
            os.killpg(self.process.pid, 0)
        except OSError:
            return False
        return True


def end_groups(groups: Sequence[ProcessGroup]) -> None:
    """End all `groups`: ask them by SIGTERM, wait up to 0.2 s, then send SIGKILL."""
    for group in groups:
        group.send_signal(signal.SIGTERM)
    until = time.monotonic() + _GRACE
    while time.monotonic() < until and any(group.is_alive() for group in groups):
        time.sleep(_POLL)
    for group in groups:
        group.send_signal(signal.SIGKILL)
        with suppress(OSError):
            group.process.wait()
