"""How a run ends by a signal or a deadline, and what they must not disturb."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, NoReturn

from llmcli.errors import (
    Interrupted,
)

# Seconds to clean up after a signal or the deadline.
_GRACE = 0.15

# Seconds until a signal that came at a bad time comes again.
A_MOMENT = 0.01


def interrupt(number: int, frame: FrameType | None) -> Any:
    if is_importing(frame):
        threading.Timer(A_MOMENT, os.kill, (os.getpid(), number)).start()
    else:
        raise Interrupted(number)


def is_importing(frame: FrameType | None) -> bool:
    """The import system swallows what is raised in its callbacks: a moment later, then."""
    return frame is not None and frame.f_code.co_filename.startswith("<frozen importlib")


@contextmanager
def undisturbed() -> Iterator[None]:
    """Signals and the deadline wait until this is over. Other threads than the main one they never
    disturb."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGALRM)
    before = {n: signal.getsignal(n) for n in numbers if callable(signal.getsignal(n))}
    for one in before:
        signal.signal(one, lambda number, _frame: came.append(number))
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
        for number in came:
            signal.raise_signal(number)


def last_words(end: Callable[[], NoReturn], seconds: float) -> None:
    """From here on the run only cleans up and says why it ends; `end()` cuts that short after
    `seconds`, lest a reader that does not read keeps it for ever. A second signal ends at once."""
    signal.signal(signal.SIGALRM, lambda _number, _frame: end())
    if seconds != float("inf"):
        signal.setitimer(signal.ITIMER_REAL, max(seconds, _GRACE))
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)


def die_by_signal(number: int) -> NoReturn:
    """End by the signal itself, so that a shell loop sees a death by signal and stops."""
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    os._exit(128 + number)  # only reached where the signal is blocked


def leave(code: int) -> NoReturn:
    """End without the interpreter's own clean-up, which can hang on threads and costs 25 ms.

    Nothing is lost: everything is written by os.write.
    """
    os._exit(code)
