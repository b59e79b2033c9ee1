"""A function applied to each item of a stream by a pool of workers, with results in order.

Items are read only as fast as the workers take them. Results come in the order of the items, or as
soon as they are there. In order, a window bounds how many results wait for an earlier one. Nothing
here knows of models or requests.
"""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Executor, Future, ThreadPoolExecutor
from queue import Empty, SimpleQueue
from typing import Any, Generic, Protocol, TypeVar

from llmcli.errors import OutOfResources
from llmcli.system.signals import LONGEST_WAIT

T = TypeVar("T")
R = TypeVar("R")


def threads(count: int) -> Executor:
    """Return a pool of `count` threads that all run already.

    Raises OutOfResources where the system refuses one, before anything was asked of a model.
    """
    pool, ready = ThreadPoolExecutor(count), threading.Event()
    try:
        # The pool starts a thread only if none is idle, so each is kept busy until all run.
        for _ in range(count):
            pool.submit(ready.wait)
    except RuntimeError:
        raise OutOfResources(f"cannot start {count} threads", hint="lower -j") from None
    finally:
        ready.set()
    return pool


class Slots(Protocol):
    """Places for items that an executor has: a semaphore, or what counts by a rule of its own."""

    def acquire(self) -> Any:
        """Wait for a place, and take it."""

    def release(self) -> None:
        """Give a place back."""


class _End:
    """The event after the last item: there are no more, or reading them raised `error`."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


def do_nothing() -> None:
    """Do nothing, where a function is expected."""


# The event of an item that was worked on: its number, the item, and its future.
_Done = tuple[int, T, "Future[R]"]


class OrderedMap(Generic[T, R]):
    """The calls `work(item)` for the items of a stream, at most `width` of them at once.

    `on_lost` makes the result of an item whose worker died. `slots` bounds in place of `width` how
    many items the executor has. `begun` counts the items that were handed to the executor. `work`
    returns None for an item that it left alone.
    """

    def __init__(
        self,
        work: Callable[[T], R],
        executor: Executor,
        width: int,
        on_lost: Callable[[T, BaseException], R],
        slots: Slots | None = None,
    ) -> None:
        self._work = work
        self._executor = executor
        self._width = width
        self._on_lost = on_lost
        self._slots = slots
        # A SimpleQueue, as its `put` may be called by the handler of a signal that interrupts
        # another `put` or `get` of the same thread; a Queue would wait for its own lock for ever.
        self._events: SimpleQueue[_Done[T, R] | Callable[[], None] | _End] = SimpleQueue()
        self._stopping = threading.Event()
        # Held while an item is handed over, so that none is once `_stopping` is set and `begun`
        # has its last value.
        self._handing_over = threading.Lock()
        self.begun = 0
        self._pending: dict[int, Future[R]] = {}
        # Results that wait for an earlier one, by the number of their item.
        self._waiting: dict[int, R | None] = {}
        # The number of the result that is handed out next.
        self._next = 0
        self._awaits_event = False

    def results(
        self, items: Iterator[T], window: int | None, on_arrival: Callable[[R], None]
    ) -> Iterator[R | None]:
        """Yield the result of each item; None for one that was never begun.

        Results come in the order of the items, and at most `window` of them wait for an earlier
        one. If `window` is None, they come as they arrive. `on_arrival` is called with each result
        as soon as it is there, even if its turn comes later. After an exception in `items` the
        items before it are worked on to the end; then the exception is raised.
        """
        # A few more than there are workers, so that no worker has to wait for its next item.
        ahead = self._width + max(self._width // 4, 1)
        room = threading.Semaphore(ahead if window is None else max(window, ahead))
        slots = self._slots or threading.Semaphore(ahead)
        # The items are read in a thread of their own, as an input that is a pipe may block.
        threading.Thread(target=self._feed, args=(items, room, slots), daemon=True).start()
        waiting, finished = self._waiting, 0
        end: _End | None = None
        while not self._is_over(end, finished):
            self._awaits_event = True
            event = self._next_event()
            self._awaits_event = False
            if isinstance(event, _End):
                end = event
            elif callable(event):
                event()
            else:
                number, item, future = event
                finished += 1
                waiting[number] = result = self._result(item, future)
                if result is not None:
                    on_arrival(result)
                while waiting and (window is None or self._next in waiting):
                    key = self._next if window is not None else number
                    self._next += 1
                    room.release()
                    yield waiting.pop(key)
        if end is not None and end.error is not None:
            raise end.error

    def left_over(self) -> Iterator[R | None]:
        """Yield the results that were there, but not handed out, when `results` was interrupted.

        They come in the order of their items, with None for an item among them that has no result.
        Yield nothing where `results` was interrupted while it did not wait for an event, as its
        state may then be half changed.
        """
        if not self._awaits_event:
            return
        while not self._events.empty():
            event = self._events.get()
            if isinstance(event, tuple):
                number, item, future = event
                self._waiting[number] = self._result(item, future)
        first = min([self._next, *self._waiting])
        for number in range(first, max(self._waiting, default=-1) + 1):
            yield self._waiting.get(number)

    def _next_event(self) -> "_Done[T, R] | Callable[[], None] | _End":
        while True:
            try:
                return self._events.get(timeout=LONGEST_WAIT)
            except Empty:
                continue

    def _is_over(self, end: _End | None, finished: int) -> bool:
        """Return True once no more results can come.

        After `stop` the end of the items is not waited for: their input may never end.
        """
        with self._handing_over:
            over = end is not None or self._stopping.is_set()
            return over and finished == self.begun

    def stop(self) -> None:
        """Begin no more items, and let those that have begun end."""
        with self._handing_over:
            self._stopping.set()
        # `results` may wait for an event, and none would come if nothing is in flight.
        self.wake(do_nothing)
        for future in list(self._pending.values()):
            future.cancel()

    def wake(self, act: Callable[[], None]) -> None:
        """Let the thread of `results` call `act`. The handler of a signal may call this."""
        self._events.put(act)

    def _result(self, item: T, future: "Future[R]") -> R | None:
        """Return the result of an item; None for one that was never begun."""
        try:
            return future.result()
        except CancelledError as error:
            return None if self._stopping.is_set() else self._on_lost(item, error)
        except Exception as error:  # noqa: BLE001  # whatever a worker raises is the item's failure
            return self._on_lost(item, error)

    def _feed(self, items: Iterator[T], room: threading.Semaphore, slots: Slots) -> None:
        """Hand the items to the executor, in a thread of its own.

        Each takes a place in `room` until its result is handed out, and one in `slots` until its
        work is done.
        """
        error: BaseException | None = None
        try:
            for item in items:
                room.acquire()
                slots.acquire()
                with self._handing_over:
                    if self._stopping.is_set():
                        break
                    self._submit(self.begun, item, slots)
                    self.begun += 1
        except BaseException as raised:  # noqa: BLE001  # raised again in the thread of `results`
            error = raised
        self._events.put(_End(error))

    def _submit(self, number: int, item: T, slots: Slots) -> None:
        def done(future: "Future[R]") -> None:
            self._pending.pop(number, None)
            slots.release()
            self._events.put((number, item, future))

        future = self._executor.submit(self._work, item)
        self._pending[number] = future
        future.add_done_callback(done)
