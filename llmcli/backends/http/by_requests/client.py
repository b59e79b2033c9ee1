"""An HTTP client on top of requests: it sends a request and yields the reply.

- No redirect is followed: it would turn the POST into a GET, or send the prompt to another server.
- The key is given as an auth object, since requests replaces an Authorization header by the
  password that ~/.netrc has for the host.
"""

import io
from functools import cached_property
from typing import TYPE_CHECKING, Any

import requests
from requests.adapters import HTTPAdapter

from llmcli.backends.http import errors
from llmcli.backends.http.by_requests import connections
from llmcli.backends.http.by_requests import errors as errors_of_requests
from llmcli.backends.http.endpoint import Endpoint, request_headers, tls_context
from llmcli.backends.http.reply.received import Received, received
from llmcli.backends.http.timeouts import Progress
from llmcli.backends.http.wire import proxy, proxy_errors
from llmcli.config.url import host_of
from llmcli.errors import LlmcliError

if TYPE_CHECKING:
    import ssl

    from llmcli.backends.http.upload import Upload

# Seconds to wait, after the last event of an answer, for the bytes that end its framing.
_LAST_BYTES = 0.05


class _Credential(requests.auth.AuthBase):
    """Sets the header of the key; with any auth object requests does not read ~/.netrc."""

    def __init__(self, credential: tuple[str, str] | None) -> None:
        self.credential = credential

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self.credential:
            name, value = self.credential
            request.headers[name] = value
        return request


class Client:
    """A client for one method and URL, whose headers are prepared only once.

    `connections` is the number of connections that are kept open, for any number of threads; with 0
    a connection is dropped as soon as its answer is whole.
    """

    def __init__(self, endpoint: Endpoint, method: str, url: str, connections: int = 0) -> None:
        self._endpoint = endpoint
        self._method = method
        self._url = url
        self._connections = connections

    def receive(self, body: "bytes | Upload | None", progress: Progress) -> Received:
        """Send a request with `body` and yield the head of the reply, then its body in pieces.

        Raises an LlmcliError before the head if no reply begins, or after it if the reply breaks
        off; also what `progress` raises when that takes too long.
        """
        try:
            with progress.followed():
                answer = self._send(body)
        except Exception as error:
            raise self._fault(error) from error
        reply = answer.connection.reply
        try:
            if reply.status == 407 and self._proxy:
                raise proxy_errors.wants_password(self._proxy)
            yield from received(reply, self._endpoint.idle_timeout)
        finally:
            # The caller stops at the last event. A connection that is to be kept must be read to
            # the end of the body, or the next reply on it would begin with the rest of this one.
            if not (self._connections and (reply.isclosed() or _is_at_end(answer))):
                answer.close()
            answer.release_conn()

    def _send(self, body: "bytes | Upload | None") -> Any:
        """Send the request and return urllib3's response, whose head has been read."""
        request = requests.PreparedRequest()
        request.method, request.url = self._prepared.method, self._prepared.url
        # A plain dict, since each request needs a copy and requests' own is slow to make.
        request.headers = headers = {**self._headers}  # type: ignore[assignment]
        if body is not None:
            # http.client sends a file in pieces, so that the timeout is for each piece.
            sent = io.BytesIO(body) if isinstance(body, bytes) else body
            request.body = sent  # type: ignore[assignment]
            headers["Content-Length"] = str(len(body))
        return self._adapter.send(
            request,
            stream=True,
            timeout=(self._endpoint.connect_timeout, self._endpoint.idle_timeout),
            proxies={"all": self._proxy} if self._proxy else {},
        )

    @cached_property
    def _prepared(self) -> requests.PreparedRequest:
        with requests.Session() as session:
            session.trust_env = False
            session.headers.clear()
            return session.prepare_request(
                requests.Request(
                    self._method,
                    self._url,
                    headers=request_headers(self._endpoint),
                    auth=_Credential(self._endpoint.credential),
                )
            )

    @cached_property
    def _headers(self) -> dict[str, str]:
        return dict(self._prepared.headers)

    @cached_property
    def _proxy(self) -> str | None:
        return proxy.of_process(self._url)

    @cached_property
    def _adapter(self) -> HTTPAdapter:
        context = tls_context(self._endpoint) if self._url.startswith("https") else None
        adapter = _Adapter(context, self._connections or 1)
        adapter.ca_file = self._endpoint.ca_file
        return adapter

    def _fault(self, error: Exception) -> LlmcliError:
        if isinstance(error, LlmcliError):
            return error
        chain = list(errors.causes(error))
        target, idle = host_of(self._url), self._endpoint.idle_timeout
        if self._proxy and (of_proxy := errors_of_requests.of_proxy(chain, self._proxy, target)):
            return of_proxy
        return errors.before_answer(error, target, idle, errors_of_requests.ROWS)


def _is_at_end(answer: Any) -> bool:
    """Return True if the body ends within _LAST_BYTES, so that its connection can be kept."""
    connection = answer.connection
    try:
        patience = connection.sock.gettimeout()
        connection.sock.settimeout(_LAST_BYTES)
        ended = not connection.reply.read_block()
        connection.sock.settimeout(patience)  # for the next request
    except Exception:  # noqa: BLE001  # the answer is complete: only the connection is given up
        return False
    return ended


class _Adapter(HTTPAdapter):
    """The adapter of requests for one URL: one pool, and one TLS context for all connections."""

    # The authorities for a proxy that is reached by TLS.
    ca_file: str | None = None
    _pool: Any = None

    def __init__(self, context: "ssl.SSLContext | None", connections: int) -> None:
        self._context = context  # set first, as HTTPAdapter.__init__ calls init_poolmanager
        super().__init__(pool_maxsize=connections)

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        """Give the pools our TLS context and our connections."""
        super().init_poolmanager(*arguments, ssl_context=self._context, **options)
        self.poolmanager.pool_classes_by_scheme = connections.POOLS

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        """Give the connections through a proxy, and those to it, our TLS context."""
        from llmcli.backends.http.wire import tls  # noqa: PLC0415  # not for http://

        contexts = {"ssl_context": self._context}
        if proxy.lower().startswith("https"):  # the client's certificate is for the endpoint alone
            contexts["proxy_ssl_context"] = tls.context(self.ca_file)
        manager = super().proxy_manager_for(proxy, **contexts, **options)
        socks = proxy.lower().startswith("socks")
        manager.pool_classes_by_scheme = _socks_pools() if socks else connections.POOLS
        return manager

    def get_connection_with_tls_context(self, *arguments: Any, **options: Any) -> Any:
        """Return the pool of the URL, which is looked up only once."""
        if self._pool is None:
            self._pool = super().get_connection_with_tls_context(*arguments, **options)
        return self._pool

    def build_response(self, _request: Any, response: Any) -> Any:
        """Return urllib3's response as it is.

        What requests would add to it, such as cookies and history, is not used, and to make it
        takes longer than to read an event.
        """
        return response

    def cert_verify(self, *_arguments: Any, **_options: Any) -> None:
        """Do nothing: the TLS context verifies the server already."""


def _socks_pools() -> Any:
    from llmcli.backends.http.by_requests import socks  # noqa: PLC0415  # needs the extra `socks`

    return socks.POOLS
