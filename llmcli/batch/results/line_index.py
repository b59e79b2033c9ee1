"""An index of the lines of a file of results, by the key of their record, in little memory.

A dict of a million keys takes 180 MB; these arrays take 24, and 32 once there is a hash table.
"""

from array import array
from collections.abc import Iterator
from hashlib import sha256

# The number of slots at first, a power of two. There are always more of them than lines.
_SLOTS = 1 << 10
# Bytes of a key.
_WIDTH = 16


class LineIndex:
    """The offsets of lines by key, a hash of 32 hexadecimal digits.

    Several lines may have the same key. Each is claimed once, the first one first.
    """

    def __init__(self) -> None:
        # For each line its key and its offset; a claimed line has the complement of its offset.
        self._keys = bytearray()
        self._offset = array("q")
        # As long as lines are claimed in their order, this is the next one, and all before it are
        # claimed. A run over the same input goes on like that, and needs no hash table.
        self._in_order = 0
        # A hash table with open addressing: the last line of each key, or -1. It is empty until it
        # is needed. For each line the next one with the same key; the last of them is followed by
        # the first that is not claimed.
        self._slots = array("i")
        self._next = array("i")

    def add(self, key: str, offset: int) -> None:
        """Add the line of `key` that begins at `offset`."""
        self._keys += _packed(key)
        self._offset.append(offset)
        if self._slots:
            self._enter(len(self._offset) - 1)

    def claim(self, *keys: str) -> tuple[int, str] | None:
        """Return offset and key of the first line of any of `keys` that was not claimed.

        Return None if all were.
        """
        if not self._slots and (found := self._claim_in_order(keys)):
            return found
        self._make_table()
        first: tuple[int, int, str] | None = None
        for key in keys:
            last = self._slots[self._slot(_packed(key))]
            if last >= 0:
                offset = self._offset[self._next[last]]
                if offset >= 0 and (first is None or offset < first[0]):
                    first = offset, last, key
        if first is None:
            return None
        offset, last, key = first
        line = self._next[last]
        self._offset[line] = ~offset
        if line != last:
            self._next[last] = self._next[line]
        return offset, key

    def _claim_in_order(self, keys: tuple[str, ...]) -> tuple[int, str] | None:
        line = self._in_order
        at = line * _WIDTH
        expected = self._keys[at : at + _WIDTH]
        for key in keys:
            if expected == _packed(key):
                offset = self._offset[line]
                self._offset[line] = ~offset
                self._in_order += 1
                return offset, key
        return None

    def __contains__(self, key: str) -> bool:
        self._make_table()
        return self._slots[self._slot(_packed(key))] >= 0

    def __len__(self) -> int:
        return len(self._offset)

    def unclaimed(self) -> Iterator[int]:
        """Yield the offset of each line that was not claimed, in the order of the lines."""
        return (offset for offset in self._offset if offset >= 0)

    def _make_table(self) -> None:
        if not self._slots:
            size = _SLOTS
            while 2 * size < 3 * len(self._offset):
                size *= 2
            self._slots = array("i", [-1]) * size
            for line in range(len(self._offset)):
                self._enter(line)

    def _enter(self, line: int) -> None:
        """Enter a line into the table, after all lines before it."""
        if 3 * line > 2 * len(self._slots):
            self._grow()
        at = line * _WIDTH
        slot = self._slot(self._keys[at : at + _WIDTH])
        last = self._slots[slot]
        self._next.append(line)
        if last >= 0:
            is_claimed = self._offset[last] < 0
            self._next[line] = line if is_claimed else self._next[last]
            self._next[last] = line
        self._slots[slot] = line

    def _slot(self, key: bytes | bytearray) -> int:
        """Return the slot of the key, or the free one where it belongs."""
        slots, keys, mask = self._slots, self._keys, len(self._slots) - 1
        slot = int.from_bytes(key[:8], "big") & mask
        while (line := slots[slot]) >= 0:
            at = line * _WIDTH
            if keys[at : at + _WIDTH] == key:
                break
            slot = (slot + 1) & mask
        return slot

    def _grow(self) -> None:
        old = self._slots
        self._slots = array("i", [-1]) * (2 * len(old))
        for line in old:
            if line >= 0:
                at = line * _WIDTH
                self._slots[self._slot(self._keys[at : at + _WIDTH])] = line


def _packed(key: str) -> bytes:
    """Return the bytes of a key; a hash of it if it is not one that llmcli wrote."""
    try:
        packed = bytes.fromhex(key)
    except ValueError:
        packed = b""
    return packed if len(packed) == _WIDTH else sha256(key.encode()).digest()[:_WIDTH]
