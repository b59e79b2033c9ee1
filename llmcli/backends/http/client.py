"""An HTTP client on top of requests: it sends a request and yields the reply.

- No redirect is followed: it would turn the POST into a GET, or send the prompt to another server.
- The key is given as an auth object, since requests replaces an Authorization header by the
  password that ~/.netrc has for the host.
"""

import io
from collections.abc import Callable, Generator
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import requests
from requests.adapters import HTTPAdapter

from llmcli.backends.http import connections, errors
from llmcli.backends.http.body import Check, blocks, reaches_end
from llmcli.backends.http.early import EarlyRequest
from llmcli.backends.http.endpoint import Endpoint, request_headers, tls_context
from llmcli.backends.http.reply import Head
from llmcli.config.url import host_of, is_loopback
from llmcli.errors import LlmcliError

if TYPE_CHECKING:
    import ssl

# Seconds to wait, after the last event of an answer, for the bytes that end its framing.
_LAST_BYTES = 0.05

# Yields the head of a reply, then its body in pieces as they arrive.
Received = Generator[Head | bytes, None, None]


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
    a connection is dropped as soon as its answer is whole. `early` is the same request, if it was
    sent early. `check` is called before each read, and raises the error that is to end it; by
    default it does nothing.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        method: str,
        url: str,
        connections: int = 0,
        early: EarlyRequest | None = None,
        check: Check = bool,
    ) -> None:
        self._endpoint = endpoint
        self._method = method
        self._url = url
        self._connections = connections
        self._early = early
        self._check = check

    def receive(self, body: bytes | None) -> Received:
        """Send a request with `body` and yield the head of the reply, then its body in pieces.

        Raises an LlmcliError before the head if no reply begins, or after it if the reply breaks
        off; also what `check` raises.
        """
        idle_timeout = self._endpoint.idle_timeout
        try:
            response = self._send(body)
        except Exception as error:
            raise self._fault(error) from error
        whole = False
        try:
            yield Head(response.status, response.headers)
            try:
                yield from blocks(_http_response(response))
            except LlmcliError:
                raise
            except Exception as error:
                raise errors.in_answer(error, idle_timeout) from error
            whole = True
        finally:
            # The caller stops at the last event. A connection that is to be kept must be read to
            # the end of the body, or the next reply on it would begin with the rest of this one.
            if not whole and not (self._connections and _is_at_end(response)):
                response.close()
            response.release_conn()

    def _send(self, body: bytes | None) -> Any:
        """Send the request and return urllib3's response, whose head has been read."""
        request = requests.PreparedRequest()
        request.method, request.url = self._prepared.method, self._prepared.url
        # A plain dict, since each request needs a copy and requests' own is slow to make.
        request.headers = headers = {**self._headers}  # type: ignore[assignment]
        if body is not None:
            # http.client sends a file in pieces, so that the timeout is for each piece.
            request.body = io.BytesIO(body)  # type: ignore[assignment]
            headers["Content-Length"] = str(len(body))
        return self._adapter.send(
            request,
            stream=True,
            timeout=(self._endpoint.connect_timeout, self._endpoint.idle_timeout),
            proxies=self._environment["proxies"],
        )

    @cached_property
    def _prepared(self) -> requests.PreparedRequest:
        with requests.Session() as session:
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
    def _environment(self) -> dict[str, Any]:
        """Return the settings that requests reads from variables, such as HTTPS_PROXY."""
        # A request to this machine, and the key in it, must not leave it for a proxy.
        proxies = {"no_proxy": "*"} if is_loopback(self._url) else {}
        with requests.Session() as session:
            return dict(session.merge_environment_settings(
                self._prepared.url or self._url, proxies, True, None, None
            ))  # fmt: skip

    @cached_property
    def _adapter(self) -> HTTPAdapter:
        secure = self._url.startswith("https")
        context = tls_context(self._endpoint) if secure else None
        prepare = partial(
            connections.prepare_pool, check=self._check, patience=self._endpoint.idle_timeout
        )
        return _Adapter(context, self._connections or 1, self._early, prepare)

    def _fault(self, error: Exception) -> LlmcliError:
        if isinstance(error, LlmcliError):
            return error
        return errors.before_answer(error, host_of(self._url), self._endpoint.idle_timeout)


def _http_response(response: Any) -> Any:
    """Return the response of http.client that urllib3's response wraps."""
    return response._fp  # noqa: SLF001  # urllib3 has no public name for it


def _is_at_end(response: Any) -> bool:
    """Return True if the body ends within _LAST_BYTES, so that its connection can be kept."""
    try:
        connection = response.connection.sock
        patience = connection.gettimeout()
        connection.settimeout(_LAST_BYTES)
        ended = reaches_end(_http_response(response))
        connection.settimeout(patience)  # for the next request
    except Exception:  # noqa: BLE001  # the answer is complete: only the connection is given up
        return False
    return ended


class _Adapter(HTTPAdapter):
    """The adapter of requests for one URL: one pool, and one TLS context for all connections."""

    _pool: Any = None

    def __init__(
        self,
        context: "ssl.SSLContext | None",
        connections: int,
        early: EarlyRequest | None,
        prepare: Callable[[Any, EarlyRequest | None], None],
    ) -> None:
        # Set first, as HTTPAdapter.__init__ calls init_poolmanager.
        self._context = context
        self._early = early
        self._prepare = prepare
        super().__init__(pool_maxsize=connections)

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        """Give the connections our TLS context."""
        super().init_poolmanager(*arguments, ssl_context=self._context, **options)

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        """Give the connections through a proxy, and those to it, our TLS context."""
        contexts = {"ssl_context": self._context}
        if not proxy.lower().startswith("socks"):  # no TLS to a SOCKS proxy: it takes no context
            contexts["proxy_ssl_context"] = self._context
        return super().proxy_manager_for(proxy, **contexts, **options)

    def get_connection_with_tls_context(self, *arguments: Any, **options: Any) -> Any:
        """Return the pool of the URL, which is looked up and prepared only once."""
        if self._pool is None:
            pool: Any = super().get_connection_with_tls_context(*arguments, **options)
            self._prepare(pool, self._early if pool.proxy is None else None)
            self._pool = pool
        return self._pool

    def build_response(self, _request: Any, response: Any) -> Any:
        """Return urllib3's response as it is.

        What requests would add to it, such as cookies and history, is not used, and to make it
        takes longer than to read an event.
        """
        return response

    def cert_verify(self, *_arguments: Any, **_options: Any) -> None:
        """Do nothing: the TLS context verifies the server already."""
