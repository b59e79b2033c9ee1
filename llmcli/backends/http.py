"""The endpoint over HTTP: POST, and the reply as chunks. The one place that imports requests.

No redirect is followed (it would turn the POST into a GET, or send the prompt elsewhere), no
compression is asked for (a truncated gzip body raises nothing), and the key is given as an auth
object, since requests replaces a plain Authorization header by what ~/.netrc holds.
"""

import io
from collections.abc import Iterator, Mapping
from typing import Any

import requests

from .. import __version__
from ..dataclass import dataclass, field
from ..errors import AuthError, LlmcliError
from ..keys import Key
from ..request import encode
from ..schema import ChatRequest, Chunk
from ..trace import Trace
from ..url import host_of, is_loopback
from . import Stream, http_errors, reply
from .progress import Progress
from .reply import Head
from .worker import Put, in_thread

_BLOCK = 65536


@dataclass(frozen=True)
class Endpoint:
    """Where to send and how. Timeouts are in seconds; `headers` are the user's own."""

    base_url: str
    key: Key | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    ca_file: str | None = None
    connect_timeout: float = 10.0
    idle_timeout: float = 60.0

    @property
    def url(self) -> str:
        return f"{self.base_url}/chat/completions"


class _Bearer(requests.auth.AuthBase):
    """Sets the key, or nothing, where requests would look into ~/.netrc."""

    def __init__(self, key: Key | None) -> None:
        self.key = key

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self.key:
            request.headers["Authorization"] = f"Bearer {self.key.value}"
        return request


def request_headers(endpoint: Endpoint) -> dict[str, str]:
    """What is sent beside the key."""
    return {
        "Content-Type": "application/json",
        "Accept": "text/event-stream, application/json",
        "Accept-Encoding": "identity",
        "User-Agent": f"llmcli/{__version__}",
        **endpoint.headers,
    }


def stream(endpoint: Endpoint, trace: Trace) -> Stream:
    """The backend for `endpoint`; each request is one attempt in `trace`."""

    def chunks(request: ChatRequest) -> Iterator[Chunk]:
        attempt = trace.begin_attempt()
        trace.log(f"POST {endpoint.url}, model {request.get('model')}")
        try:
            yield from _exchange(endpoint, request, trace, attempt)
        except AuthError as error:
            if error.status in (401, 403):  # a proxy's 407 is not about this key
                error.hint = _about_key(endpoint.key)
            raise

    return chunks


def _exchange(
    endpoint: Endpoint, request: ChatRequest, trace: Trace, attempt: dict[str, Any]
) -> Iterator[Chunk]:
    progress = _progress(endpoint, trace)
    try:
        head, blocks = _send("POST", endpoint.url, endpoint, encode(request), progress)
    finally:
        trace.sent = progress.sent
    headers = head.headers
    trace.request_id = headers.get("x-request-id") or headers.get("request-id")
    attempt["status"] = head.status
    trace.log(f"HTTP {head.status}, request id {trace.request_id or 'not given'}")
    reply.check_head(head, blocks, trace.redact)
    trace.stage("the answer is not complete")
    for chunk in reply.chunks(blocks, headers.get("content-type", ""), trace):
        progress.event()
        yield chunk
        progress.event()  # a reader of stdout that pauses is not the server's silence


def get_json(endpoint: Endpoint, path: str, trace: Trace) -> Any:
    """The JSON at `base_url` + path, with the same rules as a completion."""
    progress = _progress(endpoint, trace)
    head, blocks = _send("GET", endpoint.base_url + path, endpoint, None, progress)
    reply.check_head(head, blocks, trace.redact)
    return reply.parse(b"".join(reply.bounded(blocks)), trace.redact)


def _progress(endpoint: Endpoint, trace: Trace) -> Progress:
    host = host_of(endpoint.base_url)
    return Progress(host, endpoint.connect_timeout, endpoint.idle_timeout, trace.stage)


def _about_key(key: Key | None) -> str:
    if key is None:
        return "no key was sent: set LLMCLI_API_KEY, or see `llmcli config check`"
    return f"the key {key.fingerprint} from {key.source} was refused"


def _send(
    method: str, url: str, endpoint: Endpoint, body: bytes | None, progress: Progress
) -> tuple[Head, Iterator[bytes]]:
    """The head of the reply, and its body as it arrives."""

    def produce(put: Put[Head | bytes]) -> None:
        progress.begin()
        _receive(method, url, endpoint, body, put)

    received = in_thread(produce, progress.patience)
    head = next(received)
    assert isinstance(head, Head)
    return head, (block for block in received if isinstance(block, bytes))


def _receive(
    method: str, url: str, endpoint: Endpoint, body: bytes | None, put: Put[Head | bytes]
) -> None:
    """Runs in a thread of its own and hands on what comes."""
    with requests.Session() as session:
        try:
            response = session.request(
                method,
                url,
                # As a file it is sent in pieces, each within the timeout, not all within one.
                data=None if body is None else io.BytesIO(body),
                headers=request_headers(endpoint),
                auth=_Bearer(endpoint.key),
                stream=True,
                allow_redirects=False,
                timeout=(endpoint.connect_timeout, endpoint.idle_timeout),
                verify=endpoint.ca_file or None,
                # What is meant for this machine, and its key, goes through no proxy.
                proxies={"no_proxy": "*"} if is_loopback(url) else None,
            )
        except Exception as error:
            raise _fault(error, url, endpoint.idle_timeout) from error
        put(Head(response.status_code, response.headers))
        try:
            while block := response.raw.read1(_BLOCK, decode_content=False):
                if put(block):
                    return
        except Exception as error:
            raise http_errors.in_answer(error, endpoint.idle_timeout) from error


def _fault(error: Exception, url: str, idle_timeout: float) -> LlmcliError:
    if isinstance(error, LlmcliError):
        return error
    return http_errors.before_answer(error, host_of(url), idle_timeout)
