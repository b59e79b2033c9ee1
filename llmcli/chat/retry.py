"""Again, where the same request may well succeed: exponential backoff with full jitter.

The delays follow https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/.
"""

import time
from collections.abc import Callable
from typing import TypeVar

from llmcli.api.trace import Trace
from llmcli.chat.observer import Observer
from llmcli.errors import LlmcliError, TryLater
from llmcli.system.dataclass import dataclass

T = TypeVar("T")

_FIRST_DELAY = 0.5
_LONGEST_DELAY = 8.0
# A server that asks for more is not waited for.
LONGEST_RETRY_AFTER = 120.0


def _always(_error: LlmcliError) -> bool:
    return True


@dataclass(frozen=True)
class RetryPolicy:
    """`retries` after the first attempt, none beyond `remaining()` seconds, and each only if
    `allowed` says so of the error."""

    retries: int
    remaining: Callable[[], float]
    allowed: Callable[[LlmcliError], bool] = _always
    rest: Callable[[float], None] = time.sleep


def retrying(attempt: Callable[[], T], observer: Observer, policy: RetryPolicy, trace: Trace) -> T:
    """`attempt()`, again after transient errors as long as nothing was committed.

    Raises the last error; TryLater where the server asks for more time than there is.
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
                raise _too_long(error) from error
            if wait > policy.remaining() or not policy.allowed(error):
                raise
            observer.again(error, wait)
            trace.stage(f"waiting to try again after: {error.message}")
            policy.rest(wait)
            trace.waited = wait
    raise AssertionError("the last attempt returns or raises")


def delay(number: int, retry_after: float | None) -> float:
    """Seconds before attempt `number` + 1 (from 0): what the server says, else full jitter."""
    if retry_after is not None:
        return retry_after
    import random

    return random.uniform(0, min(_LONGEST_DELAY, _FIRST_DELAY * 2**number))


def _too_long(error: LlmcliError) -> TryLater:
    seconds = error.retry_after or 0
    later = TryLater(
        f"{error.message}; the server asks to wait {seconds:.0f} s",
        hint=f"try again in {seconds:.0f} s",
        code=error.code,
        metadata=error.metadata,
        status=error.status,
    )
    return later.replaced(retry_after=seconds)
