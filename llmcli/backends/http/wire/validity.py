"""The times between which a certificate is valid, for the message that it is not."""

import re
import socket
import ssl
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import datetime

# Numbers of OpenSSL's x509_vfy.h.
_NOT_YET_VALID, _EXPIRED = 9, 10
# Seconds for a second connection, which only reads the certificate.
_PATIENCE = 5.0
# The field `validity` (RFC 5280, section 4.1.2.5) in DER: a sequence of two times, each of them
# a UTCTime (tag 0x17) or a GeneralizedTime (0x18).
_TIME = rb"(?:\x17\x0d(\d{12})Z|\x18\x0f(\d{14})Z)"
_VALIDITY = re.compile(rb"\x30[\x1e-\x22]" + _TIME * 2)
_MIDDLE = 50  # a UTCTime with a year from 50 on is of the last century


def handshake(context: ssl.SSLContext, connection: socket.socket, host: str) -> ssl.SSLSocket:
    """Return `connection` with TLS, begun with `host`.

    Raises what SSLContext.wrap_socket raises. If a certificate has expired, or is not valid yet,
    the error has a note that says since or until when.
    """
    address, patience = connection.getpeername(), connection.gettimeout()
    try:
        return context.wrap_socket(connection, server_hostname=host)
    except ssl.SSLCertVerificationError as error:
        if error.verify_code in (_NOT_YET_VALID, _EXPIRED):
            limit = min(patience or _PATIENCE, _PATIENCE)
            _note_time(error, _certificate(address, host, limit))
        raise


def _certificate(address: Any, host: str, limit: float) -> bytes:
    """Return the certificate of the server at `address` in DER; b"" if it cannot be had.

    A refused certificate is not given out, so it is read over a connection of its own, which is not
    verified and on which nothing is sent.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with (
            socket.create_connection(address[:2], limit) as connection,
            context.wrap_socket(connection, server_hostname=host) as secured,
        ):
            return secured.getpeercert(binary_form=True) or b""
    except (OSError, ValueError):
        return b""


def _note_time(error: ssl.SSLCertVerificationError, certificate: bytes) -> None:
    """Note the time at which the certificate has expired, or from which on it is valid.

    Nothing is noted if that time is not past, or not to come: then another one of the chain, such
    as that of the authority, is not valid.
    """
    found = _VALIDITY.search(certificate)
    times = [_time(text) for text in found.groups() if text] if found else []
    if len(times) != 2:
        return
    from datetime import UTC, datetime  # noqa: PLC0415  # most certificates are valid

    now = datetime.now(UTC)
    begin, end = times
    if error.verify_code == _EXPIRED and end < now:
        error.add_note(f"it expired on {end:%Y-%m-%d %H:%M} UTC")
    elif error.verify_code == _NOT_YET_VALID and begin > now:
        error.add_note(f"it is valid from {begin:%Y-%m-%d %H:%M} UTC on")


def _time(digits: bytes) -> "datetime":
    from datetime import datetime  # noqa: PLC0415  # most certificates are valid

    text = digits.decode()
    if len(text) == 12:
        text = ("19" if int(text[:2]) >= _MIDDLE else "20") + text
    return datetime.strptime(text + "+0000", "%Y%m%d%H%M%S%z")
