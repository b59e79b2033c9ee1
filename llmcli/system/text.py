"""Text from outside: decoded, made harmless for a terminal, cut to the length of a message."""

import re

from llmcli.errors import BadRequest

# The byte order mark of UTF-8, with which programs on Windows begin a text file.
BOM = b"\xef\xbb\xbf"
# The characters that can take over a terminal or mislead its reader: C0 controls except tab and
# newline, a CR without a newline, DEL, C1 controls, and the bidirectional controls that make text
# read other than it is (CVE-2021-42574).
UNSAFE = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]|\r(?!\n)"
)


def _visible(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def harmless(text: str) -> str:
    """Return `text` with each unsafe character written out, such as `\\x1b` for an escape.

    Newlines and tabs stay as they are.
    """
    return UNSAFE.sub(_visible, text)


def one_line(text: str, limit: int = 2000) -> str:
    """Return `text` on one line, harmless for a terminal and cut at `limit` characters."""
    line = harmless(" ".join(text.split()))
    return line if len(line) <= limit else line[: limit - 1] + "…"


def decoded(data: bytes, name: str) -> str:
    """Return `data` decoded as UTF-8, whatever the locale is, without a byte order mark.

    `name` says in messages where the data comes from: a file, stdin, an option. Raise BadRequest
    with the offset of the first byte that is NUL or not UTF-8, and with what the data is instead.
    """
    offset = data.find(b"\0")
    try:
        # Not by the codec utf-8-sig, which takes three times as long for a line.
        text = data.decode().removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        offset = error.start if offset < 0 else min(error.start, offset)
    if offset < 0:
        return text
    from llmcli.system.files import not_text  # noqa: PLC0415  # most input is text

    what, hint = not_text.described(data, name, offset)
    raise BadRequest(f"{name} {what}: byte 0x{data[offset]:02x} at offset {offset}", hint=hint)


def check_text(value: str, name: str) -> str:
    """Return `value`, an argument of the command line, if all its bytes are UTF-8.

    `name` is the option in messages. Raise BadRequest as `decoded` does: a byte that is not UTF-8
    stands in `value` as a lone surrogate.
    """
    return decoded(value.encode("utf-8", "surrogateescape"), name)
