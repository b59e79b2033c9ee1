"""The file of --usage-file: one JSON line for each run, appended by any number of runs."""

import os
from contextlib import suppress
from typing import Any

from llmcli.errors import CantCreate, WriteError
from llmcli.output.json import line
from llmcli.system.files.locks import lock
from llmcli.system.stdio import write_all

# Seconds to wait for the lock. Then the line is written without it: an append in one write is
# whole anyway on a local file system, and the holder may be a program that was stopped.
_PATIENCE = 0.5


class UsageFile:
    """A file that is open for appending lines of usage.

    It is opened before anything is sent, so that a wrong path costs nothing. Raise CantCreate if
    it cannot be opened.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        try:
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
            self._descriptor = os.open(name, flags, 0o666)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise CantCreate(f"cannot open --usage-file {name}: {reason}") from None

    def append(self, record: dict[str, Any]) -> None:
        """Append `record` as one line, under a lock so that runs in parallel do not mix lines.

        Raise WriteError if it cannot be written.
        """
        text = line(record)
        with suppress(OSError):  # a pipe or a device cannot be locked
            lock(self._descriptor, _PATIENCE)
        try:
            write_all(self._descriptor, text)
        except WriteError as error:
            raise WriteError(f"--usage-file {self._name}: {error.message}") from None
