"""How a signal or the deadline ends a run, and how code holds them off for a moment."""

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

# The least time, in seconds, to clean up after a signal or the deadline.
_LEAST_CLEANUP = 0.15

# The longest time, in seconds, of one wait for another thread. A signal that comes just before a
# wait begins does not interrupt the wait, so its handler runs only when the wait is over.
LONGEST_WAIT = 0.5

# Seconds after which a signal that arrived during an import is sent again.
RETRY_DELAY = 0.01


def interrupt(number: int, frame: FrameType | None) -> Any:
    """Raise Interrupted for signal `number`, or send it again later if an import is going on.

    This is the handler of the signals that end a run.
    """
    if is_importing(frame):
        threading.Timer(RETRY_DELAY, os.kill, (os.getpid(), number)).start()
    else:
        raise Interrupted(number)


def is_importing(frame: FrameType | None) -> bool:
    """Return whether `frame` is in Python's import system.

    An exception must not be raised there: the import system swallows it in some of its callbacks.
    """
    # On a busy machine the signal comes again while `interrupt` still starts its timer.
    while frame is not None and frame.f_code.co_filename in (__file__, threading.__file__):
        frame = frame.f_back
    return frame is not None and frame.f_code.co_filename.startswith("<frozen importlib")


@contextmanager
def signals_deferred() -> Iterator[None]:
    """Hold off signals and the deadline until the block has ended, then deliver those that came.

    In any thread but the main one this does nothing, as Python runs signal handlers only there.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    deferred: list[int] = []
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGALRM)
    # Signals that are ignored or have their default action stay as they are.
    handlers = {n: signal.getsignal(n) for n in numbers if callable(signal.getsignal(n))}
    for number in handlers:
        signal.signal(number, lambda number, _frame: deferred.append(number))
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        for arrived in deferred:
            signal.raise_signal(arrived)


def limit_cleanup(end: Callable[[], NoReturn], seconds: float) -> None:
    """Call `end` in `seconds` (but not before 0.15 s) if the run has not ended by then.

    It is called when a run only has to clean up and to report why it ends: without this limit, a
    reader of stdout or stderr that does not read could hold up the process for ever. An infinite
    number of seconds sets no limit. From now on a signal ends the process at once.
    """
    signal.signal(signal.SIGALRM, lambda _number, _frame: end())
    if seconds != float("inf"):
        signal.setitimer(signal.ITIMER_REAL, max(seconds, _LEAST_CLEANUP))
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # A signal that the parent ignores (nohup) stays ignored.
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)


def die_by_signal(number: int) -> NoReturn:
    """End the process by signal `number`, so that the parent sees a death by signal.

    A shell loop goes on after an exit code of 130, but stops if SIGINT itself ended its command.
    """
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    os._exit(128 + number)  # only reached where the signal is blocked


def leave(code: int) -> NoReturn:
    """End the process with exit code `code`, without the interpreter's own clean-up.

    That clean-up takes 25 ms, and it can hang on threads that wait for a server. Nothing is lost
    without it, as all output is written by os.write and so never waits in a buffer.
    """
    os._exit(code)
