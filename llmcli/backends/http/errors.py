"""The translation of exceptions of requests, urllib3, http.client, ssl and socket into ours.

They wrap each other in many ways: the exception for a refused proxy, say, is not always one of
requests, and every exception of requests is an OSError. So all causes of an exception are searched
for the kind that tells most.
"""

import errno
import http.client
import socket
import ssl
from collections.abc import Callable, Iterator
from typing import Any

import requests
import urllib3.exceptions as urllib3

from llmcli.errors import (
    AuthError,
    ConfigError,
    ConnectionLost,
    LlmcliError,
    NetworkError,
    OutOfResources,
    ProtocolError,
    TimedOut,
)
from llmcli.system.extras import how_to_install
from llmcli.system.text import one_line


def causes(error: BaseException) -> Iterator[BaseException]:
    """Yield `error` and every exception that it wraps, the nearest first.

    They are looked for in its cause, its context, its arguments and urllib3's attribute `reason`.
    """
    seen: set[int] = set()
    waiting: list[Any] = [error]
    while waiting:
        item = waiting.pop(0)
        if isinstance(item, BaseException) and id(item) not in seen:
            seen.add(id(item))
            yield item
            waiting += [getattr(item, "reason", None), *item.args, item.__cause__, item.__context__]


def before_answer(error: Exception, target: str, idle: float) -> LlmcliError:
    """Return the error that says why no reply began.

    `target` is the endpoint's host and port, and `idle` the idle timeout in seconds, for messages.
    """
    chain = list(causes(error))
    for kinds, make in _BEFORE:
        for cause in chain:
            if isinstance(cause, kinds) and not (kinds == (OSError,) and _is_of_requests(cause)):
                return make(cause, target, idle)
    return NetworkError(f"cannot reach {target}: {one_line(str(error), 200)}", transient=True)


def _is_of_requests(cause: BaseException) -> bool:
    """Return True for an exception of requests; they are OSErrors, but not from the system."""
    return isinstance(cause, requests.exceptions.RequestException)


def in_answer(error: Exception, idle: float) -> LlmcliError:
    """Return the error for a reply that broke off: TimedOut or ConnectionLost.

    `idle` is the idle timeout in seconds, for the message.
    """
    for cause in causes(error):
        if isinstance(cause, (urllib3.ReadTimeoutError, TimeoutError)):
            return TimedOut(f"no data for {idle:g} s", hint="wait longer with --idle-timeout")
    return ConnectionLost("connection lost", transient=True)


def _timed_out_connecting(_cause: Any, target: str, _idle: float) -> LlmcliError:
    return TimedOut(
        f"cannot connect to {target} in time", hint="wait longer with --connect-timeout"
    )


def _timed_out_waiting(_cause: Any, target: str, idle: float) -> LlmcliError:
    hint = "wait longer with --idle-timeout"
    return TimedOut(f"no answer from {target} for {idle:g} s", hint=hint)


def _proxy(cause: Any, target: str, idle: float) -> LlmcliError:
    text = " ".join(str(c) for c in causes(cause))
    if "Tunnel connection failed: 407" in text:
        return AuthError(
            "the proxy asks for a password (407)",
            hint="set or correct the user and password in HTTPS_PROXY",
        )
    if "timed out" in text:
        return _timed_out_connecting(cause, f"{target} through the proxy", idle)
    return NetworkError(f"the proxy for {target} cannot be reached", transient=True,
                        hint="check HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY")  # fmt: skip


def _certificate(cause: Any, target: str, _idle: float) -> LlmcliError:
    reason = getattr(cause, "verify_message", "") or str(cause)
    hint = "if this is the right server, name its CA file in ca_file or REQUESTS_CA_BUNDLE"
    return ProtocolError(f"the certificate of {target} is not trusted: {reason}", hint=hint)


