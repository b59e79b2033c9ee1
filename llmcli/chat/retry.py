"""Retries of what may succeed if sent again: exponential backoff with full jitter.

The delays follow https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/.
"""

import time
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, TypeVar

from llmcli.api.refused_fields import OwnFields
from llmcli.api.trace import Trace
from llmcli.api.types import ChatRequest
from llmcli.chat.call import Call
from llmcli.errors import LlmcliError, TryLater
from llmcli.system.dataclass import dataclass

if TYPE_CHECKING:
    from llmcli.chat.observer import Observer

T = TypeVar("T")

# Seconds: the upper bounds of the first delay and, as they double, of any.
_FIRST_DELAY = 0.5
_LONGEST_DELAY = 8.0
# Seconds of Retry-After that are waited for; a server that asks for more ends the call.
LONGEST_RETRY_AFTER = 120.0


def _sleep(seconds: float, _failure: str) -> None:
    time.sleep(seconds)


def _always(_error: LlmcliError) -> bool:
    return True


@dataclass(frozen=True)
class RetryPolicy:
    """How often, how long and after which errors a call is tried again.

    `retries` is the most attempts after the first.
    `remaining` returns the seconds until the deadline, beyond which no attempt begins.
    `allowed` returns whether a retry may follow an error: `map` bounds the share of retries.
    `rest` waits for a number of seconds, after the failure that it is told.
    """

    retries: int
    remaining: Callable[[], float]
    allowed: Callable[[LlmcliError], bool] = _always
    rest: Callable[[float, str], None] = _sleep


def retrying(
    attempt: Callable[[], T], observer: "Observer", policy: RetryPolicy, trace: Trace
) -> T:
    """Return what `attempt` returns, after trying it again as often as `policy` allows.

    Only a transient error is followed by another attempt, and only while `observer` has committed
    nothing of the answer. Raise the last error, or TryLater if the server asks to wait longer than
    LONGEST_RETRY_AFTER or the deadline.
    """
    for number in range(policy.retries + 1):
        try:
            return attempt()
        except LlmcliError as error:
            trace.failed(error.message)
            if not error.transient or observer.committed or number == policy.retries:
                raise
            wait = delay(number, error.retry_after)
            if error.retry_after and wait > min(LONGEST_RETRY_AFTER, policy.remaining()):
                raise too_long(error) from error
            if wait > policy.remaining() or not policy.allowed(error):
                raise
            wait = _stretched(wait, error, policy)
            observer.again(error, wait)
            policy.rest(wait, error.message)
            trace.waited = wait
    raise AssertionError("the last attempt returns or raises")


def _stretched(wait: float, error: LlmcliError, policy: RetryPolicy) -> float:
    """Return `wait`, or the longer time until the server's limits are new, within the deadline."""
    longer = max(wait, error.reset or 0)
    return longer if longer <= policy.remaining() else wait


def delay(number: int, retry_after: float | None) -> float:
    """Return the seconds to wait after attempt `number`, counted from 0.

    They are `retry_after` if the server named a time. Else they are random, from 0 up to a bound
    that begins at 0.5 s and doubles up to 8 s, so that many clients do not come back at once.
    """
    if retry_after is not None:
        return retry_after
    import random  # noqa: PLC0415  # slow to load, and a run without a retry needs none

    return random.uniform(0, min(_LONGEST_DELAY, _FIRST_DELAY * 2**number))


def too_long(error: LlmcliError) -> TryLater:
    """Return the error for a server that asks to wait longer than is waited for."""
    seconds = error.retry_after or 0
    later = TryLater(
        error.message,
        hint=f"try again in {seconds:.0f} s, as the server asks",
        code=error.code,
        metadata=error.metadata,
        status=error.status,
    )
    return later.replaced(retry_after=seconds)


def without_refused(
    attempt: Callable[[ChatRequest], T],
    request: ChatRequest,
    given: Collection[str],
    fields: OwnFields,
    call: Call,
) -> T:
    """Return what `attempt` returns for `request`, without the fields that the server refuses.

    Only what llmcli adds by itself is left out or renamed, each field once; those that are `given`
    by the user stay. That is not a retry: nothing is waited for. Raise what `attempt` raises.
    """
    while True:
        sent = fields.applied(request, given)
        try:
            return attempt(sent)
        except LlmcliError as error:
            change = fields.learn(sent, given, error)
            if change is None:
                raise
            call.trace.failed(error.message)
            call.trace.log(change)
            call.discard()
