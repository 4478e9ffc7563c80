"""Tick files as pieces of a table, whatever their format, read piece by piece."""

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import msgspec
import polars as pl

from tradingd.feeds.contract import FeedConfigError
from tradingd.feeds.reading import FileDamagedError, line_chunks, open_bytes

PIECE_ROWS = 500_000  # of formats that are not read by the byte
BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Piece:
    """Some rows of a file. Cells are text (CSV, JSON) or typed (Parquet); an absent one is null or empty.

    first_line   where the first row stands in the file, counting from 1
    malformed    why a row is none, by its place in the piece; its cells are null
    text         a row as it stood in the file
    """

    frame: pl.DataFrame
    first_line: int
    text: Callable[[int], str]
    malformed: dict[int, str] = field(default_factory=dict)


class Table(Protocol):
    columns: list[str]

    def pieces(self, used: Sequence[str]) -> Iterator[Piece]:
        """The used columns. Raises FileDamagedError where the file can not be read to its end."""
        ...


def open_table(path: Path, feed: str) -> Table:
    """By content, not by name. Raises FeedConfigError where the file is none of the known formats."""
    with open_bytes(path) as file:
        start = file.read(64).removeprefix(BOM).lstrip()
    try:
        if start.startswith(b"PAR1"):
            return ParquetTable(path)
        if start.startswith(b"["):
            return JsonTable(path)
        return CsvTable(path)
    except (OSError, UnicodeDecodeError, csv.Error, pl.exceptions.PolarsError) as error:
        raise FeedConfigError(f"feed {feed}: {path} is neither CSV, JSON rows nor Parquet: {error}") from error


class CsvTable:
    """Comma-separated with a header line. Polars reads what is regular; other lines are looked at one by one."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with open_bytes(path) as file:
            self._header = file.readline().removeprefix(BOM).rstrip(b"\r\n")
        self.columns = next(csv.reader([self._header.decode()]))

    def pieces(self, used: Sequence[str]) -> Iterator[Piece]:
        line_no = 1
        for lines in line_chunks(self._path):
            rows = lines[1:] if line_no == 1 else lines
            first_line = max(line_no, 2)
            line_no += len(lines)
            if rows:
                yield self._piece(rows, first_line, used)

    def _piece(self, lines: list[bytes], first_line: int, used: Sequence[str]) -> Piece:
        frame = self._frame(lines, used)
        malformed: dict[int, str] = {}
        if frame is None:
            frame, malformed = self._frame_by_line(lines, used)
        return Piece(frame, first_line, lambda row: lines[row].decode("utf-8", "backslashreplace"), malformed)

    def _frame(self, lines: list[bytes], used: Sequence[str]) -> pl.DataFrame | None:
        """None where some line is not what a plain split at the commas gives: Polars would drop or fill its fields."""
        commas = len(self.columns) - 1
        if any(line.count(b",") != commas for line in lines):
            return None
        try:
            text = b"\n".join([self._header, *lines])
            frame = pl.read_csv(text, columns=[self.columns.index(name) for name in used], infer_schema=False)
        except pl.exceptions.PolarsError:
            return None
        return frame.rename(dict(zip(frame.columns, used, strict=True))) if len(frame) == len(lines) else None

    def _frame_by_line(self, lines: list[bytes], used: Sequence[str]) -> tuple[pl.DataFrame, dict[int, str]]:
        malformed: dict[int, str] = {}
        rows: list[list[str]] = []
        for row, line in enumerate(lines):
            fields = _fields(line)
            if len(fields) != len(self.columns):
                malformed[row] = f"{len(fields)} fields where the header has {len(self.columns)}"
                fields = [""] * len(self.columns)
            rows.append(fields)
        return _text_frame({name: [cells[self.columns.index(name)] for cells in rows] for name in used}), malformed


class JsonTable:
    """One JSON array of rows, each an array of the same width; columns are named by their number. Read as a whole."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with open_bytes(path) as file:
            first_row = file.read(1 << 16).partition(b"]")[0].lstrip(BOM + b" \t\r\n[") + b"]"
        self.columns = [str(number) for number in range(_width(b"[" + first_row))]

    def pieces(self, used: Sequence[str]) -> Iterator[Piece]:
        rows = self._rows()
        for start in range(0, len(rows), PIECE_ROWS):
            yield self._piece(rows[start : start + PIECE_ROWS], start + 1, used)

    def _rows(self) -> list[Any]:
        try:
            with open_bytes(self._path) as file:
                return msgspec.json.decode(file.read(), type=list[Any])
        except (msgspec.DecodeError, OSError, EOFError) as error:
            raise FileDamagedError(f"the file can not be read: {error}") from error

    def _piece(self, rows: list[Any], first_line: int, used: Sequence[str]) -> Piece:
        width = len(self.columns)
        malformed = {
            place: f"the row is no array of {width} values"
            for place, row in enumerate(rows)
            if not isinstance(row, list) or len(row) != width
        }
        cells = {
            name: [None if place in malformed else _cell(row[int(name)]) for place, row in enumerate(rows)]
            for name in used
        }
        return Piece(_text_frame(cells), first_line, lambda row: msgspec.json.encode(rows[row]).decode(), malformed)


class ParquetTable:
    """Columns keep their types; a NaN counts as absent."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.columns = list(pl.read_parquet_schema(path))

    def pieces(self, used: Sequence[str]) -> Iterator[Piece]:
        start = 0
        while len(frame := self._read(start, used)):
            yield Piece(frame, start + 1, lambda row, frame=frame: str(frame.row(row, named=True)))  # type: ignore[misc]
            start += len(frame)

    def _read(self, start: int, used: Sequence[str]) -> pl.DataFrame:
        try:
            return pl.scan_parquet(self._path).select(used).slice(start, PIECE_ROWS).collect()
        except (OSError, pl.exceptions.PolarsError) as error:
            raise FileDamagedError(f"the file can not be read any further: {error}") from error


def _text_frame(cells: dict[str, list[Any]]) -> pl.DataFrame:
    return pl.DataFrame(cells, schema=dict.fromkeys(cells, pl.String))


def _fields(line: bytes) -> list[str]:
    try:
        return next(csv.reader(io.StringIO(line.decode("utf-8", "backslashreplace"), newline="")), [])
    except csv.Error:
        return []


def _width(row: bytes) -> int:
    try:
        return len(msgspec.json.decode(row, type=list[Any]))
    except msgspec.DecodeError:
        return 0


def _cell(value: Any) -> str | None:
    """Text of a JSON scalar; numbers so that they read back as the same float."""
    return None if value is None else value if isinstance(value, str) else str(value)
