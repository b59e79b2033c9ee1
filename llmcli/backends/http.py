"""The endpoint over HTTP: POST, and the reply as chunks. The one place that imports requests.

No redirect is followed (it would turn the POST into a GET, or send the prompt elsewhere), no
compression is asked for (a truncated gzip body raises nothing), and the key is given as an auth
object, since requests replaces a plain Authorization header by what ~/.netrc holds.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import requests

from .. import __version__, api_errors
from ..errors import ConfigError, LlmcliError, ProtocolError
from ..keys import Key
from ..request import encode
from ..schema import DONE, ChatRequest, Chunk
from ..terminal import one_line
from ..trace import Trace
from ..url import host_of
from . import Stream, http_errors, sse
from .worker import Put, in_thread

_BLOCK = 65536
_ERROR_BODY = 65536
_EVENT_START = (b"data", b"event", b"id", b"retry", b":")


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


@dataclass(frozen=True)
class Head:
    status: int
    headers: Mapping[str, str]


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
        trace.stage(f"waiting for {host_of(endpoint.base_url)}")
        head, blocks = _send("POST", endpoint.url, endpoint, encode(request))
        headers = head.headers
        trace.request_id = headers.get("x-request-id") or headers.get("request-id")
        attempt["status"] = head.status
        trace.log(f"HTTP {head.status}, request id {trace.request_id or 'not given'}")
        trace.stage("receiving the answer")
        _check_head(head, blocks)
        yield from _read(blocks, headers.get("content-type", ""))

    return chunks


def get_json(endpoint: Endpoint, path: str) -> Any:
    """The JSON at `base_url` + path, with the same rules as a completion."""
    head, blocks = _send("GET", endpoint.base_url + path, endpoint, None)
    _check_head(head, blocks)
    return _parse(b"".join(_bounded(blocks)))


def _send(
    method: str, url: str, endpoint: Endpoint, body: bytes | None
) -> tuple[Head, Iterator[bytes]]:
    """The head of the reply, and its body as it arrives."""

    def produce(put: Put[Head | bytes]) -> None:
        _exchange(method, url, endpoint, body, put)

    received = in_thread(produce)
    head = next(received)
    assert isinstance(head, Head)
    return head, (block for block in received if isinstance(block, bytes))


def _exchange(
    method: str, url: str, endpoint: Endpoint, body: bytes | None, put: Put[Head | bytes]
) -> None:
    """Runs in a thread of its own and hands on what comes."""
    target = host_of(url)
    with requests.Session() as session:
        try:
            response = session.request(
                method,
                url,
                data=body,
                headers=request_headers(endpoint),
                auth=_Bearer(endpoint.key),
                stream=True,
                allow_redirects=False,
                timeout=(endpoint.connect_timeout, endpoint.idle_timeout),
                verify=endpoint.ca_file or None,
            )
        except Exception as error:
            if isinstance(error, LlmcliError):
                raise
            raise http_errors.before_answer(error, target, endpoint.idle_timeout) from error
        put(Head(response.status_code, response.headers))
        try:
            while block := response.raw.read1(_BLOCK, decode_content=False):
                if put(block):
                    return
        except Exception as error:
            raise http_errors.in_answer(error, endpoint.idle_timeout) from error


def _check_head(head: Head, blocks: Iterator[bytes]) -> None:
    """Raises unless the reply is one to be read as an answer."""
    if 300 <= head.status < 400:
        raise ProtocolError(
            f"redirect to {one_line(head.headers.get('location', 'nowhere'), 200)} refused",
            hint="set base_url to where the endpoint really is",
            status=head.status,
        )
    encoding = head.headers.get("content-encoding", "identity")
    if encoding.lower() not in ("identity", ""):
        raise ProtocolError(f"content-encoding {one_line(encoding, 40)} was not asked for")
    if not 200 <= head.status < 300:
        body = b""
        try:
            while len(body) < _ERROR_BODY and (block := next(blocks, b"")):
                body += block
        except LlmcliError:
            pass  # the status says enough
        raise api_errors.from_response(head.status, head.headers, body)


def _read(blocks: Iterator[bytes], content_type: str) -> Iterator[Chunk]:
    """Events or one JSON object: decided by what came, not by what was asked for."""
    start = b""
    for block in blocks:
        start += block
        if len(start.lstrip()) >= 5:
            break
    text = start.removeprefix(b"\xef\xbb\xbf").lstrip()
    kind = content_type.partition(";")[0].strip().lower()
    rest = _chain(start, blocks)
    if text[:1] in (b"{", b"["):
        yield from _whole(rest)
    elif kind == "text/event-stream" or text.startswith(_EVENT_START):
        yield from _events(rest)
    else:
        got = (kind or "no content type") if text else "an empty body"
        raise ProtocolError(
            f"expected text/event-stream, got {one_line(got, 80)}", hint="check base_url"
        )


def _chain(start: bytes, blocks: Iterator[bytes]) -> Iterator[bytes]:
    yield start
    yield from blocks


def _whole(blocks: Iterator[bytes]) -> Iterator[Chunk]:
    value = _parse(b"".join(_bounded(blocks)))
    inner = value.get("data")
    body = inner if isinstance(inner, dict) else value
    if "choices" not in body and api_errors.read(value) is None:
        raise ProtocolError("the reply is JSON but no completion", hint="check base_url")
    yield value
    yield DONE


def _bounded(blocks: Iterable[bytes]) -> Iterator[bytes]:
    size = 0
    for block in blocks:
        size += len(block)
        if size > sse.MAX_EVENT_BYTES:
            raise ProtocolError(f"a reply longer than {sse.MAX_EVENT_BYTES // 2**20} MiB")
        yield block


def _events(blocks: Iterator[bytes]) -> Iterator[Chunk]:
    for event in sse.events(blocks):
        if event.data.strip() == "[DONE]":
            yield DONE
            return
        yield _error_event(event.data) if event.event == "error" else _parse(event.data)


def _error_event(data: str) -> Chunk:
    """An event named `error` is one even if its data is plain text or has no `error` key."""
    try:
        value = json.loads(data)
    except ValueError:
        value = data
    return value if isinstance(value, dict) and value.get("error") else {"error": value}


def _parse(text: str | bytes) -> dict[str, Any]:
    """A JSON object; NaN and Infinity, which are no JSON, become null."""
    try:
        text = text if isinstance(text, str) else text.decode("utf-8-sig", "replace")
        value = json.loads(text, parse_constant=lambda _: None)
    except RecursionError:
        raise ProtocolError("a reply is nested too deeply") from None
    except ValueError:
        raise ProtocolError(f"a reply is not JSON: {one_line(str(text), 80)}") from None
    if not isinstance(value, dict):
        raise ProtocolError(f"a reply is a {type(value).__name__}, not an object")
    return value


def check_headers(headers: Mapping[str, str]) -> None:
    """Raises ConfigError for a header that could smuggle in another."""
    for name, value in headers.items():
        if not name or not all("!" <= c <= "~" and c not in '()<>@,;:\\"/[]?={}' for c in name):
            raise ConfigError(f"{name!r} is no header name")
        if any(c in "\r\n\0" or ord(c) > 255 for c in value) or value != value.strip():
            raise ConfigError(f"the value of header {name} has a character that cannot be sent")