def _tls(cause: Any, target: str, _idle: float) -> LlmcliError:
    reason = str(getattr(cause, "reason", None) or cause)
    if "EOF" in reason:  # OpenSSL's word for a connection that was closed
        return NetworkError(f"{target} closed the TLS connection without an answer", transient=True)
    hint = "is it http://?" if "WRONG_VERSION" in reason or "RECORD_LAYER" in reason else None
    return ProtocolError(f"cannot start TLS with {target}: {reason}", hint=hint)


def _name(cause: Any, target: str, _idle: float) -> LlmcliError:
    reason = cause.strerror if isinstance(cause, OSError) else str(cause)
    temporary = isinstance(cause, OSError) and cause.errno == socket.EAI_AGAIN
    return NetworkError(f"cannot resolve {target}: {reason}", transient=temporary)


def _bad_setting(cause: Any, target: str, _idle: float) -> LlmcliError:
    if "SOCKS" in str(cause):
        return ConfigError("a SOCKS proxy needs PySocks", hint=how_to_install("socks"))
    # The text of the cause is not shown: it quotes the proxy's URL, which may have a password.
    return ConfigError(
        f"cannot ask {target}: the host or the proxy's URL is not valid",
        hint="check base_url, HTTPS_PROXY and HTTP_PROXY",
    )


def _no_http(cause: Any, target: str, _idle: float) -> LlmcliError:
    text = one_line(f"{type(cause).__name__} {cause}", 120)
    return ProtocolError(f"the answer of {target} is not HTTP: {text}", hint="is it https://?")


def _headers(cause: Any, target: str, _idle: float) -> LlmcliError:
    return ProtocolError(f"cannot read the headers of {target}: {one_line(str(cause), 120)}")


def _closed(_cause: Any, target: str, _idle: float) -> LlmcliError:
    return NetworkError(f"{target} closed the connection without an answer", transient=True)


def _os(cause: Any, target: str, _idle: float) -> LlmcliError:
    if cause.errno in (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS):
        return OutOfResources(f"cannot connect to {target}: {cause.strerror}")
    if type(cause).__module__ == "socks":  # PySocks derives its errors from OSError
        return NetworkError(f"the SOCKS proxy for {target} refuses: {one_line(str(cause), 200)}")
    # Without a number it is not from the system: requests raises such an OSError for certificates.
    if cause.errno is None:
        return ConfigError(one_line(str(cause), 300), hint="check ca_file and REQUESTS_CA_BUNDLE")
    return NetworkError(f"cannot reach {target}: {cause.strerror}", transient=True)


_Make = Callable[[Any, str, float], LlmcliError]
# The first line that fits any of the causes makes the error. So what is specific stands before what
# is general: OSError, from which most of the others derive, is the last.
_BEFORE: tuple[tuple[tuple[type[BaseException], ...], _Make], ...] = (
    ((urllib3.ProxySchemeUnknown, requests.exceptions.InvalidProxyURL), _bad_setting),
    ((requests.exceptions.ProxyError, urllib3.ProxyError), _proxy),
    # Not urllib3's ConnectTimeoutError: its subclass NewConnectionError means a refused connection.
    ((requests.exceptions.ConnectTimeout,), _timed_out_connecting),
    ((urllib3.ReadTimeoutError, requests.exceptions.ReadTimeout), _timed_out_waiting),
    ((ssl.SSLCertVerificationError,), _certificate),
    ((ssl.SSLError,), _tls),
    ((socket.gaierror,), _name),
    ((urllib3.NameResolutionError,), _name),
    ((http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError), _closed),
    ((http.client.LineTooLong,), _headers),
    ((http.client.BadStatusLine, http.client.UnknownProtocol), _no_http),
    ((http.client.HTTPException,), _headers),
    ((requests.exceptions.InvalidSchema, requests.exceptions.InvalidURL), _bad_setting),
    ((requests.exceptions.InvalidHeader, urllib3.LocationParseError, UnicodeError), _bad_setting),
    ((TimeoutError,), _timed_out_waiting),
    ((OSError,), _os),
)
