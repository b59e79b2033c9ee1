"""Work on each item of a stream by a pool of workers: it knows nothing of what the work is.

Items are read only as fast as workers take them, and results handed out as they come or in the
order of the items, of which a window bounds how many wait for an earlier one.
"""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Executor, Future, ThreadPoolExecutor
from queue import SimpleQueue
from typing import Generic, TypeVar

from llmcli.errors import OutOfResources

T = TypeVar("T")
R = TypeVar("R")


def threads(count: int) -> Executor:
    """All begun, so that one that cannot be is known before anything is asked. Raises
    OutOfResources."""
    pool, ready = ThreadPoolExecutor(count), threading.Event()
    try:
        for _ in range(count):
            pool.submit(ready.wait)
    except RuntimeError:
        raise OutOfResources(f"cannot start {count} threads", hint="lower -j") from None
    finally:
        ready.set()
    return pool


class _End:
    """No more items, or reading them failed."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


def nothing() -> None:
    pass


_Done = tuple[int, T, "Future[R]"]


class Mapping(Generic[T, R]):
    """`work` on at most `width` items at once. `lost`: the result of an item whose worker died.
    `cancels`: the executor tells what it has begun from what it has not. `begun`: how many items
    were handed to it."""

    def __init__(
        self,
        work: Callable[[T], R],
        executor: Executor,
        width: int,
        lost: Callable[[T, BaseException], R],
        cancels: bool = True,
    ) -> None:
        self._work = work
        self._executor = executor
        self._width = width
        self._lost = lost
        self._cancels = cancels
        self._events: SimpleQueue[_Done[T, R] | Callable[[], None] | _End] = SimpleQueue()
        self._stopping = threading.Event()
        self._handing = threading.Lock()
        self.begun = 0
        self._pending: dict[int, Future[R]] = {}
        self._waiting: dict[int, R | None] = {}
        self._following = 0
        self._resting = False

    def results(
        self, items: Iterator[T], window: int | None, arrived: Callable[[R], None]
    ) -> Iterator[R | None]:
        """`window`: how many may wait for an earlier one; None: in no order. What was never begun
        is None. `arrived` is told of each result at once, whatever its turn.

        Raises what reading the items raised, once what is in flight has ended."""
        # A few more than there are workers, so that none waits for the next.
        ahead = self._width + max(self._width // 4, 1)
        room = threading.Semaphore(ahead if window is None else max(window, ahead))
        slots = threading.Semaphore(ahead)
        threading.Thread(target=self._feed, args=(items, room, slots), daemon=True).start()
        waiting, finished = self._waiting, 0
        end: _End | None = None
        while not self._ended(end, finished):
            self._resting = True
            event = self._events.get()
            self._resting = False
            if isinstance(event, _End):
                end = event
            elif callable(event):
                event()
            else:
                number, item, future = event
                finished += 1
                waiting[number] = result = self._result(item, future)
                if result is not None:
                    arrived(result)
                while waiting and (window is None or self._following in waiting):
                    key = self._following if window is not None else number
                    self._following += 1
                    room.release()
                    yield waiting.pop(key)
        if end is not None and end.error is not None:
            raise end.error

    def cut_short(self) -> Iterator[R | None]:
        """What has ended but was not handed out when something was raised in `results` while it
        waited; None for what comes before it."""
        if not self._resting:
            return
        while not self._events.empty():
            event = self._events.get()
            if isinstance(event, tuple):
                number, item, future = event
                self._waiting[number] = self._result(item, future)
        first = min([self._following, *self._waiting])
        for number in range(first, max(self._waiting, default=-1) + 1):
            yield self._waiting.get(number)

    def _ended(self, end: _End | None, finished: int) -> bool:
        """Who stops does not wait for an input that says nothing."""
        with self._handing:
            over = end is not None or self._stopping.is_set()
            return over and finished == self.begun

    def stop(self) -> None:
        """Begin nothing more; what has begun ends."""
        with self._handing:
            self._stopping.set()
        self.wake(nothing)
        if self._cancels:
            for future in list(self._pending.values()):
                future.cancel()

    def wake(self, act: Callable[[], None]) -> None:
        """Have `results` call `act`, in its own thread. Safe in the handler of a signal."""
        self._events.put(act)

    def _result(self, item: T, future: "Future[R]") -> R | None:
        """None for what was never begun."""
        try:
            return future.result()
        except CancelledError as error:
            return None if self._stopping.is_set() else self._lost(item, error)
        except Exception as error:
            return self._lost(item, error)

    def _feed(
        self, items: Iterator[T], room: threading.Semaphore, slots: threading.Semaphore
    ) -> None:
        error: BaseException | None = None
        try:
            for item in items:
                room.acquire()
                slots.acquire()
                with self._handing:
                    if self._stopping.is_set():
                        break
                    self._submit(self.begun, item, slots)
                    self.begun += 1
        except BaseException as raised:
            error = raised
        self._events.put(_End(error))

    def _submit(self, number: int, item: T, slots: threading.Semaphore) -> None:
        def done(future: "Future[R]") -> None:
            self._pending.pop(number, None)
            slots.release()
            self._events.put((number, item, future))

        future = self._executor.submit(self._work, item)
        self._pending[number] = future
        future.add_done_callback(done)
