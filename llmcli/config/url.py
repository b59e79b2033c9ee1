"""Base URLs of endpoints: how they are checked and compared."""

import ipaddress
from urllib.parse import urlsplit

from llmcli.errors import ConfigError

# The port of each scheme where a URL names none.
PORTS = {"http": 80, "https": 443}


def check_base_url(base_url: str) -> str:
    """Return `base_url` without surrounding white space, last slash and `/chat/completions`.

    Raises ConfigError for what is not an http or https URL with a valid host, and for a URL with
    credentials, a query or a fragment.
    """
    try:
        parts = urlsplit(base_url.strip())
        port_ok = parts.port != 0
        host = parts.hostname or ""
    except ValueError as error:
        if "@" in base_url:  # the error may quote a part of a password as the port
            raise _credentials() from None
        raise ConfigError(f"base_url {_shown(base_url)} is not a URL: {error}") from None
    if parts.scheme not in ("http", "https"):
        raise ConfigError(f"base_url {_shown(base_url)} must begin with https:// or http://")
    if "@" in parts.netloc:
        raise _credentials()
    # Python's IDNA codec raises UnicodeError, deep in the connection, for an empty label or one
    # of more than 63 characters (RFC 1035, section 2.3.4).
    labels = host.removesuffix(".").split(".")
    if not host or not port_ok or not all(0 < len(label) <= 63 for label in labels):
        raise ConfigError(f"base_url {_shown(base_url)} has no valid host and port")
    if any(character.isspace() for character in base_url.strip()):
        raise ConfigError(f"base_url {_shown(base_url)} must not contain white space")
    if parts.query or parts.fragment:
        raise ConfigError("base_url must not hold a query or a fragment")
    path = parts.path.rstrip("/").removesuffix("/chat/completions")
    return f"{parts.scheme}://{parts.netloc}{path}"


def _credentials() -> ConfigError:
    return ConfigError("base_url must not hold credentials", hint="use LLMCLI_API_KEY")


def _shown(base_url: str) -> str:
    """Return `base_url` for a message: without what stands before an `@`, a possible password."""
    return repr(base_url.rpartition("@")[2][:200])


def origin(url: str) -> tuple[str, str, int]:
    """Return the origin of `url`, as RFC 6454 defines it: scheme, host in lower case, and port.

    Two URLs with the same origin are the same server, so a key for one may be sent to the other.
    """
    parts = urlsplit(url)
    return (
        parts.scheme,
        parts.hostname or "",
        parts.port or PORTS.get(parts.scheme, 80),
    )


def host_of(url: str) -> str:
    """Return the host of `url` with its port, where one is written: `example.org:8080`."""
    return urlsplit(url).netloc


def is_loopback(url: str) -> bool:
    """Return whether the host of `url` is this machine itself, so that nothing leaves it.

    It is for 127.0.0.0/8, ::1, `localhost` and the names below `.localhost` (RFC 6761, 6.3).
    """
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
