"""Bars as a backtest takes them: columns of one instrument, checked once."""

import hashlib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Self

import numpy as np
import polars as pl

from tradingd.backtesting.errors import BacktestError
from tradingd.columns import BAR, DAY_TIMEFRAME, F64, I64, TIMEFRAME_NS, BarArray

TIMES = ("ts_open_ns", "ts_close_ns")
PRICES = ("open", "high", "low", "close")
DECIMALS_MAX = 8


@dataclass(frozen=True, slots=True)
class Bars:
    """ts_open_ns, ts_close_ns   UTC; a bar is known at its close
    open, high, low, close    finite
    volume                    0 where none is known
    """

    ts_open_ns: I64
    ts_close_ns: I64
    open: F64
    high: F64
    low: F64
    close: F64
    volume: F64

    @classmethod
    def of(cls, frame: pl.DataFrame, where: str = "the frame") -> Self:
        """Raises BacktestError: no rows, a column that is missing, times that do not rise, prices that can not be."""
        if missing := [name for name in (*TIMES, *PRICES) if name not in frame.columns]:
            raise BacktestError(f"{where} has no column {', '.join(missing)}; it has {', '.join(frame.columns)}")
        if frame.is_empty():
            raise BacktestError(f"{where} has no bars")
        if "volume" not in frame.columns:
            frame = frame.with_columns(volume=pl.lit(0.0))
        frame = frame.with_columns(pl.col("volume").cast(pl.Float64, strict=False).fill_nan(None).fill_null(0.0))
        kinds = dict.fromkeys(TIMES, pl.Int64) | dict.fromkeys((*PRICES, "volume"), pl.Float64)
        bars = cls(*[_column(frame, name, kind, where).to_numpy() for name, kind in kinds.items()])
        bars._check(where)
        return bars

    def __len__(self) -> int:
        return len(self.close)

    def _check(self, where: str) -> None:
        opened, closed = self.ts_open_ns, self.ts_close_ns
        _refuse(opened >= closed, where, "a bar that closes before it opens")
        _refuse(
            np.append(False, opened[1:] < closed[:-1]), where, "a bar that opens before the one before it has closed"
        )
        for name in PRICES:
            _refuse(~np.isfinite(getattr(self, name)), where, f"no {name}")
        _refuse(self.high < self.low, where, "a high below the low")

    def blank(self, count: int) -> BarArray:
        """`count` records of columns.BAR, yet without times and prices; how they were traded is not known."""
        array = np.zeros(count, BAR)
        length_ns = int(self.ts_close_ns[0] - self.ts_open_ns[0])
        array["timeframe"] = TIMEFRAME_NS.index(length_ns) if length_ns in TIMEFRAME_NS else DAY_TIMEFRAME
        array["vwap"] = np.nan
        return array

    def records(self) -> BarArray:
        """As strategies see them."""
        array = self.blank(len(self))
        array["ts_open"], array["ts_close"] = self.ts_open_ns, self.ts_close_ns
        for name in (*PRICES, "volume"):
            array[name] = getattr(self, name)
        return array

    def digest(self) -> str:
        """Of all columns; what a report names."""
        digest = hashlib.blake2b(digest_size=16)
        for column in fields(self):
            digest.update(np.ascontiguousarray(getattr(self, column.name)).tobytes())
        return digest.hexdigest()

    def tick_size(self) -> float:
        """The coarsest power of ten that all prices are multiples of; one of eight digits where there is none."""
        prices = np.concatenate([getattr(self, name) for name in PRICES])
        smallest = np.abs(prices[prices != 0.0]).min(initial=1.0)
        most = DECIMALS_MAX - int(np.floor(np.log10(smallest)))
        for decimals in range(most):
            if np.array_equal(np.round(prices, decimals), prices):
                return float(f"1e-{decimals}")
        return float(f"1e-{most}")


def read_bars(path: Path) -> Bars:
    """Parquet or CSV with the columns of a catalogue. Raises BacktestError, OSError."""
    if not path.is_file():
        raise BacktestError(f"{path} is no file; give bars as Parquet or CSV: `trade data import` makes such files")
    read = pl.read_csv if path.suffix == ".csv" else pl.read_parquet
    try:
        frame = read(path)
    except pl.exceptions.PolarsError as error:
        raise BacktestError(
            f"{path} can not be read as {path.suffix[1:] or 'Parquet'}: {str(error).splitlines()[0]}"
        ) from error
    return Bars.of(frame, str(path))


def _column(frame: pl.DataFrame, name: str, kind: Any, where: str) -> pl.Series:
    column = frame[name]
    if column.dtype == pl.Datetime and name in TIMES:
        column = column.dt.epoch("ns")
    if not column.dtype.is_numeric():
        raise BacktestError(f"{where}: column {name} holds {column.dtype}, not numbers")
    if column.null_count():
        row = int(column.is_null().arg_max() or 0)
        raise BacktestError(f"{where}: row {row} has no {name}; a gap is a row that is not there")
    if column.dtype == pl.Float32:  # its decimals are meant, not its bits
        column = column.cast(pl.String)
    try:
        return column.cast(kind)
    except pl.exceptions.PolarsError as error:
        raise BacktestError(f"{where}: column {name} does not fit: {str(error).splitlines()[0]}") from error


def _refuse(wrong: Any, where: str, what: str) -> None:
    if wrong.any():
        raise BacktestError(f"{where}: row {int(wrong.argmax())} has {what}; `trade data check` finds all of them")
