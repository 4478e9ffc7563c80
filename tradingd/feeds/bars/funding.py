"""Recorded funding rates: when a venue has charged for holding, and how much."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import polars as pl

from tradingd.columns import F64, I64
from tradingd.events import FundingRate
from tradingd.feeds.bars.table import BarsError
from tradingd.feeds.rows import Rows, empty_columns

MINUTE_NS = 60_000_000_000
READERS = {".csv": pl.read_csv, ".feather": pl.read_ipc, ".parquet": pl.read_parquet}
TIMES, RATES = ("ts_ns", "date"), ("rate", "open")


@dataclass(frozen=True, slots=True)
class Funding:
    """ts_ns   instants in UTC, rising
    rate    of the value of a position, which longs pay where it is positive
    """

    ts_ns: I64
    rate: F64

    @classmethod
    def of(cls, frame: pl.DataFrame, where: str = "the frame") -> Self:
        """Columns `ts_ns` (int) or `date` (a date-time, of UTC where it has no zone), and `rate`, or `open` as in files
        of Freqtrade. Venues stamp an instant some milliseconds late: times are cut to the minute. Raises BarsError."""
        ts_ns = _times(frame[_one_of(TIMES, frame, where)], where) // MINUTE_NS * MINUTE_NS
        rate = frame[_one_of(RATES, frame, where)].cast(pl.Float64).fill_null(np.nan).to_numpy()
        _refuse(~(np.abs(rate) < 1), where, "no rate between -1 and 1")
        _refuse(np.append(False, ts_ns[1:] <= ts_ns[:-1]), where, "a time that is not after the one before it")
        return cls(ts_ns, rate)

    def __len__(self) -> int:
        return len(self.rate)

    def part(self, kept: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> "Funding":
        return Funding(self.ts_ns[kept], self.rate[kept])

    def frame(self) -> pl.DataFrame:
        return pl.DataFrame({"ts_ns": self.ts_ns, "rate": self.rate})

    def digest(self) -> str:
        return hashlib.blake2b(self.ts_ns.tobytes() + self.rate.tobytes(), digest_size=16).hexdigest()

    def rows(self, feed: str, instrument: int, file: int = 0) -> Rows:
        """Each as an input at its time."""
        columns = empty_columns(len(self))
        columns["instrument"][:], columns["file"][:] = instrument, file
        columns["ts_event_ns"][:] = columns["ts_received_ns"][:] = self.ts_ns
        columns["line"][:] = np.arange(len(self))
        return Rows(columns, told={n: FundingRate(feed, instrument, rate) for n, rate in enumerate(self.rate.tolist())})


def read_funding(path: Path) -> Funding:
    """CSV, Parquet or Feather. Raises BarsError, OSError."""
    if not path.is_file():
        raise BarsError(f"{path} is no file; give funding rates as CSV, Parquet or Feather")
    try:
        return Funding.of(READERS.get(path.suffix, pl.read_parquet)(path), str(path))
    except pl.exceptions.PolarsError as error:
        raise BarsError(f"{path} can not be read as funding rates: {str(error).splitlines()[0]}") from error


def _one_of(names: tuple[str, ...], frame: pl.DataFrame, where: str) -> str:
    found = next((name for name in names if name in frame.columns), None)
    if found is None:
        raise BarsError(f"{where} has no column {' or '.join(names)}; it has {', '.join(frame.columns)}")
    return found


def _times(column: pl.Series, where: str) -> I64:
    if column.dtype == pl.String:
        column = column.str.to_datetime(time_unit="ns", time_zone="UTC")
    if column.dtype == pl.Datetime:
        column = column.dt.epoch("ns")
    if not column.dtype.is_integer():
        raise BarsError(f"{where}: column {column.name} holds {column.dtype}; give ts_ns in nanoseconds, or date-times")
    _refuse(column.is_null().to_numpy(), where, "no time")
    return column.cast(pl.Int64).to_numpy()


def _refuse(wrong: np.ndarray[tuple[int], np.dtype[np.bool_]], where: str, what: str) -> None:
    if wrong.any():
        raise BarsError(f"{where}: row {int(wrong.argmax())} has {what}")
