"""A text that grows piece by piece, and the characters that a server cut in two."""

import re

# Pieces after which a text buffer joins them.
_MOST_PIECES = 1024
_SURROGATE = re.compile("[\ud800-\udfff]")


class TextBuffer:
    """A text that grows piece by piece, or with `keep` false only its length.

    `chars` is its length in characters, `bytes` its length in UTF-8. Pieces are joined now and
    then, as a short piece takes ten times the memory of its text.
    """

    def __init__(self, *, keep: bool = True) -> None:
        self.keep = keep
        self.chars = self.bytes = 0
        self._joined: list[str] = []
        self._pieces: list[str] = []

    def append(self, piece: str) -> None:
        """Add `piece` at the end."""
        self.chars += len(piece)
        self.bytes += len(piece if piece.isascii() else piece.encode(errors="replace"))
        if not self.keep:
            return
        self._pieces.append(piece)
        if len(self._pieces) >= _MOST_PIECES:
            # In one statement: an exception by a signal between two would lose or double text.
            self._joined, self._pieces = [*self._joined, "".join(self._pieces)], []

    def __bool__(self) -> bool:
        return self.chars > 0

    def __str__(self) -> str:
        whole = "".join(self._joined + self._pieces)
        self._joined, self._pieces = [whole] if whole else [], []
        return whole


def has_surrogates(text: str) -> bool:
    """Return whether `text` has a surrogate: half of a character outside the BMP."""
    return not text.isascii() and _SURROGATE.search(text) is not None


def join_surrogates(text: str) -> tuple[str, str]:
    """Return `text` with the halves of characters joined, and a first half at its end apart.

    Some servers split the two JSON escapes of a character outside the BMP between two chunks.
    """
    high = ""
    if "\ud800" <= text[-1] <= "\udbff":
        text, high = text[:-1], text[-1]
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace"), high
