"""The spend ledger: what each request cost. Numbers and names; no prompt, no answer, no key.

A file a month, in UTC. A request is one line before it is sent, its intent, and one after, which
settles it; an intent that was never settled counts at its estimate.
"""

import json
import os
import threading
import time
from itertools import count
from pathlib import Path
from typing import Any

from llmcli.api.usage import Cost, Tokens
from llmcli.errors import WriteError
from llmcli.system import private_dirs
from llmcli.system.dataclass import dataclass
from llmcli.system.environment import Environment
from llmcli.system.jsonl import Journal

INTENT = "intent"
# Seconds to wait for a stopped process; the answer matters more.
_PATIENCE = 2.0
_A_MOMENT = 0.25
# How a line begins, so that a reader need not parse what it will not use.
HEAD = '{{"id": "{id}", "event": "{event}"'


@dataclass(frozen=True)
class About:
    """On whose account a request goes."""

    model: str | None
    host: str | None
    profile: str | None
    command: str
    tag: str | None
    session: str | None


@dataclass(frozen=True)
class Intent:
    id: str
    time: str
    about: About

    @property
    def month(self) -> str:
        return self.time[:7]


@dataclass(frozen=True)
class Settlement:
    """`exit` is the name of the end, `status` the server's, `seconds` how long it took."""

    exit: str
    status: int | None
    request_id: str | None
    tokens: Tokens
    cost: Cost
    seconds: float


def folder(environment: Environment) -> Path:
    return environment.state_directory / "ledger"


def file(environment: Environment, month: str) -> Path:
    return folder(environment) / f"{month}.jsonl"


class Ledger:
    """Written to by any number of threads. `lazily`: what settles an intent goes with the next
    one, or is there a moment later."""

    def __init__(self, environment: Environment, lazily: bool = False) -> None:
        self._environment = environment
        self._lazily = lazily
        self._flushing = threading.Lock()
        self._opening = threading.Lock()
        self._journals: dict[str, Journal] = {}
        self._patience = _PATIENCE
        self._ids = count(int.from_bytes(os.urandom(8), "big"))

    def begin(self, about: About, estimate: Cost) -> Intent:
        """Written before the request is sent. Raises WriteError, ConfigError."""
        intent = Intent(f"{next(self._ids) % 2**64:016x}", now(), about)
        usd = None if estimate.usd is None else float(estimate.usd)
        self._append(intent, _line(intent, INTENT, {"estimate_usd": usd}))
        return intent

    def settle(self, intent: Intent, settlement: Settlement) -> None:
        """Raises WriteError, ConfigError."""
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
        line = _line(intent, "settled", fields)
        if not self._lazily:
            self._append(intent, line)
            return
        self._journal(intent.month).append_later(line)
        if self._flushing.acquire(blocking=False):
            threading.Thread(target=self._flush_always, daemon=True).start()

    def finish(self) -> None:
        """Nothing is left to be written. Raises WriteError where something could not be."""
        journals = list(self._journals.values())
        for journal in journals:
            journal.finish(self._patience)
        for journal in journals:
            if journal.failed:
                raise _not_written(journal.path, journal.failed)

    def _flush_always(self) -> None:
        while True:
            time.sleep(_A_MOMENT)
            for journal in list(self._journals.values()):
                journal.flush(self._patience)

    def _append(self, intent: Intent, line: bytes) -> None:
        journal = self._journal(intent.month)
        try:
            journal.append(line, self._patience)
            self._patience = _PATIENCE
        except OSError as error:
            if isinstance(error, TimeoutError):
                self._patience = 0.0  # not again for each request
            raise _not_written(journal.path, error) from None

    def _journal(self, month: str) -> Journal:
        with self._opening:  # one for all threads, or what waits in another is lost
            if month not in self._journals:
                private_dirs.check_private(self._environment.state_directory)
                self._journals[month] = Journal(
                    file(self._environment, month), private_dirs.make_private
                )
            return self._journals[month]


def _line(intent: Intent, event: str, more: dict[str, Any]) -> bytes:
    head = HEAD.format(id=intent.id, event=event)
    fields = {"time": intent.time, **vars(intent.about), **more}
    return f"{head}, {json.dumps(fields)[1:]}\n".encode()


def _not_written(path: Path, error: OSError) -> WriteError:
    return WriteError(f"cannot write the ledger {path}: {error.strerror}")


def now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time()))
