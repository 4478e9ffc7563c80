"""Wide files: a column of times, and a column of closes for each instrument."""

from dataclasses import replace as changed
from pathlib import Path

from tradingd.catalogue.errors import CatalogueError
from tradingd.catalogue.importing import Imported, import_files
from tradingd.catalogue.plan import Asked
from tradingd.catalogue.store import Catalogue
from tradingd.catalogue.tables import column_of, open_file

PANEL = "panel"
EACH = "*"


def import_panel(
    catalogue: Catalogue, file: Path, instruments: str, asked: Asked, *, replace: bool, strict: bool
) -> list[Imported]:
    """Bars of each column, with a close alone: highs and lows are never made up. Blank cells are no bars.

    `instruments` is VENUE:*, where the star stands for the column. Raises CatalogueError, DataRefusedError, OSError.
    """
    if instruments.count(EACH) != 1:
        raise CatalogueError("a panel has many instruments; name them by their columns: --instrument 'US:*'")
    there = open_file(file, asked.format).columns
    at = column_of(there, asked.columns.get("ts", "")) if asked.columns else None
    if at is None or set(asked.columns) != {"ts"}:
        raise CatalogueError(f"say which column of {file} is the time, and nothing else: --columns ts={there[0]}")
    return [
        import_files(
            catalogue,
            [file],
            instruments.replace(EACH, name.strip()),
            changed(asked, format="csv", columns={"ts": at, "close": name}, blanks=True),
            replace=replace,
            strict=strict,
        )
        for name in there
        if name != at
    ]
