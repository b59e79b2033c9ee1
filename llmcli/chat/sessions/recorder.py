"""The recorder of a run: a turn of its session, and the file of --save-messages."""

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

# Seconds to wait for another process that holds the session, where this one must end at once:
# after a signal, or at the deadline.
_SHORT = 0.1
# Names that mean stdout.
_STDOUT = ("-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1")


class Recorder:
    """The recorder of the conversation of `call`, for --session and --save-messages.

    `session` and `save_as`, the FILE of --save-messages, are None if not asked for. `endpoint` is
    the base_url that answers; None for the embedded model.
    """

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
        self._kept = False  # whether the session has the turn of this run

    @property
    def keeps(self) -> bool:
        """Return whether anything of the run is recorded."""
        return self._session is not None or self._save_as is not None

    def open(self) -> None:
        """Check that all can be recorded, before anything is sent and paid for.

        Raise CantCreate for what cannot be written, UsageError if --save-messages names stdout.
        """
        if self._session:
            from llmcli.chat.sessions import store  # noqa: PLC0415  # a plain ask has no session

            store.check_writable(self._environment, self._session)
        if self._save_as in _STDOUT:
            problem = "--save-messages cannot write to stdout, where the answer goes"
            raise UsageError(problem, hint="name a file")
        if self._save_as:
            self._sink = open_sink(self._environment, self._save_as)

    def keep(self, known: Sequence[Message], conversation: Sequence[Message]) -> None:
        """Record a run that went well: append its turn and write the whole `conversation`.

        `known` are the messages that the session holds already. Raise WriteError or CantCreate.
        """
        if self._session:
            from llmcli.chat.sessions import store  # noqa: PLC0415  # a plain ask has no session

            turn = self._turn(added(known, conversation), None)
            store.append_turn(self._environment, self._session, turn, float("inf"))
            self._kept = True
        if self._sink:
            self._sink.write(encode(list(conversation), indent=1) + b"\n")
            self._sink.commit()

    def fail(
        self, known: Sequence[Message], conversation: Sequence[Message], error: BaseException
    ) -> None:
        """Record in the session what came of an answer, as incomplete, and note that on `error`.

        Nothing is recorded if nothing came. What keeps it from being recorded is noted as well, and
        not raised. The file of --save-messages stays as it was.
        """
        if self._sink:
            self._sink.abort(keep=False)
        partial = self._call.accumulator
        if not self._session or self._kept or not (partial.begun or self._call.bill.turns):
            return
        own = added(known, conversation)
        # An answer that came whole, such as one of a wrong shape, is in the conversation already.
        if partial.begun and (not own or own[-1].get("role") != "assistant"):
            own.append(partial.completion().passed_back())
        from llmcli.chat.sessions import store  # noqa: PLC0415  # a plain ask has no session

        internal = "internal" if isinstance(error, Exception) else "interrupted"
        kind = getattr(error, "kind", internal)
        try:
            turn = self._turn(own, kind)
            store.append_turn(self._environment, self._session, turn, _SHORT)
        except LlmcliError as failure:
            note = failure.message
        else:
            note = f"kept in session {self._session.name} as incomplete"
        if isinstance(error, (LlmcliError, Interrupted)):
            error.add_note(note)

    def _turn(self, own: Sequence[Message], incomplete: str | None) -> dict[str, Any]:
        """Return the record of a turn with the messages `own`; `incomplete` is why it failed."""
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


def added(known: Sequence[Message], conversation: Sequence[Message]) -> list[Message]:
    """Return the messages of `conversation` that follow the `known` ones, with which it begins.

    The system message of `conversation` comes first if it differs from that of `known`.
    """
    before, now = known[:1], list(conversation[:1])
    has_before = bool(before) and messages.is_system(before[0])
    has_now = bool(now) and messages.is_system(now[0])
    rest = list(conversation[has_now:][len(known) - has_before :])
    return rest if not has_now or (has_before and now == before) else [*now, *rest]
