"""An endpoint: its address, the headers that are sent to it, and how its certificate is checked."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from llmcli import __version__
from llmcli.config.keys import Key
from llmcli.config.providers import AUTHORIZATION
from llmcli.config.url import join
from llmcli.system.dataclass import dataclass, field

if TYPE_CHECKING:
    import ssl


@dataclass(frozen=True)
class Endpoint:
    """Where requests are sent, and how.

    `headers` are those that the settings add. `ca_file` is the path of a CA bundle, or None for the
    usual one; `client_cert` and `client_key` are the paths of the client's certificate and its key:
    see `tls.context`. `key_header` is the name of the header that carries the key. Timeouts are in
    seconds: `connect_timeout` is for name resolution
    and connecting, `idle_timeout` for a silence of the server.
    """

    base_url: str
    key: Key | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    ca_file: str | None = None
    client_cert: str | None = None
    client_key: str | None = None
    connect_timeout: float = 10.0
    idle_timeout: float = 60.0
    key_header: str = AUTHORIZATION

    @property
    def url(self) -> str:
        """Return the URL of Chat Completions."""
        return join(self.base_url, "/chat/completions")

    @property
    def credential(self) -> tuple[str, str] | None:
        """Return the header that carries the key, and its value; None without a key."""
        if self.key is None:
            return None
        of_bearer = self.key_header == AUTHORIZATION
        return self.key_header, f"Bearer {self.key.value}" if of_bearer else self.key.value


def request_headers(endpoint: Endpoint) -> dict[str, str]:
    """Return all headers of a request but those for the key, the host and the length."""
    return {
        "Content-Type": "application/json",
        "Accept": "text/event-stream, application/json",
        # A compressed body that is cut off raises no error.
        "Accept-Encoding": "identity",
        "User-Agent": f"llmcli/{__version__}",
        **endpoint.headers,
    }


def tls_context(endpoint: Endpoint) -> "ssl.SSLContext":
    """Return the TLS context for the endpoint: see `tls.context`. Raises ConfigError."""
    from llmcli.backends.http.wire import tls  # noqa: PLC0415  # not for http://

    return tls.context(endpoint.ca_file, endpoint.client_cert, endpoint.client_key)
