"""The endpoint of the measurements, in a process of its own: it sends bytes that are ready."""

import asyncio
import json
import re
import ssl
import sys
import time

from tests.benchmarks import replies
from tests.benchmarks.replies import Plan

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_STREAM = re.compile(rb'"stream": *true')


class _Connection(asyncio.Protocol):
    transport: asyncio.Transport
    requests = 0  # of all connections

    def __init__(self) -> None:
        self.received = b""
        self.writing: asyncio.Task[None] | None = None  # a loop holds its tasks weakly

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.received += data
        head, found, body = self.received.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        if found and len(body) >= (int(length[1]) if length else 0):
            self.received = b""
            self._answer(head.split(b" ", 2)[1].decode(), body)

    def _answer(self, path: str, body: bytes) -> None:
        if path == "/used":
            self._finish(b"HTTP/1.0 200 OK\r\n\r\n" + _used(), close=True)
            return
        _Connection.requests += 1
        plan = Plan.of(path)
        loop = asyncio.get_running_loop()
        if plan.gap:
            self.writing = loop.create_task(self._pace(plan))
            return
        reply = replies.streamed(plan) if _STREAM.search(body) else replies.whole(plan)
        if plan.wait:
            loop.call_later(plan.wait, self._finish, reply, plan.framing == "close")
        else:
            self._finish(reply, plan.framing == "close")

    def _finish(self, data: bytes, close: bool) -> None:
        self.transport.write(data)
        if close:
            self.transport.close()

    async def _pace(self, plan: Plan) -> None:
        await asyncio.sleep(plan.wait)
        for number, piece in enumerate(replies.paced(plan)):
            self.transport.write(piece)
            if (number + 1) * plan.burst < plan.events:
                await asyncio.sleep(plan.gap)
        if plan.framing == "close":
            self.transport.close()


def _used() -> bytes:
    return json.dumps({"cpu": time.process_time(), "requests": _Connection.requests}).encode()


async def _serve(certificate: str | None) -> None:
    tls = None
    if certificate:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(certificate)
    server = await asyncio.get_running_loop().create_server(
        _Connection, "127.0.0.1", 0, ssl=tls, backlog=4096
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1] if len(sys.argv) > 1 else None))
