"""An endpoint: its address, the headers that are sent to it, and how its certificate is checked."""

import os
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING

from llmcli import __version__
from llmcli.config.keys import Key
from llmcli.config.providers import AUTHORIZATION
from llmcli.config.url import join
from llmcli.errors import ConfigError
from llmcli.system.dataclass import dataclass, field

if TYPE_CHECKING:
    import ssl

_CHECK_BUNDLE = "check ca_file and REQUESTS_CA_BUNDLE"


@dataclass(frozen=True)
class Endpoint:
    """Where requests are sent, and how.

    `key_header` is the name of the header that carries the key. `headers` are those that the
    settings add. `ca_file` is the path of a CA bundle, or None for the
    usual one: see `tls_context`. Timeouts are in seconds: `connect_timeout` is for name resolution
    and connecting, `idle_timeout` for a silence of the server.
    """

    base_url: str
    key: Key | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    ca_file: str | None = None
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
    """Return a TLS context that verifies the server by the CA bundle that applies.

    That is `endpoint.ca_file`, else the file or directory that REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE
    names, else the bundle of certifi. Raises ConfigError if it does not exist or cannot be read.
    """
    variables = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
    named = (os.environ[name] for name in variables if os.environ.get(name))
    return _tls_context(endpoint.ca_file or next(named, None) or _own_bundle())


def _own_bundle() -> str:
    from certifi import where  # noqa: PLC0415  # only if no other bundle is named

    return where()


@cache
def _tls_context(path: str) -> "ssl.SSLContext":
    """Return the context for a CA bundle; it is kept, as loading it takes 30 ms."""
    import ssl  # noqa: PLC0415  # not for http://

    if not os.path.exists(path):
        raise ConfigError(f"the CA bundle {path} does not exist", hint=_CHECK_BUNDLE)
    cafile, capath = (None, path) if os.path.isdir(path) else (path, None)
    try:
        context = ssl.create_default_context(cafile=cafile, capath=capath)
    except OSError as error:
        reason = getattr(error, "reason", None) or error.strerror
        problem = f"cannot read CA certificates from {path}: {reason}"
        raise ConfigError(problem, hint=_CHECK_BUNDLE) from None
    # As urllib3 sets it on connecting; an early request connects without urllib3.
    context.set_alpn_protocols(["http/1.1"])
    return context
