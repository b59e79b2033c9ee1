"""An iterator over the items that a thread produces, which Ctrl-C and deadlines can end.

Python runs signal handlers in the main thread, between two bytecodes. Name resolution and native
calls are not interrupted there, so they run in another thread; waiting on a queue is interrupted.
"""

import threading
from collections.abc import Callable, Generator
from queue import Empty, SimpleQueue
from typing import TypeVar

from llmcli.system.signals import LONGEST_WAIT

T = TypeVar("T")
# Hands an item to the reader. Returns True if the reader has gone, so that producing can stop.
Put = Callable[[T], bool]
# Returns how many seconds to wait for the next item before asking again; None is without limit.
# Raises TimedOut when the reader has waited long enough.
Patience = Callable[[], float | None]

# How many items the producer may be ahead of a slow reader of stdout; this bounds memory.
_MOST_AHEAD = 64


class _End:
    """The last item of the queue, with the exception that ended the producer, if any."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


def _endless() -> None:
    return None


def in_thread(
    produce: Callable[[Put[T]], None], patience: Patience = _endless
) -> Generator[T, None, None]:
    """Run `produce(put)` in a daemon thread and yield each item that it puts.

    Raises what `produce` raises, and what `patience` raises. Closing the generator makes `put`
    return True; the thread is not waited for, as it may be stuck in a native call.
    """
    items: SimpleQueue[T | _End] = SimpleQueue()
    room = threading.Semaphore(_MOST_AHEAD)
    abandoned = threading.Event()

    def put(item: T) -> bool:
        room.acquire()
        items.put(item)
        return abandoned.is_set()

    def run() -> None:
        try:
            produce(put)
        except BaseException as error:  # noqa: BLE001  # raised again in the reader's thread
            items.put(_End(error))
        else:
            items.put(_End(None))

    threading.Thread(target=run, daemon=True).start()
    try:
        while not isinstance(item := _next(items, patience), _End):
            room.release()
            yield item
        if item.error is not None:
            raise item.error
    finally:
        # The flag comes first: a producer that waits for room must see it when it wakes.
        abandoned.set()
        room.release(_MOST_AHEAD)


def next_wait(patience: Patience) -> float:
    """Return the seconds of the next wait: those that `patience` allows, at most LONGEST_WAIT.

    Raises what `patience` raises.
    """
    left = patience()
    return LONGEST_WAIT if left is None else min(left, LONGEST_WAIT)


def _next(items: "SimpleQueue[T | _End]", patience: Patience) -> T | _End:
    while True:
        wait = next_wait(patience)
        try:
            return items.get(timeout=wait)
        except Empty:
            continue
