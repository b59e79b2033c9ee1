"""The errors of TLS: a certificate that is not trusted, on either side, and what is not TLS."""

import re
import ssl

from llmcli.errors import LlmcliError, NetworkError, ProtocolError

# Numbers of OpenSSL's x509_vfy.h: not yet valid, expired, for another host, for another address.
_TIME = (9, 10)
_HOST = (62, 64)
# Alerts by which a server refuses the client's certificate (RFC 8446, section 6.2); by the last but
# one TLS 1.2 says as well that there was none, and much else.
_REFUSED = re.compile(
    "ALERT_(BAD_CERTIFICATE|CERTIFICATE_|UNSUPPORTED_CERTIFICATE|UNKNOWN_CA|ACCESS_DENIED)"
)
_NONE_GIVEN = "ALERT_CERTIFICATE_REQUIRED"
_HANDSHAKE = "ALERT_HANDSHAKE_FAILURE"


def untrusted(error: ssl.SSLCertVerificationError, target: str) -> LlmcliError:
    """Return the error for the certificate of `target`, the host and port of a server."""
    # The notes say when it was valid.
    reason = (error.verify_message or str(error)).rstrip(".")
    reason = ", ".join([reason, *getattr(error, "__notes__", ())])
    hint = "if this is the right server, name its CA file in ca_file or REQUESTS_CA_BUNDLE"
    if error.verify_code in _TIME:
        hint = "check the clock of this machine, and ca_file or REQUESTS_CA_BUNDLE if one is set"
    elif error.verify_code in _HOST:
        hint = "it must name the host as subjectAltName, ca_file or REQUESTS_CA_BUNDLE cannot help"
    return ProtocolError(f"the certificate of {target} is not trusted: {reason}", hint=hint)


def failed(error: ssl.SSLError, target: str) -> LlmcliError:
    """Return the error for a connection to `target` that TLS could not begin, or has ended."""
    reason = str(error.reason or error)
    if "EOF" in reason:  # OpenSSL's word for a connection that was closed
        return NetworkError(f"{target} closed the TLS connection without an answer", transient=True)
    if _NONE_GIVEN in reason:
        return wants_certificate(target)
    if _REFUSED.search(reason):
        words = reason.partition("ALERT_")[2].replace("_", " ").lower()
        problem = f"{target} refuses the client certificate: {words}"
        return ProtocolError(problem, hint="check client_cert and client_key")
    hint = None
    if "WRONG_VERSION" in reason or "RECORD_LAYER" in reason:
        hint = "is it http://?"
    elif _HANDSHAKE in reason:
        hint = "if the server asks for a certificate, name one in client_cert"
    return ProtocolError(f"cannot start TLS with {target}: {reason}", hint=hint)


def wants_certificate(target: str) -> ProtocolError:
    """Return the error for a server that demands a certificate of the client, and got none."""
    problem = f"{target} demands a client certificate"
    return ProtocolError(problem, hint="name one in client_cert (LLMCLI_CLIENT_CERT)")
