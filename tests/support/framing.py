"""More of the table of faults: replies whose head, framing or encoding is at odds."""

from tests.support.endpoint import Script
from tests.support.faults import Fault

NO_CERTIFICATE = b"<html><title>400 No required SSL certificate was sent</title></html>"


def whole(body: bytes, status: str, *extra: str, kind: str = "application/json") -> Script:
    return lambda wire, _: wire.whole(body, status, kind, *extra)


FRAMING: dict[str, Fault] = {
    "400_no_certificate": Fault(
        whole(NO_CERTIFICATE, "400 Bad Request", kind="text/html"),
        76,
        "No required SSL certificate was sent; name a certificate in client_cert",
    ),
}
