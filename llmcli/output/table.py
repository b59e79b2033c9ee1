"""Tables: aligned on a terminal, by rich; tab-separated lines, without a heading, in a pipe."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from llmcli.system.environment import Environment
from llmcli.system.stdio import STDOUT, print_line
from llmcli.system.text import harmless

if TYPE_CHECKING:
    from rich.table import Table

Rows = Sequence[Sequence[str]]


def show_table(
    environment: Environment,
    heading: Sequence[str],
    rows: Rows,
    right: str = "",
    bars: bool = False,
) -> None:
    """`right` names the columns of numbers, by their headings' first letters; `bars`: the last is
    left out where there is no room for it."""
    if not environment.is_terminal(STDOUT):
        for row in rows:
            print_line("\t".join(harmless(cell).replace("\t", " ") for cell in row))
        return
    from rich.console import Console

    console = Console(highlight=False, no_color="NO_COLOR" in environment.variables or None)
    table = _table(heading, rows, right)
    if bars and _narrowest(table) > console.width:
        table = _table(heading[:-1], [row[:-1] for row in rows], right)
    # No figure is cut off: the terminal breaks what is longer than its lines.
    console.width = max(console.width, _narrowest(table))
    console.print(table)


def _table(heading: Sequence[str], rows: Rows, right: str) -> "Table":
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for name, *cells in zip(heading, *rows, strict=True):
        if name[:1] in right:
            longest = max(map(len, (name, *cells)))
            table.add_column(name, justify="right", no_wrap=True, min_width=longest)
        else:
            table.add_column(name)
    for row in rows:
        table.add_row(*(Text(harmless(cell)) for cell in row))
    return table


def _narrowest(table: "Table") -> int:
    """The width in which each of its words is whole."""
    from rich.console import Console

    wide = Console(width=10_000)
    return wide.measure(table).minimum
