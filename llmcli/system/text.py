"""Text from elsewhere made harmless for a terminal, and short for a message."""

import re

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
