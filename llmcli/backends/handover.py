"""What went ahead, handed over to urllib3: it connects to what is connected, and of what it sends
only the rest is sent."""

from functools import partial
from typing import TYPE_CHECKING, Any

from urllib3.connection import HTTPConnection, HTTPSConnection

from .ahead import Ahead

if TYPE_CHECKING:
    _Base = HTTPConnection
else:
    _Base = object


class _Taken(_Base):
    def __init__(self, ahead: Ahead, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._ahead = ahead
        self._sent = memoryview(b"")

    def connect(self) -> None:
        connection = self._ahead.take()
        if connection is None:
            super().connect()
            return
        self.sock = connection
        self.is_verified = True
        self._sent = self._ahead.sent

    def send(self, data: Any) -> None:
        if self.sock is None:
            self.connect()
        count = min(len(data), len(self._sent))
        if self._sent[:count] != data[:count]:
            # Not foreseen: it goes as requests has it, on a connection of its own.
            self.sock.close()
            self._sent, count = memoryview(b""), 0
            super().connect()
        self._sent = self._sent[count:]
        if count < len(data):
            super().send(data[count:])


class _Http(_Taken, HTTPConnection):
    pass


class _Https(_Taken, HTTPSConnection):
    pass


def adopt(pool: Any, ahead: Ahead) -> None:
    """The next connection of urllib3's `pool` is that on which `ahead` was sent."""
    https = issubclass(pool.ConnectionCls, HTTPSConnection)
    pool.ConnectionCls = partial(_Https if https else _Http, ahead)
