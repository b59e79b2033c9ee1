"""A worker process of `map --cluster local`, run as a module with the descriptor of its line.

It takes batches from the line and writes (kind, number of the batch, content) to it. STOP on the
line means that no more requests may be sent, END and the end of the line that it is to end.
"""

import gc
import os
import signal
import sys
import threading
import time
from functools import partial
from multiprocessing.connection import Connection
from typing import Any

from llmcli.batch.cluster.parcels import Answered, Parcel
from llmcli.batch.cluster.station import Stations
from llmcli.errors import LlmcliError

STOP, END = "stop", "end"
# The option by which a process tells the user of long pauses.
TELL = "tell"
# Seconds for which answers are gathered, as one message costs more than one answer.
_GATHER = 0.05


class _Outbox:
    """Sends answers soon, and those of the same time together."""

    def __init__(self, line: Connection) -> None:
        self._line = line
        self._answers: dict[int, list[Answered]] = {}
        self._lock = threading.Lock()
        self._filled = threading.Event()
        threading.Thread(target=self._send_often, daemon=True).start()

    def add(self, number: int, answer: Answered) -> None:
        """Send an answer of batch `number` soon."""
        with self._lock:
            self._answers.setdefault(number, []).append(answer)
        self._filled.set()

    def end(self, kind: str, number: int, content: Any = None) -> None:
        """Send all answers, and then a message on batch `number`."""
        with self._lock:
            self._flush()
            self._line.send((kind, number, content))

    def _flush(self) -> None:
        for number, answers in self._answers.items():
            self._line.send(("answered", number, answers))
        self._answers.clear()

    def _send_often(self) -> None:
        while True:
            self._filled.wait()
            time.sleep(_GATHER)
            self._filled.clear()
            with self._lock:
                self._flush()


def _answer(stations: Stations, outbox: _Outbox, batch: Parcel) -> None:
    try:
        station = stations.of(batch)
        station.answer(batch, partial(outbox.add, batch.number), lambda: None)
    except LlmcliError as error:
        outbox.end("refused", batch.number, error)
    else:
        outbox.end("ended", batch.number)


def serve() -> None:
    """Answer batches until the line ends."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # A signal for the whole group is the other process's to handle: it ends the line. Not
        # SIG_IGN, which programs of tools would inherit.
        signal.signal(number, lambda *_: None)
    gc.set_threshold(100_000)  # as in llmcli.cli.entry
    line, run = Connection(int(sys.argv[1])), ""
    stations = Stations(tell=TELL in sys.argv)
    outbox = _Outbox(line)
    try:
        while (batch := line.recv()) != END:
            if batch == STOP:
                stations.stop(run)
                continue
            run = batch.run
            threading.Thread(target=_answer, args=(stations, outbox, batch), daemon=True).start()
    except (EOFError, OSError):
        pass
    stations.abandon()
    os._exit(0)


if __name__ == "__main__":
    serve()
