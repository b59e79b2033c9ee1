"""Tables: aligned on a terminal, by rich; tab-separated lines, without a heading, in a pipe."""

from collections.abc import Sequence

from ..environment import STDOUT, Environment, print_line
from ..terminal import harmless

Rows = Sequence[Sequence[str]]


def show(environment: Environment, heading: Sequence[str], rows: Rows, right: str = "") -> None:
    """`right` names the columns of numbers, by their headings' first letters."""
    if not environment.is_terminal(STDOUT):
        for row in rows:
            print_line("\t".join(harmless(cell).replace("\t", " ") for cell in row))
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in heading:
        number = name[:1] in right
        table.add_column(name, justify="right" if number else "left", no_wrap=number)
    for row in rows:
        table.add_row(*(Text(harmless(cell)) for cell in row))
    Console(highlight=False, no_color="NO_COLOR" in environment.variables or None).print(table)
