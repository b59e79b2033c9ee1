"""Connections kept open and shared by many threads, each of which waits for its own reply.

A thread that waits in the system cannot be told to stop; but what it waits for can be taken away:
a watch closes the socket of an exchange that has taken too long.
"""

import threading
from contextlib import closing

from llmcli.backends.http.client import Client, Received
from llmcli.backends.http.endpoint import Endpoint
from llmcli.backends.http.timeouts import Progress
from llmcli.errors import LlmcliError, NetworkError, TimedOut

_PERIOD = 0.25


class Pool:
    """At most `size` connections are kept."""

    def __init__(self, endpoint: Endpoint, size: int) -> None:
        self._client = Client(endpoint, "POST", endpoint.url, size)
        self._running: dict[int, Progress] = {}
        self._watch = threading.Thread(target=self._look, daemon=True)
        self._started = threading.Lock()

    def receive(self, body: bytes, progress: Progress) -> Received:
        """Raises LlmcliError."""
        if self._started.acquire(blocking=False):
            self._watch.start()
        self._running[id(progress)] = progress
        progress.begin()
        try:
            yield from self._received(body, progress)
            progress.check()
        except LlmcliError:
            progress.check()
            raise
        finally:
            del self._running[id(progress)]
            progress.end()

    def _received(self, body: bytes, progress: Progress) -> Received:
        try:
            with closing(self._client.receive(body)) as received:
                head = next(received)
                yield head
                yield from received
                return
        except NetworkError:
            # A connection that was kept may have been closed by the server in the meantime.
            if progress.connected or not progress.sent or progress.answered:
                raise
        yield from self._client.receive(body)

    def _look(self) -> None:
        ticks = threading.Event()
        while not ticks.wait(_PERIOD):
            for progress in list(self._running.values()):
                try:
                    progress.patience()
                except TimedOut as error:
                    progress.expire(error)
