"""The fenced code blocks of an answer, by CommonMark 0.31.2, sections 4.5 (fences) and 5.2 (lists).

Models nest fences that CommonMark cannot nest: a block of shell script that writes a file of
Markdown. So a fence with an info string inside a block opens an inner block, and the next bare
fence closes that one. Where the fences do not add up in the end, nobody can say which line ended
which block.
"""

import re
from collections.abc import Iterator

from llmcli.errors import BadRequest
from llmcli.system.dataclass import dataclass

# A fence and its info string; no backtick may stand behind a fence of backticks.
_FENCE = re.compile(r"(`{3,}(?=[^`]*$)|~{3,})[ \t]*(.*?)[ \t\r]*\n?$")
# What begins an item of a list: a bullet or a number, and white space or the end of the line.
_MARKER = re.compile(r"([-+*]|\d{1,9}[.)])(?=\s|$)")
# A column further in, a fence is the text of an indented block.
_MOST_INDENT = 3
_TAB = 4


@dataclass(frozen=True)
class Block:
    """A fenced block: the first word of its info string, its text, and its lines in the answer.

    `language` is in lower case and without braces, as `python` of "```{Python}"; "" without one.
    `first` and `last` are the numbers of the lines with its fences, from 0.
    """

    language: str
    text: str
    first: int
    last: int


@dataclass(frozen=True)
class _Fence:
    column: int
    marks: str
    info: str

    def closes(self, opening: "_Fence") -> bool:
        return not self.info and self.marks.startswith(opening.marks)

    def nests_in(self, opening: "_Fence") -> bool:
        # A shorter fence, or one of other marks, could not close the block: it is plain text.
        return bool(self.info) and self.marks.startswith(opening.marks)


class _Lists:
    """The list items that are open at a line: the columns at which their content begins."""

    def __init__(self) -> None:
        self._columns: list[int] = []
        self._after_text = False

    def content_of(self, line: str) -> tuple[int, str]:
        """Return the column at which `line` says something, and the text from there on.

        The markers of list items are passed over, and the items that they begin are noted.
        """
        text = line.lstrip(" \t")
        if not text.strip():
            self._after_text = False
            return 0, ""
        column = _width(line[: len(line) - len(text)])
        # A line less indented goes on with a paragraph, but behind a blank line it ends the item.
        if not self._after_text or _MARKER.match(text) or _FENCE.match(text):
            self._columns = [c for c in self._columns if c <= column]
        while self.indent(column) <= _MOST_INDENT and (marker := _MARKER.match(text)):
            rest = text[marker.end() :].lstrip(" \t")
            blanks = _width(text[marker.end() : len(text) - len(rest)]) if rest.strip() else 1
            column += marker.end() + (blanks if blanks <= _MOST_INDENT + 1 else 1)
            self._columns.append(column)
            text = rest
        self._after_text = True
        return column, text

    def indent(self, column: int) -> int:
        """Return how far `column` is from the content of the innermost item that it is in."""
        return column - max((c for c in self._columns if c <= column), default=0)


def blocks(text: str) -> list[Block]:
    """Return the fenced blocks of `text`, in their order, without the blocks within them.

    A block in a list loses the indentation of its fence. Raise BadRequest if a block is not closed.
    """
    return list(_blocks(text))


def only_block(text: str) -> Block | None:
    """Return the block that is all of `text`, but for white space around it; None for other text.

    Raise BadRequest if a block is not closed.
    """
    stripped = text.strip()
    found = blocks(stripped) if stripped[:3] in ("```", "~~~") else []
    whole = len(found) == 1 and found[0].last == stripped.count("\n")
    return found[0] if whole else None


def _blocks(text: str) -> Iterator[Block]:
    lists = _Lists()
    open_fences: list[_Fence] = []
    inside: list[str] = []
    first = 0
    for number, line in enumerate(_lines(text)):
        if not open_fences:
            column, said = lists.content_of(line)
            if lists.indent(column) <= _MOST_INDENT and (fence := _fence(column, said)):
                open_fences, inside, first = [fence], [], number
            continue
        outer = open_fences[0]
        fence = _fence(_indent(line), line.lstrip(" \t"))
        if fence and fence.column - outer.column <= _MOST_INDENT:
            if fence.closes(open_fences[-1]):
                open_fences.pop()
            elif fence.nests_in(open_fences[-1]):
                open_fences.append(fence)
        if open_fences:
            inside.append(_unindented(line, outer.column))
        else:
            yield Block(_language(outer.info), "".join(inside), first, number)
    if open_fences:
        problem = f"a fenced block that opens in line {first + 1} is not closed"
        raise BadRequest(f"the fences of the answer do not add up: {problem}")


def _lines(text: str) -> list[str]:
    """Return the lines of `text` with their ends; a form feed or U+2028 is part of a line."""
    return re.findall(r"[^\n]*\n|[^\n]+", text)


def _fence(column: int, said: str) -> _Fence | None:
    match = _FENCE.match(said)
    return _Fence(column, match[1], match[2]) if match else None


def _language(info: str) -> str:
    word = info.split()[0] if info.split() else ""
    return word.strip("{}.,").lower()


def _indent(line: str) -> int:
    return _width(line[: len(line) - len(line.lstrip(" \t"))])


def _width(blanks: str) -> int:
    return len(blanks.expandtabs(_TAB))


def _unindented(line: str, columns: int) -> str:
    """Return `line` without its white space in the first `columns` columns; a tab fills up to 4."""
    column = at = 0
    while column < columns and line[at : at + 1] in (" ", "\t"):
        column += _TAB - column % _TAB if line[at] == "\t" else 1
        at += 1
    return " " * max(column - columns, 0) + line[at:]
