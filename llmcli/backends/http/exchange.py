"""One request on a connection of its own, by requests, for any method and path of an endpoint."""

import json
from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import TYPE_CHECKING, Any, cast

from llmcli.api.trace import Trace
from llmcli.backends.http.endpoint import Endpoint
from llmcli.backends.http.reply import chunks
from llmcli.backends.http.reply.received import Head, Received
from llmcli.backends.http.timeouts import Progress
from llmcli.backends.thread import Put, in_thread
from llmcli.config.url import host_of, join
from llmcli.system.dataclass import replace

if TYPE_CHECKING:
    from llmcli.backends.http.upload import Upload


def exchange(
    endpoint: Endpoint, method: str, url: str, body: "bytes | Upload | None", progress: Progress
) -> Received:
    """Send a request, and yield the head and the body of the reply.

    Another thread connects and sends, since name resolution cannot be interrupted in the main
    thread; the body is read by the caller's thread, which can be interrupted there.
    """
    from llmcli.backends.http.by_requests import client  # noqa: PLC0415  # loads requests

    def begin(put: "Put[tuple[Head | bytes, Received]]") -> None:
        received = http.receive(body, progress)
        put((next(received), received))

    http = client.Client(endpoint, method, url)
    with closing(in_thread(begin, progress.patience)) as begun:
        head, received = next(begun)
    with closing(received):
        yield head
        yield from received


def receive(
    endpoint: Endpoint,
    method: str,
    path: str,
    trace: Trace,
    body: "bytes | Upload | None" = None,
    query: str = "",
) -> tuple[Mapping[str, str], Iterator[bytes]]:
    """Return the header fields of the reply to a request, and its body in pieces.

    `path` stands below the base URL, and `query` behind the query that this may have. Raises the
    same errors as a request for a completion; the body raises them where it breaks off.
    """
    url = join(endpoint.base_url, path)
    if query:
        url += ("&" if "?" in url else "?") + query
    host, limits = host_of(endpoint.base_url), (endpoint.connect_timeout, endpoint.idle_timeout)
    progress = Progress(host, *limits, trace.stage, trace.time_left)
    received = exchange(endpoint, method, url, body, progress)
    head = cast(Head, next(received))
    blocks = _alive(cast(Iterator[bytes], received), progress)
    chunks.check_head(head, blocks, trace.redact)
    return head.headers, blocks


def _alive(blocks: Iterator[bytes], progress: Progress) -> Iterator[bytes]:
    """Yield `blocks`; a long body is not silence, as long as some of it arrives."""
    for block in blocks:
        progress.mark_alive()
        yield block


def receive_json(
    endpoint: Endpoint,
    method: str,
    path: str,
    trace: Trace,
    body: "dict[str, Any] | Upload | None" = None,
    query: str = "",
) -> tuple[Mapping[str, str], dict[str, Any]]:
    """Return the header fields of the reply to a request, and the JSON object that it is.

    A `body` that is an object is sent as JSON. Raises what `receive` raises, and ProtocolError for
    a reply that is not a JSON object.
    """
    sent: bytes | Upload | None
    if isinstance(body, dict):
        sent = json.dumps(body).encode()
    else:
        sent = body
        if body is not None:
            headers = {**endpoint.headers, "Content-Type": body.content_type}
            endpoint = replace(endpoint, headers=headers)
    headers_of_reply, blocks = receive(endpoint, method, path, trace, sent, query)
    text = b"".join(chunks.bounded(blocks))
    return headers_of_reply, chunks.parse_object(text, trace.redact, may_be_cut=True)
