"""The ledger: a record of what each request cost, without prompts, answers and keys.

There is a file for each month of UTC, with a JSON object on each line. A request has two lines: an
intent, written before it is sent, and a settlement, written when it has ended. The intent is there
so that a request counts, at its estimate, even if the run is killed before it can be settled.
"""

import json
import os
import threading
import time
from collections.abc import Collection, Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

from llmcli.api.reply.cost import Cost
from llmcli.api.reply.usage import Tokens
from llmcli.errors import WriteError
from llmcli.system.dataclass import dataclass
from llmcli.system.environment import Environment
from llmcli.system.files import private_dirs
from llmcli.system.files.jsonl import Journal
from llmcli.system.files.regular import open_regular

INTENT, SETTLED = "intent", "settled"
# Seconds to wait for another process that has locked the file: if it is stopped, the answer of this
# run matters more than a line in the ledger.
_PATIENCE = 2.0
# Seconds between two writes of lines that may wait.
_FLUSH_EVERY = 0.25
# How each line begins: `summary` finds the id and an intent by their positions, without JSON.
HEAD = '{{"id": "{id}", "event": "{event}"'
_ID, _EVENT = slice(8, 24), slice(37, 37 + len(INTENT))


@dataclass(frozen=True)
class Labels:
    """What the ledger notes of a request beside its cost, to sum and to budget by.

    `host` is the host of the endpoint; None for a model that runs in this process. The fields
    stand in the ledger by these names.
    """

    model: str | None
    host: str | None
    profile: str | None
    command: str
    tag: str | None
    session: str | None


@dataclass(frozen=True)
class Intent:
    """A request that is about to be sent. `id` is 16 hexadecimal digits, `time` is in UTC."""

    id: str
    time: str
    labels: Labels

    @property
    def month(self) -> str:
        """Return the month, such as `2026-11`, in whose file the intent and its settlement are."""
        return self.time[:7]


@dataclass(frozen=True)
class Settlement:
    """What is known of a request that has ended.

    `exit` is the name of its exit code, such as "ok" or "try-later". `status` is the HTTP status,
    None where there was no reply. `seconds` is how long it took.
    """

    exit: str
    status: int | None
    request_id: str | None
    tokens: Tokens
    cost: Cost
    seconds: float


def folder(environment: Environment) -> Path:
    """Return the directory of the ledger, which may not exist yet."""
    return environment.state_directory / "ledger"


def file(environment: Environment, month: str) -> Path:
    """Return the path of the ledger of `month`, such as `2026-11`, which may not exist yet."""
    return folder(environment) / f"{month}.jsonl"


