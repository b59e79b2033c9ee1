"""Spoken answers: OpenAI's field `audio` of a message, whole or in pieces of a stream."""

import base64
import binascii
from collections.abc import Sequence
from typing import Any

Audio = dict[str, Any]


def transcript(piece: Audio) -> str:
    """Return the words that `piece` adds: of a spoken answer they are the text."""
    words = piece.get("transcript")
    return words if isinstance(words, str) else ""


def joined(pieces: Sequence[Audio]) -> Audio:
    """Return the audio that `pieces` make; of fields that do not grow the last value stands."""
    if len(pieces) == 1:
        return pieces[0]
    whole: Audio = {}
    for piece in pieces:
        whole.update({key: value for key, value in piece.items() if value is not None})
    for key, join in (("data", _joined_base64), ("transcript", "".join)):
        texts = [piece[key] for piece in pieces if isinstance(piece.get(key), str)]
        if texts:
            whole[key] = join(texts)
    return whole


def _joined_base64(texts: list[str]) -> str:
    """Return the base64 of all bytes in `texts`, each of which may have padding of its own."""
    if not any(text.endswith("=") for text in texts[:-1]):
        return "".join(texts)
    try:
        return base64.b64encode(b"".join(map(base64.b64decode, texts))).decode("ascii")
    except binascii.Error:
        return "".join(texts)
