"""Bars of one instrument as columns, checked once: what backtests run on and what the feed of bars plays."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from itertools import chain
from pathlib import Path
from typing import Any, Self

import numpy as np
import polars as pl

from tradingd.columns import BAR, DAY_TIMEFRAME, F64, I64, TIMEFRAME_NS, BarArray
from tradingd.instruments import Instrument

TIMES = ("ts_open_ns", "ts_close_ns")
PRICES = ("open", "high", "low", "close")
DECIMALS_MAX = 8
BLOCK = 16_384  # prices that are looked at together: most powers fail at the first of them
SHORTEST_NS = 5  # of a bar: it opens, trades at its worst, and closes; feeds.bars.rows has when


class BarsError(ValueError):
    """Bars that can not be taken; one line that says what, where and what to do."""


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
        """Raises BarsError: no rows, a column that is missing, times that do not rise, prices that can not be."""
        return cls._of(frame.columns, frame.__getitem__, where)

    @classmethod
    def _of(cls, names: Sequence[str], series: Callable[[str], pl.Series], where: str) -> Self:
        if missing := [name for name in (*TIMES, *PRICES) if name not in names]:
            has = ", ".join(name or "''" for name in names)
            raise BarsError(
                f"{where} has no column {', '.join(missing)}; it has {has}; `trade data import` makes bars of a file"
            )
        times = [_numbers(series(name), pl.Int64, where) for name in TIMES]
        if not len(times[0]):
            raise BarsError(f"{where} has no bars")
        prices = [_numbers(series(name), pl.Float64, where) for name in PRICES]
        volume = _volume(series("volume")) if "volume" in names else np.zeros(len(times[0]))
        columns = [*times, *prices, volume]
        bars = cls(*columns)
        bars._check(where)
        return bars

    def __len__(self) -> int:
        return len(self.close)

    def _check(self, where: str) -> None:
        opened, closed = self.ts_open_ns, self.ts_close_ns
        _refuse(opened >= closed, where, "a bar that closes before it opens")
        _refuse(closed - opened < SHORTEST_NS, where, f"a bar of less than {SHORTEST_NS} ns")
        _refuse(
            np.append(False, opened[1:] < closed[:-1]), where, "a bar that opens before the one before it has closed"
        )
        for name in PRICES:
            _refuse(~np.isfinite(getattr(self, name)), where, f"no {name}")
        _refuse(self.high < self.low, where, "a high below the low")

    def check_for(self, instrument: Instrument) -> None:
        """Raises BarsError for what would be traded at another price, or at another time, than it had."""
        if not instrument.negative_prices and self.low.min() < instrument.tick_size / 2:
            row = int(np.argmax(self.low < instrument.tick_size / 2))
            raise BarsError(
                f"bar {row} has a low of {self.low[row]:g}, and the tick size is {instrument.tick_size:g}; set "
                "instrument.negative_prices=true if prices are at or below 0 there"
            )

    def blank(self, count: int) -> BarArray:
        """`count` records of columns.BAR, yet without times and prices; how they were traded is not known."""
        array = np.zeros(count, BAR)
        array["timeframe"], array["trades"], array["vwap"] = self.timeframe, 1, np.nan
        return array

    @property
    def timeframe(self) -> int:
        """Index in TIMEFRAMES of the length of the first bar; where it is none of them the longest."""
        length_ns = int(self.ts_close_ns[0] - self.ts_open_ns[0])
        return TIMEFRAME_NS.index(length_ns) if length_ns in TIMEFRAME_NS else DAY_TIMEFRAME

    def records(self) -> BarArray:
        """As strategies see them."""
        array = self.blank(len(self))
        array["ts_open"], array["ts_close"] = self.ts_open_ns, self.ts_close_ns
        for name in (*PRICES, "volume"):
            array[name] = getattr(self, name)
        return array

    def frame(self) -> pl.DataFrame:
        return pl.DataFrame({column.name: getattr(self, column.name) for column in fields(self)})

    def digest(self) -> str:
        """Of all columns; what a report names."""
        digest = hashlib.blake2b(digest_size=16)
        for column in fields(self):
            digest.update(np.ascontiguousarray(getattr(self, column.name)).tobytes())
        return digest.hexdigest()

    def tick_size(self) -> float:
        """The coarsest power of ten that all prices are multiples of; one of eight digits where there is none."""
        columns = (np.split(getattr(self, name), range(BLOCK, len(self), BLOCK)) for name in PRICES)
        parts = list(chain.from_iterable(zip(*columns, strict=True)))
        smallest = min(np.abs(prices[prices != 0.0]).min(initial=1.0) for prices in parts)
        most = DECIMALS_MAX - int(np.floor(np.log10(smallest)))
        for decimals in range(most):
            if all(np.array_equal(np.round(prices, decimals), prices) for prices in parts):
                return float(f"1e-{decimals}")
        return float(f"1e-{most}")


def read_bars(path: Path) -> Bars:
    """Parquet or CSV with the columns of a catalogue. Raises BarsError, OSError."""
    if not path.is_file():
        raise BarsError(f"{path} is no file; give bars as Parquet or CSV: `trade data import` makes such files")
    try:
        return _read_csv(path) if path.suffix == ".csv" else _read_parquet(path)
    except pl.exceptions.PolarsError as error:
        raise BarsError(
            f"{path} can not be read as {path.suffix[1:] or 'Parquet'}: {str(error).splitlines()[0]}"
        ) from error


def _read_csv(path: Path) -> Bars:
    return Bars.of(pl.read_csv(path), str(path))


def _read_parquet(path: Path) -> Bars:
    """A column at a time, so that only one of them is there twice."""
    names = list(pl.read_parquet_schema(path))
    return Bars._of(names, lambda name: pl.read_parquet(path, columns=[name]).to_series(), str(path))


def _volume(column: pl.Series) -> F64:
    """0 where none is known."""
    volume: F64 = _array(column.cast(pl.Float64, strict=False).fill_nan(None).fill_null(0.0))
    return volume


def _numbers(column: pl.Series, kind: Any, where: str) -> Any:
    name = column.name
    if column.dtype == pl.Datetime and name in TIMES:
        column = column.dt.epoch("ns")
    if not column.dtype.is_numeric():
        raise BarsError(f"{where}: column {name} holds {column.dtype}, not numbers")
    if column.null_count():
        row = int(column.is_null().arg_max() or 0)
        raise BarsError(f"{where}: row {row} has no {name}; a gap is a row that is not there")
    if column.dtype == pl.Float32:  # its decimals are meant, not its bits
        column = column.cast(pl.String)
    try:
        return _array(column.cast(kind))
    except pl.exceptions.PolarsError as error:
        raise BarsError(f"{where}: column {name} does not fit: {str(error).splitlines()[0]}") from error


def _array(column: pl.Series) -> Any:
    """Where a column is in pieces they are joined in memory of NumPy, which asks the system for large pages."""
    if column.n_chunks() == 1:
        return column.to_numpy()
    return np.concatenate([chunk.to_numpy() for chunk in column.get_chunks()])


def _refuse(wrong: Any, where: str, what: str) -> None:
    if wrong.any():
        raise BarsError(f"{where}: row {int(wrong.argmax())} has {what}; `trade data check` finds all of them")
