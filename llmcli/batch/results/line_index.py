"""An index of the lines of a file of results, by the key of their record, in little memory.

A dict of a million keys takes 180 MB, these arrays take 36.
"""

from array import array
from collections.abc import Iterator

# The number of slots at first, a power of two. There are always more of them than lines.
_SLOTS = 1 << 10
_HALF = (1 << 64) - 1


class LineIndex:
    """The offsets of lines by key, a hash of 32 hexadecimal digits.

    Several lines may have the same key. Each is claimed once, the first one first.
    """

    def __init__(self) -> None:
        # For each line: the halves of its key, its offset, and the next line with the same key; the
        # last of them is followed by the first that is not claimed. A claimed line has the
        # complement of its offset.
        self._high, self._low = array("Q"), array("Q")
        self._offset = array("q")
        self._next = array("i")
        # A hash table with open addressing: the last line of each key, or -1.
        self._slots = array("i", [-1]) * _SLOTS

    def add(self, key: str, offset: int) -> None:
        """Add the line of `key` that begins at `offset`."""
        line, (high, low) = len(self._offset), _halves(key)
        if 3 * line > 2 * len(self._slots):
            self._grow()
        slot = self._slot(high, low)
        last = self._slots[slot]
        self._high.append(high)
        self._low.append(low)
        self._offset.append(offset)
        self._next.append(line)
        if last >= 0:
            is_claimed = self._offset[last] < 0
            self._next[line] = line if is_claimed else self._next[last]
            self._next[last] = line
        self._slots[slot] = line

    def claim(self, *keys: str) -> tuple[int, str] | None:
        """Return offset and key of the first line of any of `keys` that was not claimed.

        Return None if all were.
        """
        found: tuple[int, int, str] | None = None
        for key in keys:
            last = self._slots[self._slot(*_halves(key))]
            if last >= 0:
                offset = self._offset[self._next[last]]
                if offset >= 0 and (found is None or offset < found[0]):
                    found = offset, last, key
        if found is None:
            return None
        offset, last, key = found
        first = self._next[last]
        self._offset[first] = ~offset
        if first != last:
            self._next[last] = self._next[first]
        return offset, key

    def __contains__(self, key: str) -> bool:
        return self._slots[self._slot(*_halves(key))] >= 0

    def __len__(self) -> int:
        return len(self._offset)

    def unclaimed(self) -> Iterator[int]:
        """Yield the offset of each line that was not claimed, in the order of the lines."""
        return (offset for offset in self._offset if offset >= 0)

    def _slot(self, high: int, low: int) -> int:
        """Return the slot of the key, or the free one where it belongs."""
        slots, mask = self._slots, len(self._slots) - 1
        slot = high & mask
        while (line := slots[slot]) >= 0 and (self._high[line], self._low[line]) != (high, low):
            slot = (slot + 1) & mask
        return slot

    def _grow(self) -> None:
        old = self._slots
        self._slots = array("i", [-1]) * (2 * len(old))
        for line in old:
            if line >= 0:
                self._slots[self._slot(self._high[line], self._low[line])] = line


def _halves(key: str) -> tuple[int, int]:
    try:
        number = int(key, 16)
    except ValueError:  # a key that somebody else wrote
        number = hash(key)
    return number >> 64 & _HALF, number & _HALF
