"""Connections that are kept and shared by many threads, each of which waits for its own reply.

A thread that waits in a system call cannot be interrupted. So another thread watches all exchanges,
and shuts down the socket of one that has taken too long; that ends the system call.
"""

import threading
from contextlib import closing

from llmcli.backends.http.by_requests.client import Client
from llmcli.backends.http.endpoint import Endpoint
from llmcli.backends.http.reply.received import Received
from llmcli.backends.http.timeouts import Progress
from llmcli.errors import LlmcliError, TimedOut

# Seconds between two looks at the exchanges; a timeout may be late by as much.
_PERIOD = 0.25


class Pool:
    """Connections to one endpoint, of which at most `size` are kept open."""

    def __init__(self, endpoint: Endpoint, size: int) -> None:
        self._client = Client(endpoint, "POST", endpoint.url, size)
        self._connecting = Client(endpoint, "POST", endpoint.url)
        # By the id of each progress. It needs no lock: setting and deleting an item are atomic.
        self._running: dict[int, Progress] = {}
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        # Taken by the first exchange, which starts the watcher, and never released.
        self._started = threading.Lock()

    def receive(self, body: bytes, progress: Progress) -> Received:
        """Send `body`, and yield the head of the reply and then its body in pieces.

        Raises TimedOut if a step of `progress`, which must be `watched`, takes too long, and what
        `Client.receive` raises.
        """
        if self._started.acquire(blocking=False):
            self._watcher.start()
        self._running[id(progress)] = progress
        try:
            client = self._connecting if progress.must_connect else self._client
            with closing(client.receive(body, progress)) as received:
                yield from received
            progress.check()
        except LlmcliError:
            # After a timeout the error only says that the socket was shut down.
            progress.check()
            raise
        finally:
            del self._running[id(progress)]

    def _watch(self) -> None:
        never_set = threading.Event()
        while not never_set.wait(_PERIOD):
            for progress in list(self._running.values()):
                try:
                    progress.patience()
                except TimedOut as error:
                    progress.expire(error)
