"""Text from elsewhere made harmless for a terminal, and short for a message."""

import re

from llmcli.errors import BadRequest

# C0 controls but tab and newline, a lone CR, DEL, C1 controls, and the bidi controls
# that can make text read other than it is (CVE-2021-42574).
UNSAFE = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]|\r(?!\n)"
)


def _visible(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def harmless(text: str) -> str:
    """Control sequences become visible `\\x1b`; newlines and tabs stay."""
    return UNSAFE.sub(_visible, text)


def one_line(text: str, limit: int = 2000) -> str:
    """`text` on one line, harmless, cut at `limit` characters."""
    line = harmless(" ".join(text.split()))
    return line if len(line) <= limit else line[: limit - 1] + "…"


def decoded(data: bytes, name: str) -> str:
    """`data` as text, whatever the locale says. Raises BadRequest with the offset of bad bytes."""
    offset = data.find(b"\0")
    try:
        found = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        bad = error.start + (3 if data.startswith(b"\xef\xbb\xbf") else 0)
        offset = bad if offset < 0 else min(bad, offset)
    if offset < 0:
        return found
    what = "is binary" if not data[offset] else "is not UTF-8 text"
    hint = "convert it with iconv, or give a PNG, JPEG, GIF or WebP image with -f"
    if name.startswith(("PROMPT", "-")):
        hint = "check the shell's encoding"
    raise BadRequest(f"{name} {what}: byte 0x{data[offset]:02x} at offset {offset}", hint=hint)


def check_text(value: str, name: str) -> str:
    """`value`, unless an argument had bytes that are not UTF-8."""
    return decoded(value.encode("utf-8", "surrogateescape"), name)
