"""Tables on stdout: aligned by rich on a terminal, tab-separated lines in a pipe."""

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
    *,
    bars: bool = False,
) -> None:
    """Print `rows`, each with as many cells as `heading`; in a pipe without the heading.

    Columns whose heading begins with a character of `right` are aligned to the right and are never
    wrapped. `bars` says that the last column is a chart, which is left out of a narrow terminal.
    Raise WriteError if stdout cannot be written.
    """
    if not environment.is_terminal(STDOUT):
        for row in rows:
            print_line("\t".join(harmless(cell).replace("\t", " ") for cell in row))
        return
    from rich.console import Console  # noqa: PLC0415  # needed on a terminal only

    # Only one that is not empty counts (https://no-color.org), which is also how rich reads it.
    console = Console(highlight=False, no_color=bool(environment.variables.get("NO_COLOR")))
    table = _table(heading, rows, right)
    if bars and _narrowest(table) > console.width:
        table = _table(heading[:-1], [row[:-1] for row in rows], right)
    # rich would cut numbers off to fit the terminal; a line that the terminal breaks is whole.
    console.width = max(console.width, _narrowest(table))
    console.print(table)


def _table(heading: Sequence[str], rows: Rows, right: str) -> "Table":
    from rich.table import Table  # noqa: PLC0415  # needed on a terminal only
    from rich.text import Text  # noqa: PLC0415  # needed on a terminal only

    table = Table(box=None, pad_edge=False, header_style="bold")
    for name, *cells in zip(heading, *rows, strict=True):
        if name[:1] in right:
            longest = max(map(len, (name, *cells)))
            table.add_column(name, justify="right", no_wrap=True, min_width=longest)
        else:
            table.add_column(name)
    for row in rows:
        # As Text, since rich would read a cell such as "[bold]" as markup.
        table.add_row(*(Text(harmless(cell)) for cell in row))
    return table


def _narrowest(table: "Table") -> int:
    """Return the least width, in columns, at which no word of `table` is broken."""
    from rich.console import Console  # noqa: PLC0415  # needed on a terminal only

    wide = Console(width=10_000)
    return wide.measure(table).minimum
