"""Plain requests on connections that are kept, without requests and urllib3, for many threads.

A short way, for the requests that `plain.is_plain` knows: without it a record of `map` takes 1.5
times as much CPU time, by `python -m tests.benchmarks record`. It leans on no private names.
"""

import io
import select
import socket
import ssl
from collections import deque
from functools import lru_cache
from typing import Any

from llmcli.backends.http import errors
from llmcli.backends.http.endpoint import Endpoint
from llmcli.backends.http.plain import BLOCK, connected, request_head
from llmcli.backends.http.reply import plain_reply
from llmcli.backends.http.reply.plain_reply import PlainReply
from llmcli.backends.http.reply.received import Received, received
from llmcli.backends.http.reply.response import CheckedReader, Response
from llmcli.backends.http.timeouts import Progress
from llmcli.config.url import host_of
from llmcli.errors import LlmcliError

# Seconds to wait, after the last event of an answer, for the bytes that end its framing.
_LAST_BYTES = 0.05
# Lengths of bodies whose head is remembered: many records are of much the same length.
_HEADS = 1024


class _Reader(CheckedReader):
    """The raw stream of a connection; while it is `paused`, nothing seems to have arrived."""

    paused = False

    def readinto(self, buffer: Any) -> int | None:
        """Read into `buffer`, as CheckedReader does."""
        return None if self.paused else super().readinto(buffer)


class _Connection:
    """A connection, and the exchange on it."""

    def __init__(self, opened: socket.socket) -> None:
        self.socket = opened
        self.progress: Progress | None = None
        raw: Any = opened.makefile("rb", buffering=0)
        self._raw = _Reader(raw, self._check)
        self.reader: io.BufferedReader[Any] = io.BufferedReader(self._raw, BLOCK)
        self._poll = select.poll()
        self._poll.register(opened, select.POLLIN)

    def _check(self) -> None:
        assert self.progress is not None
        self.progress.check_read()

    @property
    def is_idle(self) -> bool:
        """Return whether nothing has come since the last reply: neither bytes nor the end."""
        self._raw.paused = True
        idle = not self.reader.peek(1) and not self._poll.poll(0)
        self._raw.paused = False
        return idle

    def send(self, data: bytes) -> None:
        """Send `data` in blocks, each of which may take as long as the timeout of the socket."""
        rest = memoryview(data)
        while rest:
            rest = rest[self.socket.send(rest[:BLOCK]) :]

    def close(self) -> None:
        self.reader.close()
        self.socket.close()


class KeptConnections:
    """Connections to one endpoint, of which at most `size` are kept open."""

    def __init__(self, endpoint: Endpoint, size: int) -> None:
        self._endpoint = endpoint
        # The one that was used last is used first, so that the others may end.
        self._idle: deque[_Connection] = deque(maxlen=size)
        self._head = lru_cache(_HEADS)(lambda length: request_head(endpoint, length))

    def receive(self, body: bytes, progress: Progress) -> Received:
        """Send a request with `body` and yield the head of the reply, then its body in pieces.

        Raises an LlmcliError before the head if no reply begins, or after it if the reply breaks
        off; also what `progress` raises when that takes too long.
        """
        connection = None
        try:
            connection = self._connection(progress)
            reply = self._begun(connection, body, progress)
        except BaseException as error:
            if connection:
                connection.close()
            if isinstance(error, LlmcliError) or not isinstance(error, Exception):
                raise
            target = host_of(self._endpoint.url)
            raise errors.before_answer(error, target, self._endpoint.idle_timeout) from error
        try:
            yield from received(reply, self._endpoint.idle_timeout)
        finally:
            self._give_back(connection, reply)

    def _connection(self, progress: Progress) -> _Connection:
        while self._idle:
            try:
                kept = self._idle.pop()
            except IndexError:  # another thread was faster
                break
            if kept.is_idle:
                return kept
            kept.close()
        opened = connected(self._endpoint, progress)
        opened.settimeout(self._endpoint.idle_timeout)
        return _Connection(opened)

    def _begun(
        self, connection: _Connection, body: bytes, progress: Progress
    ) -> PlainReply | Response:
        """Send the request and return the reply, whose head has been read."""
        connection.progress = progress
        progress.sending(connection.socket)
        broken: Exception | None = None
        try:
            connection.send(self._head(len(body)) + body)
        except (ConnectionError, ssl.SSLError) as error:
            broken = error
        try:
            return plain_reply.begun(connection.reader, progress)
        except OSError as error:
            # A server that does not read to the end may have answered before it closed the
            # connection, by TLS as well: see `plain`.
            if broken is None or "ALERT" in str(error):
                raise
            raise BrokenPipeError() from broken

    def _give_back(self, connection: _Connection, reply: PlainReply | Response) -> None:
        """Keep the connection, if it can have another reply behind this one, or close it.

        The caller stops at the last event; behind that the end of the body must be read.
        """
        if isinstance(reply, PlainReply) and reply.keeps_connection:
            try:
                if not reply.is_at_end:
                    connection.socket.settimeout(_LAST_BYTES)
                    reply.read_block()
                    connection.socket.settimeout(self._endpoint.idle_timeout)
            except Exception:  # noqa: BLE001  # the answer is complete: only the connection is given up
                pass
            if reply.is_at_end and len(self._idle) < (self._idle.maxlen or 0):
                self._idle.append(connection)
                return
        connection.close()
