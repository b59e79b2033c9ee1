"""Base URLs: checked, and compared by origin."""

import ipaddress
from urllib.parse import urlsplit

from llmcli.errors import ConfigError

PORTS = {"http": 80, "https": 443}


def check_base_url(base_url: str) -> str:
    """`base_url` without a trailing slash. Raises ConfigError for what cannot be one."""
    try:
        parts = urlsplit(base_url.strip())
        port_ok = parts.port != 0
        host = parts.hostname or ""
    except ValueError as error:
        raise ConfigError(f"base_url {_shown(base_url)} is not a URL: {error}") from None
    if parts.scheme not in ("http", "https"):
        hint = "it begins with https:// or http://"
        raise ConfigError(f"base_url {_shown(base_url)} has no usable scheme", hint=hint)
    if "@" in parts.netloc:
        raise ConfigError("base_url must not hold credentials", hint="use LLMCLI_API_KEY")
    labels = host.removesuffix(".").split(".")
    if not host or not port_ok or not all(0 < len(label) <= 63 for label in labels):
        raise ConfigError(f"base_url {_shown(base_url)} has no valid host and port")
    if any(character.isspace() for character in base_url.strip()):
        raise ConfigError(f"base_url {_shown(base_url)} contains a space")
    if parts.query or parts.fragment:
        raise ConfigError("base_url must not hold a query or a fragment")
    path = parts.path.rstrip("/").removesuffix("/chat/completions")
    return f"{parts.scheme}://{parts.netloc}{path}"


def _shown(base_url: str) -> str:
    """For a message: without what might be credentials."""
    return repr(base_url.rpartition("@")[2][:200])


def origin(url: str) -> tuple[str, str, int]:
    """Scheme, host and port: what a key belongs to (RFC 6454)."""
    parts = urlsplit(url)
    return (
        parts.scheme,
        parts.hostname or "",
        parts.port or PORTS.get(parts.scheme, 80),
    )


def host_of(url: str) -> str:
    return urlsplit(url).netloc


def is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
