"""The exceptions of requests, urllib3, http.client, ssl and socket as ours.

They wrap each other in many ways (a refused proxy is no RequestException, a requests exception is
an OSError), so the whole chain of causes is looked at, most telling kind first.
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
    HOW_TO_INSTALL,
    AuthError,
    ConfigError,
    ConnectionLost,
    LlmcliError,
    NetworkError,
    OutOfResources,
    ProtocolError,
    TimedOut,
)
from llmcli.system.text import one_line

_CERTIFICATE_HINT = "give the CA with ca_file or REQUESTS_CA_BUNDLE"


def causes(error: BaseException) -> Iterator[BaseException]:
    """`error` and all it wraps: as cause, context, argument or urllib3's `reason`."""
    seen: set[int] = set()
    waiting: list[Any] = [error]
    while waiting:
        item = waiting.pop(0)
        if isinstance(item, BaseException) and id(item) not in seen:
            seen.add(id(item))
            yield item
            waiting += [getattr(item, "reason", None), *item.args, item.__cause__, item.__context__]


def before_answer(error: Exception, target: str, idle: float) -> LlmcliError:
    """The fault that kept a reply from beginning. `target` is the endpoint's host and port."""
    chain = list(causes(error))
    for kinds, make in _BEFORE:
        for cause in chain:
            if isinstance(cause, kinds) and not (kinds == (OSError,) and _wraps(cause)):
                return make(cause, target, idle)
    return NetworkError(f"cannot reach {target}: {one_line(str(error), 200)}", transient=True)


def _wraps(cause: BaseException) -> bool:
    """A requests exception is an OSError by its class, but no word of the system's."""
    return isinstance(cause, requests.exceptions.RequestException)


def in_answer(error: Exception, idle: float) -> LlmcliError:
    """The fault that broke a reply off."""
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
        return AuthError("the proxy asks for a password (407)", hint="set it in HTTPS_PROXY")
    if "timed out" in text:
        return _timed_out_connecting(cause, f"{target} through the proxy", idle)
    return NetworkError(f"the proxy for {target} cannot be reached", transient=True,
                        hint="see HTTPS_PROXY, HTTP_PROXY, NO_PROXY")  # fmt: skip


def _certificate(cause: Any, target: str, _idle: float) -> LlmcliError:
    reason = getattr(cause, "verify_message", "") or str(cause)
    hint = f"if that is right, {_CERTIFICATE_HINT}"
    return ProtocolError(f"the certificate of {target} is not trusted: {reason}", hint=hint)


def _tls(cause: Any, target: str, _idle: float) -> LlmcliError:
    reason = str(getattr(cause, "reason", None) or cause)
    if "EOF" in reason:
        return NetworkError(f"{target} closed the TLS connection without an answer", transient=True)
    hint = "is it http://?" if "WRONG_VERSION" in reason or "RECORD_LAYER" in reason else None
    return ProtocolError(f"no TLS with {target}: {reason}", hint=hint)


def _name(cause: Any, target: str, _idle: float) -> LlmcliError:
    reason = cause.strerror if isinstance(cause, OSError) else str(cause)
    temporary = isinstance(cause, OSError) and cause.errno == socket.EAI_AGAIN
    return NetworkError(f"cannot resolve {target}: {reason}", transient=temporary)


def _bad_setting(cause: Any, target: str, _idle: float) -> LlmcliError:
    if "SOCKS" in str(cause):
        return ConfigError("a SOCKS proxy needs PySocks", hint=HOW_TO_INSTALL.format("socks"))
    # Its words are not shown: a broken proxy URL may hold a password.
    return ConfigError(
        f"cannot ask {target}: the host or the proxy's URL is not valid",
        hint="see base_url, HTTPS_PROXY and HTTP_PROXY",
    )


def _no_http(cause: Any, target: str, _idle: float) -> LlmcliError:
    text = one_line(f"{type(cause).__name__} {cause}", 120)
    return ProtocolError(f"what {target} answers is not HTTP: {text}", hint="is it https://?")


def _headers(cause: Any, target: str, _idle: float) -> LlmcliError:
    return ProtocolError(f"{target} sent headers beyond all limits: {one_line(str(cause), 120)}")


def _closed(_cause: Any, target: str, _idle: float) -> LlmcliError:
    return NetworkError(f"{target} closed the connection without an answer", transient=True)


def _os(cause: Any, target: str, _idle: float) -> LlmcliError:
    if cause.errno in (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS):
        return OutOfResources(f"cannot connect to {target}: {cause.strerror}")
    if cause.errno is None:  # requests: a CA file that is not there
        return ConfigError(one_line(str(cause), 300), hint="see ca_file and REQUESTS_CA_BUNDLE")
    return NetworkError(f"cannot reach {target}: {cause.strerror}", transient=True)


_Make = Callable[[Any, str, float], LlmcliError]
_BEFORE: tuple[tuple[tuple[type[BaseException], ...], _Make], ...] = (
    ((urllib3.ProxySchemeUnknown, requests.exceptions.InvalidProxyURL), _bad_setting),
    ((requests.exceptions.ProxyError, urllib3.ProxyError), _proxy),
    # Not urllib3's ConnectTimeoutError: a refused connection is one of its subclass.
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
