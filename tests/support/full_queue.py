"""A listener that neither accepts nor refuses a connection."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager


@contextmanager
def full_queue(host: str, port: int) -> Iterator[None]:
    """Listen at `host` and `port` with a full queue: what is sent there is swallowed."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind((host, port))
        listener.listen(0)
        for _ in range(4):
            client = stack.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(listener.getsockname())
        yield
