"""The numbers of choices: by which index a server means which of several answers."""

from collections.abc import Hashable, Iterator
from typing import Any

# An index of more digits is not one that a server counts by.
_MOST_DIGITS = 9


class ChoiceNumbers:
    """The numbers of all choices of a reply, whose chunks are given to `numbered` in turn.

    A choice has its `index` as its number, also if that is a string of digits. Without one it is 0,
    as some servers leave out zeros; where none in the list has one, it is its place there. Any
    other index, or one that stands twice in a chunk, is a choice of its own, with the next number
    that is free: the texts of different choices must not be joined.
    """

    def __init__(self) -> None:
        self._numbers: dict[Hashable, int] = {}
        self._taken: set[int] = set()

    def numbered(self, choices: list[Any]) -> Iterator[tuple[int, dict[str, Any]]]:
        """Yield the choices of a chunk, each with its number.

        A choice without an index that has tool calls and no text belongs to the choice before it:
        GitHub Copilot sends the text and the calls of one answer apart.
        """
        seen: dict[Hashable, int] = {}
        last = 0
        found = [choice for choice in choices if isinstance(choice, dict)] if choices else []
        some_have = any(choice.get("index") is not None for choice in found)
        for place, choice in enumerate(found):
            index = choice.get("index")
            if not (index is None and seen and _only_calls(choice)):
                key = _key(index, 0 if some_have else place)
                before = seen.get(key, 0)
                seen[key] = before + 1
                last = self._number((key, before) if before else key)
            yield last, choice

    def _number(self, key: Hashable) -> int:
        number = self._numbers.get(key)
        if number is None:
            number = key if type(key) is int and key not in self._taken else self._free()
            self._numbers[key] = number
            self._taken.add(number)
        return number

    def _free(self) -> int:
        number = len(self._taken)
        while number in self._taken:
            number += 1
        return number


def _key(index: Any, missing: int) -> Hashable:
    """Return the number that `index` is, or else a text that is the same for the same index.

    `missing` stands for an index that is missing.
    """
    if type(index) is int:
        return index
    if index is None:
        return missing
    if isinstance(index, str) and index.isascii() and index.isdecimal():
        return int(index) if len(index) <= _MOST_DIGITS else index
    if isinstance(index, float) and index.is_integer() and abs(index) < 10**_MOST_DIGITS:
        return int(index)
    return repr(index)


def _only_calls(choice: dict[str, Any]) -> bool:
    message = choice.get("message") or choice.get("delta")
    said = isinstance(message, dict) and message.get("content")
    return isinstance(message, dict) and not said and bool(message.get("tool_calls"))
