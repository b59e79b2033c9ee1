"""The least that a reader of a stream in Python does: a socket, lines, JSON, and a write for each
block that comes. There is no check in it, no error, no money and no package, unless
`with-sseclient` has it parse by sseclient-py. With `unread` it does not even look for the text.
"""

import json
import os
import socket
import sys
from collections.abc import Callable
from urllib.parse import urlsplit


def main(url: str, body: bytes, how: str) -> None:
    at = urlsplit(url)
    with socket.create_connection((at.hostname or "", at.port or 80)) as connection:
        head = f"POST {at.path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
        connection.sendall(head.encode() + body)
        if how == "unread":
            _pass_on(connection)
        else:
            _relay(connection, _by_sseclient if how == "with-sseclient" else _by_lines)


def _pass_on(connection: socket.socket) -> None:
    while block := connection.recv(65536):
        os.write(1, block)
        if b"[DONE]" in block:
            return


def _relay(connection: socket.socket, events: Callable[[bytes], list[bytes | str]]) -> None:
    rest = b""
    while block := connection.recv(65536):
        whole, found, rest = (rest + block).rpartition(b"\n\n")
        texts = [_text(data) for data in events(whole)] if found else []
        os.write(1, "".join(texts).encode())
        if b"[DONE]" in whole:
            return


def _by_lines(block: bytes) -> list[bytes | str]:
    return [line[6:] for line in block.splitlines() if line.startswith(b"data: {")]


def _by_sseclient(block: bytes) -> list[bytes | str]:
    from sseclient import SSEClient

    # The sizes of chunks are fields that it does not know.
    return [e.data for e in SSEClient(iter((block,))).events() if e.data.startswith("{")]


def _text(data: bytes | str) -> str:
    delta = json.loads(data)["choices"][0]["delta"]
    return delta.get("content") or ""


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2].encode(), "".join(sys.argv[3:]))
