"""HTTP through requests, the one place that imports it: a request goes out, a reply comes in.

No redirect is followed (it would turn the POST into a GET, or send the prompt elsewhere), no
compression is asked for (a truncated gzip body raises nothing), and the key is given as an auth
object, since requests replaces a plain Authorization header by what ~/.netrc holds.
"""

import io
from collections.abc import Callable, Generator
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import requests
from requests.adapters import HTTPAdapter

from llmcli.backends.http import connections, errors
from llmcli.backends.http.body import Check, blocks, ends
from llmcli.backends.http.early import Ahead
from llmcli.backends.http.endpoint import Endpoint, request_headers, tls_context
from llmcli.backends.http.reply import Head
from llmcli.config.keys import Key
from llmcli.config.url import host_of, is_loopback
from llmcli.errors import LlmcliError

if TYPE_CHECKING:
    import ssl

# What may still come after the end of an answer, in seconds: the end of its framing.
_LAST_BYTES = 0.05

# The head of a reply, then its body as it arrives.
Received = Generator[Head | bytes, None, None]


class _Bearer(requests.auth.AuthBase):
    """Sets the key, or nothing, where requests would look into ~/.netrc."""

    def __init__(self, key: Key | None) -> None:
        self.key = key

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self.key:
            request.headers["Authorization"] = f"Bearer {self.key.value}"
        return request


class Client:
    """Requests to one URL, prepared once. `connections` are kept, for any number of threads; with
    none each is left as soon as its answer is whole. `ahead`: the request, which was sent; `check`
    is called before each read, and raises what is to end it."""

    def __init__(
        self,
        endpoint: Endpoint,
        method: str,
        url: str,
        connections: int = 0,
        ahead: Ahead | None = None,
        check: Check = bool,
    ) -> None:
        self._endpoint = endpoint
        self._method = method
        self._url = url
        self._connections = connections
        self._ahead = ahead
        self._check = check

    def receive(self, body: bytes | None) -> Received:
        """Raises LlmcliError, before the head or after; also what `check` raises."""
        idle_timeout = self._endpoint.idle_timeout
        try:
            response = self._send(body)
        except Exception as error:
            raise self._fault(error) from error
        whole = False
        try:
            yield Head(response.status, response.headers)
            try:
                yield from blocks(response._fp)
            except LlmcliError:
                raise
            except Exception as error:
                raise errors.in_answer(error, idle_timeout) from error
            whole = True
        finally:
            if not whole and not (self._connections and _ends(response)):
                response.close()
            response.release_conn()

    def _send(self, body: bytes | None) -> Any:
        """A response of urllib3."""
        request = requests.PreparedRequest()
        request.method, request.url = self._prepared.method, self._prepared.url
        request.headers = headers = {**self._headers}  # type: ignore[assignment]
        if body is not None:
            # As a file it is sent in pieces, each within the timeout, not all within one.
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
                    auth=_Bearer(self._endpoint.key),
                )
            )

    @cached_property
    def _headers(self) -> dict[str, str]:
        return dict(self._prepared.headers)

    @cached_property
    def _environment(self) -> dict[str, Any]:
        """Proxies, as the variables of requests say."""
        # What is meant for this machine, and its key, goes through no proxy.
        proxies = {"no_proxy": "*"} if is_loopback(self._url) else {}
        with requests.Session() as session:
            return dict(session.merge_environment_settings(
                self._prepared.url or self._url, proxies, True, None, None
            ))  # fmt: skip

    @cached_property
    def _adapter(self) -> HTTPAdapter:
        secure = self._url.startswith("https")
        context = tls_context(self._endpoint) if secure else None
        use = partial(connections.use, check=self._check, patience=self._endpoint.idle_timeout)
        return _Adapter(context, self._connections or 1, self._ahead, use)

    def _fault(self, error: Exception) -> LlmcliError:
        if isinstance(error, LlmcliError):
            return error
        return errors.before_answer(error, host_of(self._url), self._endpoint.idle_timeout)


def _ends(response: Any) -> bool:
    """Of a reply that is left before its end: whether that comes at once, or the connection is
    lost."""
    try:
        connection = response.connection.sock
        patience = connection.gettimeout()
        connection.settimeout(_LAST_BYTES)
        ended = ends(response._fp)
        connection.settimeout(patience)  # for the next request
    except Exception:
        return False
    return ended


class _Adapter(HTTPAdapter):
    """For one URL: one TLS context for all connections, and for one that went `ahead`."""

    _pool: Any = None

    def __init__(
        self,
        context: "ssl.SSLContext | None",
        connections: int,
        ahead: Ahead | None,
        use: Callable[[Any, Ahead | None], None],
    ) -> None:
        self._context = context
        self._ahead = ahead
        self._use = use
        super().__init__(pool_maxsize=connections)

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        super().init_poolmanager(*arguments, ssl_context=self._context, **options)

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        contexts = {"ssl_context": self._context}
        if not proxy.lower().startswith("socks"):  # which is reached without TLS
            contexts["proxy_ssl_context"] = self._context
        return super().proxy_manager_for(proxy, **contexts, **options)

    def get_connection_with_tls_context(self, *arguments: Any, **options: Any) -> Any:
        if self._pool is None:
            pool: Any = super().get_connection_with_tls_context(*arguments, **options)
            self._use(pool, self._ahead if pool.proxy is None else None)
            self._pool = pool
        return self._pool

    def build_response(self, _request: Any, response: Any) -> Any:
        """As it is: what requests makes of it (cookies, history, encoding) takes longer than an
        event, and nobody looks at it."""
        return response

    def cert_verify(self, *_arguments: Any, **_options: Any) -> None:
        """The context verifies, and has its CA bundle."""
