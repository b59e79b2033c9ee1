"""The errors of a proxy: it cannot be reached, or it refuses to connect to the endpoint."""

import re
import socket
import ssl
from collections.abc import Sequence

from llmcli.backends.http.wire import tls_errors
from llmcli.backends.http.wire.proxy import proxy_address
from llmcli.errors import AuthError, LlmcliError, NetworkError, TimedOut
from llmcli.system.text import one_line

# The words of http.client, which tells the status of a refused CONNECT in no other way.
_REFUSED = re.compile(r"Tunnel connection failed: (\d{3}) ?(.*)", re.S)
_PASSWORD = 407
# The statuses after which another CONNECT may succeed: the proxy, or what it asks, is overloaded.
_TEMPORARY = (408, 425, 429, 500, 502, 503, 504, 529)
_VARIABLES = "check HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY"


def refusal(causes: Sequence[BaseException], proxy: str, target: str) -> LlmcliError | None:
    """Return the error for what the proxy itself has refused; None if `causes` are others.

    `causes` are an exception and those that it wraps, `proxy` the URL of the proxy, and `target`
    the endpoint's host and port.
    """
    if any(type(cause).__name__ == "SOCKS5AuthError" for cause in causes):  # of PySocks
        return wants_password(proxy)
    for cause in causes:
        told = _REFUSED.match(str(cause)) if isinstance(cause, OSError) else None
        if told:
            return _refused(int(told[1]), one_line(told[2], 80), proxy, target)
    return None


def _refused(status: int, reason: str, proxy: str, target: str) -> LlmcliError:
    if status == _PASSWORD:
        return wants_password(proxy)
    answer = f"HTTP {status} {reason}".rstrip()
    error = NetworkError(
        f"the proxy {proxy_address(proxy)} refuses to connect to {target}: {answer}",
        hint="ask who runs the proxy, or name the host in NO_PROXY",
        status=status,
        transient=status in _TEMPORARY,
    )
    return error.replaced(of_proxy=True)


def wants_password(proxy: str) -> AuthError:
    """Return the error for a proxy that asks for a password, or refuses the one in its URL."""
    problem = "refuses the user and password" if "@" in proxy else "asks for a password"
    socks = proxy.lower().startswith("socks")
    error = AuthError(
        f"the proxy {problem} ({'' if socks else f'{_PASSWORD} from '}{proxy_address(proxy)})",
        hint="set or correct the user and password of the proxy in HTTPS_PROXY, HTTP_PROXY "
        "or ALL_PROXY",
        status=None if socks else _PASSWORD,
    )
    return error.replaced(of_proxy=True)


def unreachable(causes: Sequence[BaseException], proxy: str, target: str) -> LlmcliError:
    """Return the error for a proxy with which no connection began. Takes what `refusal` takes."""
    address = proxy_address(proxy)
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return tls_errors.untrusted(cause, f"the proxy {address}")
    for cause in causes:
        if isinstance(cause, ssl.SSLError):
            return tls_errors.failed(cause, f"the proxy {address}")
    if any(isinstance(cause, TimeoutError) or "timed out" in str(cause) for cause in causes):
        return TimedOut(
            f"cannot connect to {target} through the proxy {address} in time",
            hint="wait longer with --connect-timeout",
        )
    problem = f"the proxy for {target} cannot be reached at {address}{_reason(causes)}"
    return NetworkError(problem, transient=True, hint=_VARIABLES)


def _reason(causes: Sequence[BaseException]) -> str:
    """Return the system's words for the failure, which hold no part of the proxy's URL."""
    for cause in causes:
        if isinstance(cause, socket.gaierror) or (isinstance(cause, OSError) and cause.errno):
            return f": {cause.strerror}"
    return ""
