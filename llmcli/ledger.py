"""The spend ledger: what each request cost. Numbers and names; no prompt, no answer, no key.

A file a month, in UTC. A request is one line before it is sent, its intent, and one after, which
settles it; an intent that was never settled counts at its estimate.
"""

import json
import os
import time
from pathlib import Path
from typing import Any

from . import private
from .dataclass import asdict, dataclass
from .environment import Environment
from .errors import WriteError
from .journal import Journal
from .pricing import Cost, Tokens

INTENT = "intent"
# Seconds to wait for a stopped process; the answer matters more.
_PATIENCE = 2.0
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
    """Written to by any number of threads."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._journals: dict[str, Journal] = {}
        self._patience = _PATIENCE

    def begin(self, about: About, estimate: Cost) -> Intent:
        """Written before the request is sent. Raises WriteError, ConfigError."""
        intent = Intent(os.urandom(8).hex(), now(), about)
        usd = None if estimate.usd is None else float(estimate.usd)
        self._append(intent, INTENT, {"estimate_usd": usd})
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
        self._append(intent, "settled", fields)

    def _append(self, intent: Intent, event: str, more: dict[str, Any]) -> None:
        fields = {"time": intent.time, **asdict(intent.about), **more}
        head = HEAD.format(id=intent.id, event=event)
        line = f"{head}, {json.dumps(fields)[1:]}\n".encode()
        journal = self._journal(intent.month)
        try:
            self._add(journal, line)
            self._patience = _PATIENCE
        except OSError as error:
            if isinstance(error, TimeoutError):
                self._patience = 0.0  # not again for each request
            reason = error.strerror
            raise WriteError(f"cannot write the ledger {journal.path}: {reason}") from None

    def _journal(self, month: str) -> Journal:
        if month not in self._journals:
            private.check(self._environment.state_directory)
            self._journals[month] = Journal(file(self._environment, month))
        return self._journals[month]

    def _add(self, journal: Journal, line: bytes) -> None:
        try:
            journal.append(line, self._patience)
        except FileNotFoundError:  # the first time, or somebody took the folder away
            private.make(journal.path.parent)
            journal.append(line, self._patience)


def now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time()))
