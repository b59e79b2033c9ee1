"""More of the table of faults: replies whose head, framing or encoding is at odds."""

import gzip
import json
import zlib

from tests.support.endpoint import Script
from tests.support.faults import DONE, HEAD, SOME, STOP, Fault, raw

REASON = json.dumps({"error": {"message": "the reason"}}).encode()
BOMB = gzip.compress(bytes(2**26))
ANSWER = SOME + STOP + DONE
NO_CERTIFICATE = b"<html><title>400 No required SSL certificate was sent</title></html>"


def whole(body: bytes, status: str, *extra: str, kind: str = "application/json") -> Script:
    return lambda wire, _: wire.whole(body, status, kind, *extra)


def deflated(body: bytes) -> bytes:
    """Deflate without zlib's head, as some servers understand "deflate"."""
    deflate = zlib.compressobj(wbits=-15)
    return deflate.compress(body) + deflate.flush()


def lengths(*values: str, status: str = "200 OK", body: bytes = ANSWER) -> Script:
    fields = "".join(f"Content-Length: {value}\r\n" for value in values)
    head = HEAD.replace(b"200 OK", status.encode())
    return raw(head + fields.encode() + b"\r\n" + body, wait=True)


LONG = str(len(ANSWER))

FRAMING: dict[str, Fault] = {
    "400_no_certificate": Fault(
        whole(NO_CERTIFICATE, "400 Bad Request", kind="text/html"),
        76,
        "No required SSL certificate was sent; name a certificate in client_cert",
    ),
    # errors that come compressed
    **{
        f"500_{name}": Fault(whole(body, "500 E", f"Content-Encoding: {coding}"), 69, says)
        for name, coding, body, says in (
            ("gzip", "gzip", gzip.compress(REASON), "HTTP 500: the reason"),
            ("x_gzip", "X-GZIP", gzip.compress(REASON), "HTTP 500: the reason"),
            ("gzip_cut", "gzip", gzip.compress(REASON)[:-8], "HTTP 500: the reason"),
            ("gzip_twice", "gzip, gzip", gzip.compress(gzip.compress(REASON)), "the reason"),
            ("zlib", "deflate", zlib.compress(REASON), "HTTP 500: the reason"),
            ("deflate", "deflate", deflated(REASON), "HTTP 500: the reason"),
            ("identity", "identity", REASON, "HTTP 500: the reason"),
            ("gzip_in_name_only", "gzip", REASON, "HTTP 500: the reason"),
            ("brotli", "br", b"\x0b\x02\x80", "HTTP 500: the reason is encoded as br"),
            ("zstd", "zstd", b"\x28\xb5\x2f\xfd", "HTTP 500: the reason is encoded as zstd"),
            ("broken_gzip", "gzip", b"\x1f\x8b\xff\xff", "is compressed, and cannot be decoded"),
            ("gzip_bomb", "gzip", BOMB, "HTTP 500: "),
        )
    },
    "401_gzip": Fault(
        whole(gzip.compress(REASON), "401 Who", "Content-Encoding: gzip"), 77, "the reason"
    ),
    "200_gzip_bomb": Fault(
        whole(BOMB, "200 OK", "Content-Encoding: gzip"), 76, "gzip was not asked for"
    ),
    "200_zstd": Fault(
        whole(REASON, "200 OK", "Content-Encoding: zstd"), 76, "zstd was not asked for"
    ),
    # a length that is given twice
    "two_lengths": Fault(lengths("5", LONG), 76, "Content-Length is"),
    "two_lengths_in_one_field": Fault(lengths(f"5, {LONG}"), 76, f"is 5 and {LONG}"),
    "a_length_that_is_no_number": Fault(lengths("0x10"), 76, "Content-Length is 0x10"),
    "a_negative_length": Fault(lengths("-1"), 76, "Content-Length is -1"),
    "two_lengths_of_an_error": Fault(
        lengths(str(len(REASON)), "9", status="503 S", body=REASON), 69, "HTTP 503"
    ),
}
