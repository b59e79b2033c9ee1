"""Where a request goes, and what is sent beside the body."""

import os
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING

from llmcli import __version__
from llmcli.config.keys import Key
from llmcli.errors import ConfigError
from llmcli.system.dataclass import dataclass, field

if TYPE_CHECKING:
    import ssl


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


def request_headers(endpoint: Endpoint) -> dict[str, str]:
    """What is sent beside the key."""
    return {
        "Content-Type": "application/json",
        "Accept": "text/event-stream, application/json",
        "Accept-Encoding": "identity",
        "User-Agent": f"llmcli/{__version__}",
        **endpoint.headers,
    }


def tls_context(endpoint: Endpoint) -> "ssl.SSLContext":
    """With the CA bundle of the configuration, else that which the variables of requests name,
    else its own. Raises ConfigError."""
    variables = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
    named = (os.environ[name] for name in variables if os.environ.get(name))
    return _tls_context(endpoint.ca_file or next(named, None) or _own_bundle())


def _own_bundle() -> str:
    from certifi import where  # what requests takes

    return where()


@cache
def _tls_context(path: str) -> "ssl.SSLContext":
    """To load the CA bundle takes longer than all else."""
    import ssl

    if not os.path.exists(path):
        problem = f"Could not find a suitable TLS CA certificate bundle, invalid path: {path}"
        raise ConfigError(problem, hint="see ca_file and REQUESTS_CA_BUNDLE")
    cafile, capath = (None, path) if os.path.isdir(path) else (path, None)
    try:
        context = ssl.create_default_context(cafile=cafile, capath=capath)
    except OSError as error:
        reason = getattr(error, "reason", None) or error.strerror
        problem = f"no TLS CA certificates can be read from {path}: {reason}"
        raise ConfigError(problem, hint="see ca_file and REQUESTS_CA_BUNDLE") from None
    context.set_alpn_protocols(["http/1.1"])
    return context
