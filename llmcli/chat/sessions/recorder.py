"""What is kept of a run, where that was asked for: a turn of a session, a file of messages."""

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from llmcli.api import messages
from llmcli.api.request import encode
from llmcli.api.types import Message
from llmcli.api.unknown_fields import finite
from llmcli.chat.call import Call
from llmcli.errors import Interrupted, LlmcliError, UsageError
from llmcli.output.sink import Sink, open_sink
from llmcli.system.environment import Environment

if TYPE_CHECKING:
    from llmcli.chat.sessions.history import Session

# Seconds to wait for another process with the session, where this one is to end at once.
_SHORT = 0.1


_STDOUT = ("-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1")


class Recorder:
    """`endpoint`: the base_url that answers; None for a model in this process."""

    def __init__(
        self,
        environment: Environment,
        call: Call,
        session: "Session | None",
        save_as: str | None,
        endpoint: str | None,
    ) -> None:
        self._environment = environment
        self._call = call
        self._session = session
        self._save_as = save_as
        self._endpoint = endpoint
        self._sink: Sink | None = None
        self._kept = False

    @property
    def keeps(self) -> bool:
        """Anything at all."""
        return self._session is not None or self._save_as is not None

    def open(self) -> None:
        """Before anything is sent. Raises CantCreate, UsageError."""
        if self._session:
            from llmcli.chat.sessions import store

            store.check_writable(self._environment, self._session)
        if self._save_as in _STDOUT:
            raise UsageError("--save-messages writes a file; stdout is the answer's")
        if self._save_as:
            self._sink = open_sink(self._environment, self._save_as)

    def keep(self, known: Sequence[Message], said: Sequence[Message]) -> None:
        """The whole conversation, of which the session has what is `known`. Raises WriteError."""
        if self._session:
            from llmcli.chat.sessions import store

            turn = self._turn(added(known, said), None)
            self._environment.stage = f"session {self._session.name} is held by another process"
            store.append_turn(self._environment, self._session, turn, float("inf"))
            self._kept = True
        if self._sink:
            self._sink.write(encode(list(said), indent=1) + b"\n")
            self._sink.commit()

    def fail(self, known: Sequence[Message], said: Sequence[Message], error: BaseException) -> None:
        """What came of an answer is kept as incomplete, and `error` says so."""
        if self._sink:
            self._sink.abort(keep=False)
        partial = self._call.accumulator
        if not self._session or self._kept or not (partial.begun or self._call.bill.turns):
            return
        own = added(known, said)
        if partial.begun and (not own or own[-1].get("role") != "assistant"):
            own.append(partial.partial().passed_back())
        from llmcli.chat.sessions import store

        internal = "internal" if isinstance(error, Exception) else "interrupted"
        kind = getattr(error, "kind", internal)
        try:
            turn = self._turn(own, kind)
            store.append_turn(self._environment, self._session, turn, _SHORT)
        except LlmcliError as failure:
            words = failure.message
        else:
            words = f"kept in session {self._session.name} as incomplete"
        if isinstance(error, (LlmcliError, Interrupted)):
            error.add_note(words)

    def _turn(self, own: Sequence[Message], incomplete: str | None) -> dict[str, Any]:
        cost = self._call.bill.cost()
        return {
            "version": 1,
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "model": self._call.model,
            "endpoint": self._endpoint,
            "messages": own,
            "finish_reason": self._call.accumulator.finish_reason,
            "usage": finite(self._call.bill.usage()),
            "cost_usd": None if cost.usd is None else float(cost.usd),
            "incomplete": incomplete,
        }


def added(known: Sequence[Message], said: Sequence[Message]) -> list[Message]:
    """The messages of `said` that are not among the `known` it begins with; the system message
    only if it is another one."""
    before, now = known[:1], list(said[:1])
    has_before = bool(before) and messages.is_system(before[0])
    has_now = bool(now) and messages.is_system(now[0])
    rest = list(said[has_now:][len(known) - has_before :])
    return rest if not has_now or (has_before and now == before) else [*now, *rest]
