"""Files as pieces of a table: the formats of feeds, and two more."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import polars as pl

from tradingd.catalogue import dbn, zstd_frames
from tradingd.catalogue.dbn import DbnTable
from tradingd.catalogue.errors import CatalogueError
from tradingd.catalogue.formats import DBN
from tradingd.feeds.contract import FeedConfigError
from tradingd.feeds.files.tables import Piece, Table, open_table
from tradingd.feeds.reading import open_bytes

FEATHER = b"ARROW1"
_WHO = "import"  # feeds put their name before what they say


def open_file(path: Path, format_name: str) -> Table:
    """By content; DBN only where the format says so, since it needs a package.

    Raises CatalogueError where it is no file, nothing is in it, or it is of no known kind.
    """
    start = _start_of(path)
    if not start:
        raise CatalogueError(f"{path} is empty")
    if format_name == DBN:
        return DbnTable(path)
    if start.startswith((dbn.MAGIC, zstd_frames.MAGIC)):
        raise CatalogueError(f"{path} begins like a DBN file; import it with --format {DBN}")
    try:
        if start.startswith(FEATHER):
            return FrameTable(pl.read_ipc(path))
        if start.lstrip().startswith(b"{"):
            return FrameTable(_bars_of_json(path))
        return open_table(path, _WHO)
    except FeedConfigError as error:
        raise CatalogueError(str(error).removeprefix(f"feed {_WHO}: ")) from error
    except (pl.exceptions.PolarsError, msgspec.MsgspecError) as error:
        raise CatalogueError(f"{path} can not be read: {str(error).splitlines()[0]}") from error


class FrameTable:
    """A table that is read as a whole; cells are typed, or text."""

    def __init__(self, frame: pl.DataFrame) -> None:
        self._frame = frame
        self.columns = frame.columns

    def pieces(self, used: Sequence[str]) -> Iterator[Piece]:
        if len(self._frame):
            yield Piece(self._frame.select(used), 1, lambda row: str(self._frame.row(row, named=True)))


class _Answer(msgspec.Struct):
    """What the TradeStation API answers, as JSON."""

    Bars: list[dict[str, Any]]


def _bars_of_json(path: Path) -> pl.DataFrame:
    with open_bytes(path) as file:
        bars = msgspec.json.decode(file.read(), type=_Answer).Bars
    names = list(dict.fromkeys(name for bar in bars for name in bar))
    return pl.DataFrame({name: [_text(bar.get(name)) for bar in bars] for name in names})


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _start_of(path: Path) -> bytes:
    if path.is_dir():
        raise CatalogueError(f"{path} is a folder; name the files in it")
    if not path.exists():
        raise CatalogueError(f"there is no file {path}")
    try:
        with open_bytes(path) as file:
            return file.read(16)
    except (EOFError, OSError) as error:
        raise CatalogueError(f"{path} can not be read: {error}") from error


def column_of(columns: Sequence[str], wanted: str) -> str | None:
    """The column of that name, or the only one that differs from it in case or in spaces around it alone."""
    if columns.count(wanted) == 1:
        return wanted
    near = [name for name in columns if name.strip().casefold() == wanted.casefold()]
    return near[0] if len(near) == 1 else None
