"""The endpoint over HTTP as a backend: POST, and the reply as chunks."""

from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING, Any, cast

from ..errors import AuthError
from ..keys import Key
from ..request import encode
from ..schema import ChatRequest, Chunk
from ..trace import Trace
from ..url import host_of
from . import Stream, reply
from .client import Client, Endpoint, Received
from .progress import Progress
from .reply import Head
from .worker import Put, in_thread

if TYPE_CHECKING:
    from .pool import Pool  # only for many requests


def stream(endpoint: Endpoint, trace: Trace, pool: "Pool | None" = None) -> Stream:
    """The backend for `endpoint`; each request is one attempt in `trace`.

    With a `pool` the calling thread itself waits for the endpoint, on a connection of the pool;
    without, a thread of its own does, so that signals and deadlines never wait for it."""

    def chunks(request: ChatRequest) -> Iterator[list[Chunk]]:
        attempt = trace.begin_attempt()
        trace.log(f"POST {endpoint.url}, model {request.get('model')}")
        try:
            yield from _exchange(endpoint, request, trace, attempt, pool)
        except AuthError as error:
            if error.status in (401, 403):  # a proxy's 407 is not about this key
                error.hint = _about_key(endpoint.key)
            raise

    return chunks


def _exchange(
    endpoint: Endpoint,
    request: ChatRequest,
    trace: Trace,
    attempt: dict[str, Any],
    pool: "Pool | None",
) -> Iterator[list[Chunk]]:
    progress = _progress(endpoint, trace)
    body = encode(request)
    received = pool.receive(body, progress) if pool else _send(endpoint, "POST", body, progress)
    with closing(received):
        try:
            head = _head(received)
        finally:
            trace.sent = progress.sent
        headers = head.headers
        trace.request_id = headers.get("x-request-id") or headers.get("request-id")
        attempt["status"] = head.status
        trace.log(f"HTTP {head.status}, request id {trace.request_id or 'not given'}")
        blocks = cast(Iterator[bytes], received)
        reply.check_head(head, blocks, trace.redact)
        trace.stage("the answer is not complete")
        for batch in reply.chunks(blocks, headers.get("content-type", ""), trace):
            progress.event()
            yield batch
            progress.event()  # a reader of stdout that pauses is not the server's silence


def get_json(endpoint: Endpoint, path: str, trace: Trace) -> Any:
    """The JSON at `base_url` + path, with the same rules as a completion."""
    progress = _progress(endpoint, trace)
    received = _send(endpoint, "GET", None, progress, endpoint.base_url + path)
    head, blocks = _head(received), cast(Iterator[bytes], received)
    reply.check_head(head, blocks, trace.redact)
    return reply.parse(b"".join(reply.bounded(blocks)), trace.redact)


def _head(received: Received) -> Head:
    head = next(received)
    assert isinstance(head, Head)
    return head


def _progress(endpoint: Endpoint, trace: Trace) -> Progress:
    host = host_of(endpoint.base_url)
    limits = endpoint.connect_timeout, endpoint.idle_timeout
    return Progress(host, *limits, trace.stage, trace.time_left)


def _about_key(key: Key | None) -> str:
    if key is None:
        return "no key was sent: set LLMCLI_API_KEY, or see `llmcli config check`"
    return f"the key {key.fingerprint} from {key.source} was refused"


def _send(
    endpoint: Endpoint, method: str, body: bytes | None, progress: Progress, url: str = ""
) -> Received:
    """On a connection of its own. It is begun in a thread of its own, as name resolution cannot be
    interrupted; waiting for the rest can, here in the thread that goes on with it."""

    def begin(put: Put[tuple[Head | bytes, Received]]) -> None:
        progress.begin()
        received = Client(endpoint, method, url or endpoint.url).receive(body, progress.patience)
        put((next(received), received))

    with closing(in_thread(begin, progress.patience)) as begun:
        head, received = next(begun)
    with closing(received):
        yield head
        yield from received
