"""Base URLs of endpoints: how they are checked and compared."""

import ipaddress
from urllib.parse import unquote_plus, urlsplit

from llmcli.errors import ConfigError

# The port of each scheme where a URL names none.
PORTS = {"http": 80, "https": 443}
# Parameters of a query that hold no secret.
_PUBLIC = ("api-version", "api_version", "version")


def check_base_url(base_url: str) -> str:
    """Return `base_url` without surrounding white space, last slash and `/chat/completions`.

    A query, such as `?api-version=2024-10-21`, is kept: see `join`. Raises ConfigError for what is
    not an http or https URL with a valid host, and for a URL with credentials or a fragment.
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
    if parts.fragment:
        raise ConfigError(
            "base_url must not hold a fragment", hint="leave out the # and what follows"
        )
    path = parts.path.rstrip("/").removesuffix("/chat/completions")
    query = f"?{parts.query}" if parts.query else ""
    return f"{parts.scheme}://{parts.netloc}{path}{query}"


def join(base_url: str, path: str) -> str:
    """Return the URL of `path` below `base_url`, whose query stays behind the path."""
    base, mark, query = base_url.partition("?")
    return f"{base}{path}{mark}{query}"


def path_part(base_url: str) -> str:
    """Return the path of `base_url`, an empty text if it has none."""
    return urlsplit(base_url).path


def shown(base_url: str) -> str:
    """Return `base_url` for people: its query, which may hold a key, is masked."""
    base, mark, _ = base_url.partition("?")
    return f"{base}?***" if mark else base


def filed(base_url: str) -> str:
    """Return the name under which things are kept of an endpoint: its URL with its query hashed."""
    base, mark, query = base_url.partition("?")
    if not mark:
        return base
    import hashlib  # noqa: PLC0415  # slow to load, and few endpoints have a query

    return f"{base}?{hashlib.sha256(query.encode()).hexdigest()[:16]}"


def identity(base_url: str) -> str:
    """Return what tells an endpoint from all others: scheme, host, port, path, query (hashed)."""
    scheme, host, port = origin(base_url)
    _, mark, query = filed(base_url).partition("?")
    return f"{scheme}://{host}:{port}{path_part(base_url)}{mark}{query}"


def secrets_in(base_url: str) -> list[str]:
    """Return the values in the query of `base_url` that may be secret: all but a version.

    A value in which characters are escaped is returned as it is written and as it reads.
    """
    written = (pair.partition("=") for pair in urlsplit(base_url).query.split("&"))
    values = [value for name, _, value in written if name.lower() not in _PUBLIC and value]
    return list(dict.fromkeys([*values, *map(unquote_plus, values)]))


def without_secrets(base_url: str) -> str:
    """Return `base_url` with `***` in the place of the values that `secrets_in` names."""
    base, mark, query = base_url.partition("?")
    pairs = (pair.partition("=") for pair in query.split("&"))
    kept = [f"{n}{eq}{v if n.lower() in _PUBLIC or not v else '***'}" for n, eq, v in pairs]
    return f"{base}{mark}{'&'.join(kept)}"


def _credentials() -> ConfigError:
    return ConfigError("base_url must not hold credentials", hint="use LLMCLI_API_KEY")


def _shown(base_url: str) -> str:
    """Return `base_url` for a message, without what may be secret: a password, a query."""
    return repr(shown(base_url.rpartition("@")[2])[:200])


def origin(url: str) -> tuple[str, str, int]:
    """Return the origin of `url`, as RFC 6454 defines it: scheme, host in lower case, and port.

    Two URLs with the same origin are the same server, so a key for one may be sent to the other.
    What is not a URL has an origin that no URL has.
    """
    try:
        parts = urlsplit(url)
        port = parts.port or PORTS.get(parts.scheme, 80)
        return parts.scheme, parts.hostname or "", port
    except ValueError:
        return "", url, 0


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
