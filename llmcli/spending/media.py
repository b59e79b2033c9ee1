"""The most tokens that images, PDFs and recordings of a request may take, part by part.

Their bytes say little of that: an image is billed by its pixels, a PDF by its text and a picture of
each page, a recording by its seconds.
"""

import base64
import binascii
import re
import zlib
from typing import Any

# Tokens of an image or of the picture of a page, in the largest form that a provider bills.
_PER_IMAGE = 6000
# Tokens of a second of sound: twice what the dearest takes. Gemini counts 32, OpenAI 10.
# https://ai.google.dev/gemini-api/docs/audio
_PER_SECOND = 64
# The fewest bytes of a second: MP3 has no bit rate below 8 kbit/s.
_SLOWEST = 1000
# Base64 characters that hold the head of a WAV file, with its byte rate at offset 28.
_HEAD = 64
# A page in the page tree of a PDF (ISO 32000-1, section 7.7.3.3), but not the tree itself.
_PAGE = re.compile(rb"/Type\s*/Page(?![A-Za-z])")
# A stream of objects (section 7.5.7), in which newer PDFs keep their pages.
_OBJECTS = re.compile(rb"/ObjStm\b.{0,400}?stream\r?\n", re.S)
# Bytes that are unpacked of one such stream at most.
_MOST_UNPACKED = 1 << 24


def media_tokens(part: Any) -> int | None:
    """Return the most tokens that a part of a message may take; None if its bytes bound that.

    `part` may have any form, as messages of a file may.
    """
    kind = part.get("type") if isinstance(part, dict) else None
    value = part.get(kind) if isinstance(kind, str) else None
    if kind == "image_url":
        return _PER_IMAGE
    if kind == "input_audio":
        data = value.get("data") if isinstance(value, dict) else None
        return _of_recording(data) if isinstance(data, str) else None
    if kind == "file":
        data = value.get("file_data") if isinstance(value, dict) else None
        return _of_pdf(data) if isinstance(data, str) else None
    return None


def _of_recording(data: str) -> int:
    head = _bytes(data[:_HEAD])
    rate = int.from_bytes(head[28:32], "little") if head[8:12] == b"WAVE" else 0
    seconds = len(data) * 3 // 4 // max(rate, _SLOWEST) + 1
    return seconds * _PER_SECOND


def _of_pdf(data_url: str) -> int:
    """Return a token for each character of the data, and those of a picture of each page."""
    data = _bytes(data_url.partition(",")[2])
    pages = len(_PAGE.findall(data))
    for found in _OBJECTS.finditer(data):
        try:
            unpack = zlib.decompressobj().decompress
            pages += len(_PAGE.findall(unpack(data[found.end() :], _MOST_UNPACKED)))
        except zlib.error:
            continue
    return len(data_url) + max(pages, 1) * _PER_IMAGE


def _bytes(data: str) -> bytes:
    try:
        return base64.b64decode(data)
    except (binascii.Error, ValueError):
        return b""
