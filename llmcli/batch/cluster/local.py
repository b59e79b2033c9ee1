"""Workers on this machine: processes of their own, with which a run uses more than one core."""

import subprocess
import sys
import threading
from multiprocessing.connection import Connection, Pipe

from llmcli.batch.cluster.crew import Desk
from llmcli.batch.cluster.local_worker import END, STOP, TELL
from llmcli.batch.cluster.parcels import Parcel
from llmcli.errors import NetworkError, OutOfResources
from llmcli.system.dataclass import dataclass, field

# -P: nothing is imported from the working directory.
_COMMAND = (sys.executable, "-P", "-m", "llmcli.batch.cluster.local_worker")


@dataclass(frozen=True)
class _Worker:
    """A process, our end of the line to it, and the numbers of the batches that it has."""

    process: "subprocess.Popen[bytes]"
    line: Connection
    batches: set[int] = field(default_factory=set)
    sending: threading.Lock = field(default_factory=threading.Lock)

    def send(self, message: Parcel | str) -> bool:
        """Write a message to the line; return False if the process has died."""
        try:
            with self.sending:
                self.line.send(message)
        except OSError:
            return False
        return True


class LocalWorkers:
    """`number` processes that end with this one.

    The first one alone tells the user of what all meet, such as long pauses, unless `quiet`; with
    `verbose` all write to stderr. Raises OutOfResources if a process cannot be started.
    """

    def __init__(self, number: int, *, quiet: bool, verbose: bool) -> None:
        self._lock = threading.Lock()
        options = [] if quiet else [TELL]
        self._workers = [_start(*options, heard=True)]
        self._workers += [_start(heard=verbose) for _ in range(number - 1)]

    def count(self) -> int:
        """Return how many processes run."""
        return len(self._workers)

    def start(self, desk: Desk) -> None:
        """Report to `desk` from now on."""
        for worker in list(self._workers):
            threading.Thread(target=self._listen, args=(worker, desk), daemon=True).start()
        self._desk = desk

    def send(self, batch: Parcel) -> None:
        """Hand a batch to the process that has the fewest."""
        with self._lock:
            worker = min(self._workers, key=lambda one: len(one.batches), default=None)
            if worker:
                worker.batches.add(batch.number)
        if worker is None:
            self._desk.ended(batch.number)
            return
        # That it has died `_listen` notices as well; it must not be told twice.
        if not worker.send(batch) and self._drop(worker, batch.number):
            self._desk.ended(batch.number)

    def stop(self) -> None:
        """Let the processes send no more requests, and those under way end."""
        for worker in list(self._workers):
            worker.send(STOP)

    def close(self) -> None:
        """Let the processes end at once, and their programs of tools."""
        for worker in list(self._workers):
            worker.send(END)

    def _listen(self, worker: _Worker, desk: Desk) -> None:
        try:
            while True:
                kind, number, content = worker.line.recv()
                if kind == "answered":
                    desk.answered(number, content)
                elif kind == "ended":
                    self._drop(worker, number)
                    desk.ended(number)
                else:  # the others have the same settings, and would say the same
                    desk.gone(content)
        except Exception:  # noqa: BLE001  # the end of the line, or what nobody can read
            worker.process.kill()
        worker.process.wait()
        with self._lock:
            self._workers.remove(worker)
            lost, none_left = set(worker.batches), not self._workers
            worker.batches.clear()
        for number in lost:
            desk.lost(number)
        if none_left:
            desk.gone(NetworkError("all worker processes of this machine have ended"))

    def _drop(self, worker: _Worker, number: int) -> bool:
        """Forget that a worker has a batch; return whether it had."""
        with self._lock:
            had = number in worker.batches
            worker.batches.discard(number)
            return had


def _start(*options: str, heard: bool) -> _Worker:
    ours, theirs = Pipe()
    descriptor = theirs.fileno()
    try:
        process = subprocess.Popen(
            [*_COMMAND, str(descriptor), *options],
            pass_fds=[descriptor],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=None if heard else subprocess.DEVNULL,
        )
    except OSError as error:
        hint = "take a smaller N for --cluster local:N"
        problem = f"cannot start a worker process: {error.strerror}"
        raise OutOfResources(problem, hint=hint) from None
    theirs.close()
    return _Worker(process, ours)
