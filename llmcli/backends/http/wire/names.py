"""Name resolution that ends in time, in any thread.

getaddrinfo(3) has no time limit, and nothing can interrupt it. So it runs in a thread of its own,
which is left behind if it takes too long.
"""

import socket
from contextlib import closing
from typing import Any

from llmcli.backends.thread import Patience, Put, in_thread

# As socket.getaddrinfo returns them: family, type, protocol, canonical name, address.
Addresses = list[tuple[Any, ...]]


def addresses(host: str, port: int, patience: Patience) -> Addresses:
    """Return the addresses of `host` for TCP, in the order in which they are to be tried.

    `patience` returns the seconds that it may still take, and raises the error that ends it. Raises
    gaierror if the name cannot be resolved, UnicodeError if it is not a name.
    """
    # Bytes, since for a str Python would have to load the codec idna.
    name = host.encode() if host.isascii() else host.encode("idna")
    try:
        return _look_up(name, port, socket.AI_NUMERICHOST)  # an address, for which nobody is asked
    except socket.gaierror:
        pass

    def look_up(put: Put[Addresses]) -> None:
        put(_look_up(name, port, 0))

    with closing(in_thread(look_up, patience)) as found:
        return next(found)


def _look_up(name: bytes, port: int, flags: int) -> Addresses:
    return list(socket.getaddrinfo(name, port, type=socket.SOCK_STREAM, flags=flags))
