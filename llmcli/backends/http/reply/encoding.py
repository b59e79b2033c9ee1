"""The body of an error that came compressed although it was not to.

Gateways compress their error pages whatever was asked for. The status says what failed, and the
reason is in the body; so it is decoded as far as that is cheap.
"""

from llmcli.system.text import one_line

# What a compressed error may grow to, in bytes: 300 KiB can hold 300 MiB.
_MOST = 2**20
_ZLIB = ("gzip", "x-gzip", "deflate")
# For zlib: look whether it is gzip or zlib; and deflate alone, which some servers send as such.
_DETECT, _RAW = 47, -15


def decoded_body(body: bytes, encoding: str) -> bytes:
    """Return `body`, which has the Content-Encoding `encoding`, decoded up to 1 MiB.

    It may be cut, or not be encoded at all. What cannot be decoded becomes a text that says so.
    """
    codings = [coding for coding in map(str.strip, encoding.lower().split(",")) if coding]
    for coding in reversed(codings):
        if coding == "identity":
            continue
        if coding not in _ZLIB:
            named = one_line(coding, 40)
            return f"the reason is encoded as {named}, which llmcli does not decode".encode()
        body = _inflated(body)
    return body


def _inflated(body: bytes) -> bytes:
    import zlib  # noqa: PLC0415  # only for a compressed error

    for form in (_DETECT, _RAW):
        try:
            text = zlib.decompressobj(form).decompress(body, _MOST)
        except zlib.error:
            continue
        if text or not body:
            return text
    return body if _is_text(body) else b"the reason is compressed, and cannot be decoded"


def _is_text(body: bytes) -> bool:
    return body[:1024].decode("utf-8", "ignore").isprintable() or body.lstrip()[:1] in b"{[<"
