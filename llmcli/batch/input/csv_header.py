"""The header of a CSV table: the names of its columns, and the fields that a row has by it."""

from collections.abc import Iterable, Sequence

from llmcli.errors import UsageError

# Characters of a header that an error shows.
_SHOWN = 200
_BOM = "\ufeff"


class Header:
    """The names in a header, which are empty for columns without one, as in pandas' `,a,b`.

    `keys` are what the fields of a row are called: by the name of the column. The first column
    without a name is the field "", and any other is `column N`, where N is its place from 1. Raises
    UsageError for a name that stands in the header twice.
    """

    def __init__(self, cells: Sequence[str]) -> None:
        # A mark may stand behind the first as well, in a file that was put together.
        self.names = [cell.replace(_BOM, "").strip() for cell in cells]
        named = [name for name in self.names if name]
        if len(set(named)) < len(named):
            shown = ", ".join(self.names)[:_SHOWN]
            raise UsageError(f"the CSV header names a column twice: {shown}")
        nameless = self.names.index("") if "" in self.names else None
        self.keys = [
            name or ("" if place == nameless else self._key(place))
            for place, name in enumerate(self.names)
        ]
        self._extra = {*self.keys} - {*self.names}

    def fields(self, cells: Iterable[str]) -> dict[str, str]:
        """Return the fields of a row that has no more cells than the header.

        Spreadsheets write columns without a name behind the last one: they are fields only where
        something stands in them, but for the first, which is one always.
        """
        pairs = zip(self.keys, cells, strict=False)
        return {key: cell for key, cell in pairs if cell or key not in self._extra}

    def shown(self, cells: Sequence[str]) -> dict[str, str]:
        """Return what results show of a row that is malformed: cells beyond the header as well."""
        beyond = range(len(self.keys), len(cells))
        return {**self.fields(cells), **{self._key(place): cells[place] for place in beyond}}

    def _key(self, place: int) -> str:
        key = f"column {place + 1}"
        while key in self.names:
            key += "_"
        return key