class Ledger:
    """The writer of the ledger in this process, for any number of threads.

    `lazily` makes a run of many requests faster: a settlement is not written at once but together
    with the next intent, or a quarter of a second later. Then `finish` must be called at the end.
    """

    def __init__(self, environment: Environment, *, lazily: bool = False) -> None:
        self._environment = environment
        self._lazily = lazily
        self._flusher_started = threading.Lock()
        self._opening = threading.Lock()
        self._journals: dict[str, Journal] = {}
        self._patience = _PATIENCE
        # From a random start, ids do not repeat among processes; count() is safe among threads.
        self._ids = count(int.from_bytes(os.urandom(8), "big"))

    def begin(self, labels: Labels, estimate: Cost) -> Intent:
        """Write and return the intent of a request, before that is sent.

        Raises WriteError if the file cannot be written, ConfigError if its directory is open to
        other users.
        """
        return self.begin_all([(labels, estimate)])[0]

    def begin_all(self, requests: Sequence[tuple[Labels, Cost]]) -> list[Intent]:
        """Write and return the intents of several requests in one step; raises as `begin` does."""
        moment = now()
        intents = [Intent(f"{next(self._ids) % 2**64:016x}", moment, one) for one, _ in requests]
        lines = (
            intent_line(intent, cost) for intent, (_, cost) in zip(intents, requests, strict=True)
        )
        self.append(intents[0].month, b"".join(lines))
        return intents

    def begin_later(self, labels: Labels, estimate: Cost) -> Intent:
        """Return the intent of a request, which `flush` must write before the request is sent.

        Raises ConfigError as `begin` does. An intent that cannot be written makes `finish` raise.
        """
        intent = Intent(f"{next(self._ids) % 2**64:016x}", now(), labels)
        usd = None if estimate.usd is None else float(estimate.usd)
        self._journal(intent.month).append_later(_line(intent, INTENT, {"estimate_usd": usd}))
        return intent

    def flush(self) -> None:
        """Write all that waits, at once."""
        for journal in list(self._journals.values()):
            journal.flush(self._patience)

    def settle(self, intent: Intent, settlement: Settlement) -> None:
        """Write how the request of `intent` has ended and what it cost.

        Raises WriteError and ConfigError as `begin` does. If the ledger is lazy, a line that cannot
        be written later makes `finish` raise the error.
        """
        line = settled_line(intent, settlement)
        if not self._lazily:
            self.append(intent.month, line)
            return
        self._journal(intent.month).append_later(line)
        # The lock is never released: the thread is started once and runs until the process ends.
        if self._flusher_started.acquire(blocking=False):
            threading.Thread(target=self._flush_always, daemon=True).start()

    def finish(self) -> None:
        """Write all that still waits. Raises WriteError if anything could not be written."""
        journals = list(self._journals.values())
        for journal in journals:
            journal.finish(self._patience)
        for journal in journals:
            if journal.failed:
                raise _not_written(journal.path, journal.failed)

    def _flush_always(self) -> None:
        while True:
            time.sleep(_FLUSH_EVERY)
            self.flush()

    def append(self, month: str, line: bytes) -> None:
        """Write a line, or several that stay together. Raises WriteError and ConfigError."""
        journal = self._journal(month)
        try:
            journal.append(line, self._patience)
            self._patience = _PATIENCE
        except OSError as error:
            if isinstance(error, TimeoutError):
                # The other process is probably stopped: do not wait again for each request.
                self._patience = 0.0
            raise _not_written(journal.path, error) from None

    def _journal(self, month: str) -> Journal:
        # One journal for all threads: lines that wait in a second one would never be written.
        with self._opening:
            if month not in self._journals:
                private_dirs.check_private(self._environment.state_directory)
                path = file(self._environment, month)
                journal = self._journals[month] = Journal(path, private_dirs.make_private)
                journal.mended = lambda: self._environment.say_once(damaged(path))
            return self._journals[month]


def intent_line(intent: Intent, estimate: Cost) -> bytes:
    """Return the line of a request that is about to be sent, which may cost `estimate`."""
    usd = None if estimate.usd is None else float(estimate.usd)
    return _line(intent, INTENT, {"estimate_usd": usd})


def settled_line(intent: Intent, settlement: Settlement) -> bytes:
    """Return the line that says how the request of `intent` has ended and what it cost."""
    counts, cost = settlement.tokens, settlement.cost
    fields = {
        "exit": settlement.exit,
        "status": settlement.status,
        "request_id": settlement.request_id,
        "prompt_tokens": counts.prompt,
        "completion_tokens": counts.completion,
        "cached_tokens": counts.cached,
        "reasoning_tokens": counts.reasoning,
        "cost_usd": None if cost.usd is None else float(cost.usd),
        "cost_source": cost.source,
        "seconds": round(settlement.seconds, 3),
    }
    return _line(intent, SETTLED, fields)


def events(path: Path, identities: Collection[str]) -> dict[str, str]:
    """Return the last event, INTENT or SETTLED, of each of the requests `identities` in the file.

    A request that the file does not have is left out. Raises OSError if it cannot be read.
    """
    found: dict[str, str] = {}
    with suppress(FileNotFoundError), open_regular(path) as file:
        for line in file:
            identity = line[_ID].decode(errors="replace")
            if identity in identities:
                found[identity] = INTENT if line[_EVENT] == INTENT.encode() else SETTLED
    return found


def _line(intent: Intent, event: str, more: dict[str, Any]) -> bytes:
    head = HEAD.format(id=intent.id, event=event)
    fields = {"time": intent.time, **vars(intent.labels), **more}
    # json.dumps begins with a brace, which the head has already.
    return f"{head}, {json.dumps(fields)[1:]}\n".encode()


def damaged(path: Path) -> str:
    """Return the warning that a loss of power has damaged the end of the ledger at `path`."""
    from llmcli.system.files.records import ZEROS  # noqa: PLC0415  # for a damaged ledger only

    return f"warning: the ledger {path} {ZEROS}; its last requests may be missing"


def _not_written(path: Path, error: OSError) -> WriteError:
    return WriteError(f"cannot write the ledger {path}: {error.strerror}")


def now() -> str:
    """Return the current time in UTC, such as `2026-11-24T04:10:00Z`."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time()))
