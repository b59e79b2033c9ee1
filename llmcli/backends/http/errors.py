"""The translation of exceptions of http.client, ssl and socket into ours.

`errors_of_requests` has those of requests and urllib3. All of them wrap each other in many ways, so
all causes of an exception are searched for the kind that tells most.
"""

import errno
import http.client
import socket
import ssl
from collections.abc import Callable, Iterator
from typing import Any

from llmcli.backends.http.wire import tls_errors
from llmcli.errors import (
    ConfigError,
    ConnectionLost,
    LlmcliError,
    NetworkError,
    OutOfResources,
    ProtocolError,
    TimedOut,
)
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


def before_answer(
    error: Exception, target: str, idle: float, more_rows: tuple["Row", ...] = ()
) -> LlmcliError:
    """Return the error that says why no reply began.

    `target` is the endpoint's host and port, and `idle` the idle timeout in seconds, for messages.
    `more_rows` are looked through first; they are the rows for another library.
    """
    chain = list(causes(error))
    for kinds, make in (*more_rows, *_ROWS):
        for cause in chain:
            if isinstance(cause, kinds) and not _is_of_requests(cause, kinds):
                return make(cause, target, idle)
    return NetworkError(f"cannot reach {target}: {one_line(str(error), 200)}", transient=True)


def _is_of_requests(cause: BaseException, kinds: tuple[type[BaseException], ...]) -> bool:
    """Return True for an exception of requests that is taken for one of the system.

    All exceptions of requests are OSErrors.
    """
    return kinds == (OSError,) and type(cause).__module__.startswith("requests")


def in_answer(error: Exception, idle: float) -> LlmcliError:
    """Return the error for a reply that broke off: TimedOut or ConnectionLost.

    `idle` is the idle timeout in seconds, for the message.
    """
    for cause in causes(error):
        if isinstance(cause, TimeoutError):
            return TimedOut(f"no data for {idle:g} s", hint="wait longer with --idle-timeout")
    return ConnectionLost("connection lost", transient=True)


def timed_out_connecting(_cause: Any, target: str, _idle: float) -> LlmcliError:
    """Return the error for a connection to `target` that took too long."""
    return TimedOut(
        f"cannot connect to {target} in time", hint="wait longer with --connect-timeout"
    )


def timed_out_waiting(_cause: Any, target: str, idle: float) -> LlmcliError:
    """Return the error for a reply of `target` that did not begin within `idle` seconds."""
    hint = "wait longer with --idle-timeout"
    return TimedOut(f"no answer from {target} for {idle:g} s", hint=hint)


def _certificate(cause: Any, target: str, _idle: float) -> LlmcliError:
    return tls_errors.untrusted(cause, target)


def _tls(cause: Any, target: str, _idle: float) -> LlmcliError:
    return tls_errors.failed(cause, target)


def _name(cause: Any, target: str, _idle: float) -> LlmcliError:
    reason = cause.strerror if isinstance(cause, OSError) else str(cause)
    temporary = isinstance(cause, OSError) and cause.errno == socket.EAI_AGAIN
    return NetworkError(f"cannot resolve {target}: {reason}", transient=temporary)


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


# Makes the error from the cause, the host and port, and the idle timeout in seconds.
_Make = Callable[[Any, str, float], LlmcliError]
Row = tuple[tuple[type[BaseException], ...], _Make]
# The first line that fits any of the causes makes the error. So what is specific stands before what
# is general: OSError, from which most of the others derive, is the last.
_ROWS: tuple[Row, ...] = (
    ((ssl.SSLCertVerificationError,), _certificate),
    ((ssl.SSLError,), _tls),
    ((socket.gaierror,), _name),
    ((http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError), _closed),
    ((http.client.LineTooLong,), _headers),
    ((http.client.BadStatusLine, http.client.UnknownProtocol), _no_http),
    ((http.client.HTTPException,), _headers),
    ((TimeoutError,), timed_out_waiting),
    ((OSError,), _os),
)
