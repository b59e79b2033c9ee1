"""What an answer took: one line for people on stderr, one JSON line for --usage-file."""

import fcntl
import os
import time
from typing import Any

from llmcli.api.usage import ESTIMATED, Tokens, dollars
from llmcli.chat.call import Call
from llmcli.errors import CantCreate, Interrupted, LlmcliError, WriteError
from llmcli.output.json import line
from llmcli.system.environment import write_all


def summary(call: Call) -> str:
    """`model: 12 in (4 cached), 34 out, $0.0012, 1.2 s`; what is unknown is not named."""
    turns = call.all_turns()
    counts, cost = Tokens.of(call.usage_of(turns)), call.cost_of(turns)
    parts = []
    if counts.prompt is not None:
        cached = f" ({counts.cached} cached)" if counts.cached else ""
        parts.append(f"{counts.prompt} in{cached}")
    if counts.completion is not None:
        parts.append(f"{counts.completion} out")
    if not parts:
        parts.append("tokens unknown")
    about = "about " if cost.source and ESTIMATED in cost.source else ""
    parts.append("cost unknown" if cost.usd is None else about + dollars(cost.usd))
    parts.append(f"{call.trace.seconds()['total']:.1f} s")
    if len(turns) > 1:
        parts.append(f"{len(turns)} turns")
    if len(call.trace.attempts) > len(turns):
        parts.append(f"{len(call.trace.attempts)} attempts")
    return f"{call.accumulator.model or call.model}: {', '.join(parts)}"


# An append of one line is whole even without the lock, which a stopped program may hold.
_LOCK_TRIES = 25


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

    def append(self, call: Call, error: LlmcliError | Interrupted | None) -> None:
        """One write under a lock: runs in parallel do not mix their lines."""
        record = line(_record(call, error))
        for _ in range(_LOCK_TRIES):
            try:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                time.sleep(0.02)
            except OSError:
                break  # a pipe or device has no lock
        try:
            write_all(self._descriptor, record)
        except WriteError as error_of_file:
            raise WriteError(f"--usage-file {self._name}: {error_of_file.message}") from None


def _record(call: Call, error: LlmcliError | Interrupted | None) -> dict[str, Any]:
    report = call.report(error)
    about = report["llmcli"]
    keys = ("ok", "exit_code", "kind", "request_id", "cost_usd", "cost_source", "seconds", "tag")
    return {
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "id": report["id"],
        "model": report["model"],
        "usage": report["usage"],
        "session": about["session"],
        **{key: about[key] for key in keys},
    }
