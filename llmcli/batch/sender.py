"""The way of a request of `map` to the server: its turn, and again while the server says "later".

"Later" (429, 503) is not a failure: the record is put back, and costs no retry. Retries are for
what breaks.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import TypeVar

from llmcli.api.reply.completion import Delta
from llmcli.api.reply.usage import Tokens
from llmcli.api.types import ChatRequest
from llmcli.batch.pace.rate_limit import Pace, TooLate
from llmcli.chat.call import Call
from llmcli.chat.observer import Silent
from llmcli.chat.retry import LONGEST_RETRY_AFTER, too_long
from llmcli.errors import LlmcliError, TryLater, deadline_reached
from llmcli.spending import estimate
from llmcli.spending.account import Account

T = TypeVar("T")

# The HTTP statuses by which a server asks for fewer requests: 429 (RFC 6585), 503 (RFC 9110), and
# 529, which Anthropic and others send when they are overloaded.
_TOO_MANY = 429
BUSY = (_TOO_MANY, 503, 529)
# How many tokens --tpm reserves for an answer that nothing bounds, until a longer one was seen.
_USUAL_ANSWER = 1000


class Listener(Silent):
    """The observer of `map` that also tells when the first piece of an answer has come."""

    begun: Callable[[], None] | None = None

    def show(self, delta: Delta) -> None:
        """Call `begun`, once for each attempt."""
        if self.begun:
            begun, self.begun = self.begun, None
            begun()


class Sender:
    """Sends the requests of all records of a run; any number of threads may use it at once.

    `pace` says when a request may be sent. `deadline` is that of a record in seconds, 0 for none,
    from its first turn on. With `again` False nothing is sent again. `succeeded` is True once any
    request of the run had its whole answer.
    """

    def __init__(self, pace: Pace, account: Account, deadline: float, *, again: bool) -> None:
        self._pace = pace
        self._account = account
        self._deadline = deadline
        self._again = again
        self._longest_answer = _USUAL_ANSWER
        self.succeeded = False

    def send(
        self,
        number: int,
        request: ChatRequest,
        call: Call,
        listener: Listener,
        attempt: Callable[[AbstractContextManager[None]], T],
    ) -> T:
        """Return what `attempt` returns, after making it as often as the server says "later".

        `attempt` sends the request of record `number` within the turn that it is given. Raises
        what it raises; TryLater if the server does not take the request before the deadline of the
        record, or asks to wait longer than that; Stopped if the run is ending.
        """
        refused: LlmcliError | None = None
        while True:
            try:
                result = attempt(self._turn(number, request, call, listener))
            except TooLate:
                raise self._out_of_time(call, refused) from refused
            except LlmcliError as error:
                if not self._is_later(error):
                    raise
                refused = error
                self._put_back(error, call, listener)
            else:
                self.succeeded = True
                return result

    def _is_later(self, error: LlmcliError) -> bool:
        """Return True if the server asks to come later, rather than to be down.

        While nothing has succeeded and nothing else is under way that may, a 503 without a time
        may mean that the server is down for long.
        """
        if not self._again or not is_busy(error):
            return False
        names_rate = isinstance(error, TryLater) or error.retry_after
        return bool(names_rate or self.succeeded or self._pace.active)

    def _put_back(self, error: LlmcliError, call: Call, listener: Listener) -> None:
        trace, seconds = call.trace, error.retry_after or 0.0
        trace.failed(error.message)
        if seconds > min(LONGEST_RETRY_AFTER, trace.until - time.monotonic()):
            raise too_long(error) from error
        listener.again(error, max(seconds, self._pace.next_in()))
        trace.stage(f"waiting to try again after: {error.message}")

    def _out_of_time(self, call: Call, refused: LlmcliError | None) -> LlmcliError:
        if refused is None:
            return deadline_reached(self._deadline, "the request was not sent")
        later = TryLater(
            f"{refused.message}; the server did not take the request within the deadline of "
            f"{self._deadline:g} s",
            hint="give more time with --deadline, or ask for less with --rpm",
            code=refused.code,
            metadata=refused.metadata,
            status=refused.status,
        )
        return later.replaced(about=refused.about, fields=refused.fields)

    @contextmanager
    def _turn(
        self, number: int, request: ChatRequest, call: Call, listener: Listener
    ) -> Iterator[None]:
        """Wait for a turn, hold it while the request is sent, and report how that went to the pace.

        Raises Stopped if the run is ending, TooLate if the deadline comes first.
        """
        reserved = self._most_tokens(request) if self._pace.counts_tokens else 0
        trace, came = call.trace, time.monotonic()
        with self._pace.turn(reserved, number, trace.until) as started:
            if trace.attempts_of_turn():
                trace.waited += started - came
            elif self._deadline and not trace.attempts:
                trace.until = started + self._deadline
            listener.begun = partial(self._pace.accepted, started)
            try:
                yield
            except LlmcliError as error:
                if is_busy(error):
                    self._pace.refused(started, _named(error))
                raise
            finally:
                self._settle(started, reserved, call)
            self._pace.accepted(started)

    def _most_tokens(self, request: ChatRequest) -> int:
        """Return how many tokens the request and its answer may have, to keep to --tpm."""
        bound = estimate.bound(request, self._account.model, None)
        return bound.input + (bound.output or self._longest_answer)

    def _settle(self, started: float, reserved: int, call: Call) -> None:
        """Report the tokens that were used to the pace.

        If the server does not report them, those that were reserved count.
        """
        if not self._pace.counts_tokens:
            return
        used = Tokens.of(call.accumulator.usage)
        if used.completion is not None:
            self._longest_answer = max(self._longest_answer, used.completion)
            self._pace.settle(started, reserved, (used.prompt or 0) + used.completion)


def is_busy(error: LlmcliError) -> bool:
    """Return True if a server asks for fewer requests, and is not used up for long."""
    return error.transient and (error.status in BUSY or isinstance(error, TryLater))


def _named(error: LlmcliError) -> float | None:
    """Return how many seconds the server asks to wait; None if it is too long to wait for."""
    seconds = error.retry_after
    return seconds if seconds and seconds <= LONGEST_RETRY_AFTER else None
