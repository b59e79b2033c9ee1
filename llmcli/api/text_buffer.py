"""Text that grows by small pieces."""

import re

_MOST = 1024
_SURROGATE = re.compile("[\ud800-\udfff]")


class TextBuffer:
    """Pieces are joined now and then: alone, each would take ten times its size. Where the text is
    not `kept`, only its size is known, in characters and in bytes of UTF-8."""

    def __init__(self, kept: bool = True) -> None:
        self.kept = kept
        self.chars = self.bytes = 0
        self._joined: list[str] = []
        self._pieces: list[str] = []

    def append(self, piece: str) -> None:
        self.chars += len(piece)
        self.bytes += len(piece if piece.isascii() else piece.encode(errors="replace"))
        if not self.kept:
            return
        self._pieces.append(piece)
        if len(self._pieces) >= _MOST:
            # Both at once, as a signal can come in between.
            self._joined, self._pieces = [*self._joined, "".join(self._pieces)], []

    def __bool__(self) -> bool:
        return self.chars > 0

    def __str__(self) -> str:
        whole = "".join(self._joined + self._pieces)
        self._joined, self._pieces = [whole] if whole else [], []
        return whole


def has_surrogates(text: str) -> bool:
    """Halves of characters, that is."""
    return not text.isascii() and _SURROGATE.search(text) is not None
