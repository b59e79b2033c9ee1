"""A producer in a thread of its own, so that Ctrl-C and deadlines never wait for it.

Python handles signals in the main thread only, and name resolution or a native call cannot be
interrupted there. Waiting on a queue can.
"""

import threading
from collections.abc import Callable, Generator
from queue import Empty, SimpleQueue
from typing import TypeVar

T = TypeVar("T")
# Hands an item to the reader; true once nobody reads any more.
Put = Callable[[T], bool]
# Seconds to wait for the next item before asking again; raises when it has been long enough.
Patience = Callable[[], float | None]

# Items produced ahead of a slow reader of stdout; bounds memory.
_AHEAD = 64


class _End:
    def __init__(self, error: BaseException | None) -> None:
        self.error = error


def _endless() -> None:
    return None


def in_thread(
    produce: Callable[[Put[T]], None], patience: Patience = _endless
) -> Generator[T, None, None]:
    """What `produce(put)` puts, from a daemon thread; its exception is raised here."""
    items: SimpleQueue[T | _End] = SimpleQueue()
    room = threading.Semaphore(_AHEAD)
    abandoned = threading.Event()

    def put(item: T) -> bool:
        room.acquire()
        items.put(item)
        return abandoned.is_set()

    def run() -> None:
        try:
            produce(put)
        except BaseException as error:
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
        abandoned.set()
        room.release(_AHEAD)


def _next(items: "SimpleQueue[T | _End]", patience: Patience) -> T | _End:
    while True:
        try:
            return items.get(timeout=patience())
        except Empty:
            continue
