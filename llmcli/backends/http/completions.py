"""The endpoint over HTTP as a backend: POST, and the reply as chunks."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import TYPE_CHECKING, Any, cast

from llmcli.api.request import encode
from llmcli.api.trace import Trace
from llmcli.api.types import ChatRequest, Chunk
from llmcli.backends.http.early import Ahead, plain
from llmcli.backends.http.endpoint import Endpoint
from llmcli.backends.http.timeouts import Progress
from llmcli.backends.stream import Stream
from llmcli.backends.thread import Put, in_thread
from llmcli.config.keys import Key
from llmcli.config.url import host_of
from llmcli.errors import AuthError
from llmcli.system.short_ways import is_on

if TYPE_CHECKING:
    from llmcli.backends.http.client import Received
    from llmcli.backends.http.pool import Pool  # only for many requests
    from llmcli.backends.http.reply import Head


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
                raise error.replaced(hint=_about_key(endpoint.key)) from None
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
    if pool:
        received = pool.receive(body, progress)
    else:
        received = _send(endpoint, "POST", endpoint.url, body, progress)
    with closing(received):
        try:
            head = _head(received)
        finally:
            trace.sent = progress.sent
        from llmcli.backends.http import reply

        headers = head.headers
        trace.request_id = _request_id(headers, trace)
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
    received = _send(endpoint, "GET", endpoint.base_url + path, None, progress)
    from llmcli.backends.http import reply

    head, blocks = _head(received), cast(Iterator[bytes], received)
    reply.check_head(head, blocks, trace.redact)
    return reply.parse_object(b"".join(reply.bounded(blocks)), trace.redact)


def _head(received: "Received") -> "Head":
    return cast("Head", next(received))


def _progress(endpoint: Endpoint, trace: Trace) -> Progress:
    host = host_of(endpoint.base_url)
    limits = endpoint.connect_timeout, endpoint.idle_timeout
    return Progress(host, *limits, trace.stage, trace.time_left)


def _request_id(headers: Mapping[str, str], trace: Trace) -> str | None:
    given = headers.get("x-request-id") or headers.get("request-id")
    return trace.redact(given) if given else None


def _about_key(key: Key | None) -> str:
    if key is None:
        return "no key was sent: set LLMCLI_API_KEY, or see `llmcli config check`"
    return f"the key {key.fingerprint} from {key.source} was refused"


def _send(
    endpoint: Endpoint, method: str, url: str, body: bytes | None, progress: Progress
) -> "Received":
    """On a connection of its own. It is begun in a thread of its own, as name resolution cannot be
    interrupted; waiting for the rest can, here in the thread that goes on with it."""
    goes = is_on("early-request") and body is not None and not _is_loaded() and plain(endpoint)
    ahead = Ahead(endpoint, body or b"", progress) if goes else None
    from llmcli.backends.http import client, reply  # noqa: F401  # reply is needed next

    def begin(put: "Put[tuple[Head | bytes, Received]]") -> None:
        progress.begin()
        received = one.receive(body)
        put((next(received), received))

    one = client.Client(endpoint, method, url, ahead=ahead, check=progress.patience)
    if ahead and ahead.has_connected(progress.patience):
        yield from one.receive(body)
        return
    with closing(in_thread(begin, progress.patience)) as begun:
        head, received = next(begun)
    with closing(received):
        yield head
        yield from received


def _is_loaded() -> bool:
    return "llmcli.backends.http.client" in sys.modules
