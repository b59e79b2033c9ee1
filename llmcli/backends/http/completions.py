"""The backend for an endpoint: a POST to Chat Completions, whose reply becomes chunks."""

from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import TYPE_CHECKING, Any, cast

from llmcli.api.reply.cost import COST_HEADER
from llmcli.api.request import encode
from llmcli.api.trace import INCOMPLETE, Trace
from llmcli.api.types import ChatRequest, Chunk
from llmcli.backends.http.endpoint import Endpoint
from llmcli.backends.http.plain import PlainRequest, is_plain
from llmcli.backends.http.timeouts import Progress
from llmcli.backends.stream import Stream
from llmcli.config.headers import is_secret
from llmcli.config.url import host_of, join, shown
from llmcli.errors import AuthError, LlmcliError, NetworkError
from llmcli.system.short_ways import is_on

if TYPE_CHECKING:
    from llmcli.backends.http.by_requests.pool import Pool
    from llmcli.backends.http.reply.received import Head, Received


def stream(endpoint: Endpoint, trace: Trace, pool: "Pool | None" = None) -> Stream:
    """Return the stream of one call; each request is an attempt in `trace`.

    With a `pool` a request is sent on one of its connections, and the calling thread waits for the
    reply. Without one each request has a connection of its own, which another thread makes, so that
    signals and deadlines take effect at once. The stream raises the LlmcliError that fits.
    """

    def chunks(request: ChatRequest) -> Iterator[list[Chunk]]:
        attempt = trace.begin_attempt()
        trace.log(f"POST {shown(endpoint.url)}, model {request.get('model')}")
        try:
            yield from _exchange(endpoint, request, trace, attempt, pool)
        except LlmcliError as error:
            if trace.attempts[-1]["status"] is None:
                trace.attempts[-1]["status"] = error.status  # by which a proxy has refused it
            # A proxy's 407 is not about the key.
            if isinstance(error, AuthError) and error.status in (401, 403):
                raise error.replaced(hint=_about_credentials(endpoint)) from None
            raise

    return chunks


def _exchange(
    endpoint: Endpoint,
    request: ChatRequest,
    trace: Trace,
    attempt: dict[str, Any],
    pool: "Pool | None",
) -> Iterator[list[Chunk]]:
    body = encode(request)
    progress = _progress(endpoint, trace, watched=pool is not None)
    try:
        yield from _answer(endpoint, body, trace, attempt, pool, progress)
        return
    except NetworkError as error:
        if not progress.lost_a_race():
            raise
        # Said like any other attempt: a server that had read the request would answer twice.
        trace.failed(f"{error.message} on a connection that was kept open")
    again = trace.begin_attempt()
    # The other connections that are kept may have been closed as well.
    progress = _progress(endpoint, trace, watched=True, must_connect=True)
    yield from _answer(endpoint, body, trace, again, pool, progress)


def _answer(
    endpoint: Endpoint,
    body: bytes,
    trace: Trace,
    attempt: dict[str, Any],
    pool: "Pool | None",
    progress: Progress,
) -> Iterator[list[Chunk]]:
    if pool:
        received = pool.receive(body, progress)
    else:
        received = _send(endpoint, "POST", endpoint.url, body, progress)
    with closing(received):
        try:
            head = _head(received)
        finally:
            trace.sent = progress.sent
        from llmcli.backends.http.reply import chunks  # noqa: PLC0415  # after the request was sent

        if progress.closed_by(head.status):
            problem = f"{progress.target} closed the connection with HTTP {head.status}"
            raise NetworkError(problem, transient=True)
        headers = head.headers
        trace.request_id = _request_id(headers, trace)
        trace.response_cost = headers.get(COST_HEADER)
        attempt["status"] = head.status
        trace.log(f"HTTP {head.status}, request id {trace.request_id or 'not given'}")
        blocks = cast(Iterator[bytes], received)
        chunks.check_head(head, blocks, trace.redact)
        trace.stage(INCOMPLETE)
        for batch in chunks.chunks(blocks, headers.get("content-type", ""), trace):
            progress.mark_alive()
            yield batch
            # A reader of stdout that pauses does not count as silence of the server.
            progress.mark_alive()


def get_json(endpoint: Endpoint, path: str, trace: Trace) -> Any:
    """Return the JSON value at `path` below the base URL.

    Raises the same errors as a request for a completion.
    """
    progress = _progress(endpoint, trace)
    received = _send(endpoint, "GET", join(endpoint.base_url, path), None, progress)
    from llmcli.backends.http.reply import chunks  # noqa: PLC0415  # where a reply is read

    head, blocks = _head(received), cast(Iterator[bytes], received)
    chunks.check_head(head, blocks, trace.redact)
    return chunks.parse_value(b"".join(chunks.bounded(blocks)), trace.redact)


def _head(received: "Received") -> "Head":
    return cast("Head", next(received))


def _progress(
    endpoint: Endpoint, trace: Trace, *, watched: bool = False, must_connect: bool = False
) -> Progress:
    host = host_of(endpoint.base_url)
    limits = endpoint.connect_timeout, endpoint.idle_timeout
    return Progress(host, *limits, trace.stage, trace.time_left, watched, must_connect)


def _request_id(headers: Mapping[str, str], trace: Trace) -> str | None:
    given = headers.get("x-request-id") or headers.get("request-id")
    return trace.redact(given) if given else None


def _about_credentials(endpoint: Endpoint) -> str:
    """Return the hint for a status 401 or 403: which key or header was refused, if any was sent."""
    if endpoint.key:
        return f"the key {endpoint.key.fingerprint} from {endpoint.key.source} was refused"
    if secret := [name for name in endpoint.headers if is_secret(name)]:
        return f"no key was sent, only the header {' and '.join(secret)}"
    return "no key was sent: `llmcli config check` says where one would come from"


def _send(
    endpoint: Endpoint, method: str, url: str, body: bytes | None, progress: Progress
) -> "Received":
    """Send a request on a connection of its own, and yield the head and the body of the reply."""
    plain = None
    if body is not None and is_on("plain-request") and is_plain(endpoint):
        plain = PlainRequest(endpoint, body, progress)
    from llmcli.backends.http.reply import chunks  # noqa: F401, PLC0415  # loaded while the server works

    if plain:
        yield from plain.receive()
        return
    from llmcli.backends.http.exchange import exchange  # noqa: PLC0415  # loads requests

    yield from exchange(endpoint, method, url, body, progress)
