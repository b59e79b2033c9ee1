"""--usage-file: what each run took, one JSON line, appended by any number of runs."""

import os
from contextlib import suppress
from typing import Any

from llmcli.errors import CantCreate, WriteError
from llmcli.output.json import line
from llmcli.system.locks import lock
from llmcli.system.stdio import write_all

# An append of one line is whole even without the lock, which a stopped program may hold.
_PATIENCE = 0.5  # seconds


class UsageFile:
    """Opened before anything is sent, so that a wrong path costs nothing. Raises CantCreate."""

    def __init__(self, name: str) -> None:
        self._name = name
        try:
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
            self._descriptor = os.open(name, flags, 0o666)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise CantCreate(f"cannot open --usage-file {name}: {reason}") from None

    def append(self, record: dict[str, Any]) -> None:
        """Append `record` in one write under a lock: runs in parallel do not mix their lines."""
        text = line(record)
        with suppress(OSError):  # a pipe or device has no lock
            lock(self._descriptor, _PATIENCE)
        try:
            write_all(self._descriptor, text)
        except WriteError as error_of_file:
            raise WriteError(f"--usage-file {self._name}: {error_of_file.message}") from None
