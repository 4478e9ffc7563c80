"""Files of depth and trades by the name of their format: what `trade depth` reads."""

import enum
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

from tradingd.backtesting.depth.binance import read_binance
from tradingd.backtesting.depth.events import DepthEvents
from tradingd.backtesting.depth.tardis import read_tardis
from tradingd.backtesting.depth.ticks import from_ticks
from tradingd.backtesting.errors import BacktestError


class Format(enum.StrEnum):
    EVENTS = "events"
    BINANCE = "binance"
    TARDIS = "tardis"
    TICKS = "ticks"


CLOCKS = ("clock_offset_ns", "feed_latency_ns")
OPTIONS = {
    Format.EVENTS: (),
    Format.BINANCE: ("symbol", "gaps", *CLOCKS),
    Format.TARDIS: ("trades", *CLOCKS),
    Format.TICKS: ("trades", *CLOCKS),
}


def read_depth(
    path: Path, form: Format, options: Mapping[str, Any], *, tick_size: float, lot_size: float
) -> DepthEvents:
    """A file of one instrument. options: of OPTIONS; `trades` is a path. Raises BacktestError, OSError."""
    for name in options:
        _refuse_stray(name, form)
    for file in (path, *(value for value in options.values() if isinstance(value, Path))):
        if not file.is_file():
            raise BacktestError(f"{file} is no file; give recorded depth: docs/depth.md names the formats")
    events: DepthEvents = _READERS[form](path, tick_size=tick_size, lot_size=lot_size, **options)
    return events


def _refuse_stray(name: str, form: Format) -> None:
    if name not in OPTIONS[form]:
        takes = ", ".join(each for each in Format if name in OPTIONS[each])
        raise BacktestError(f"{name} does not go with the format {form}; it goes with {takes}")


def _events(path: Path, *, tick_size: float, lot_size: float) -> DepthEvents:
    return DepthEvents.of(_frame(path), tick_size=tick_size, lot_size=lot_size)


def _ticks(path: Path, *, trades: Path | None = None, **grids_and_clocks: Any) -> DepthEvents:
    return from_ticks(_frame(path), _frame(trades) if trades else None, **grids_and_clocks)


def _frame(path: Path) -> pl.DataFrame:
    try:
        return pl.read_csv(path) if path.suffix == ".csv" else pl.read_parquet(path)
    except pl.exceptions.PolarsError as error:
        kind = "CSV" if path.suffix == ".csv" else "Parquet"
        raise BacktestError(f"{path} can not be read as {kind}: {str(error).splitlines()[0]}") from error


_READERS: dict[Format, Any] = {
    Format.EVENTS: _events,
    Format.BINANCE: read_binance,
    Format.TARDIS: read_tardis,
    Format.TICKS: _ticks,
}
