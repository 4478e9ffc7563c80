"""The columns of each kind of data. Times are nanoseconds since 1970 in UTC, absent numbers are null."""

from enum import StrEnum

import polars as pl

from tradingd.catalogue.errors import CatalogueError
from tradingd.columns import DAY_TIMEFRAME, TIMEFRAME_NS, TIMEFRAMES

DAY = TIMEFRAMES[DAY_TIMEFRAME]
PRICES = ("open", "high", "low", "close")


class Kind(StrEnum):
    BARS = "bars"
    TRADES = "trades"
    QUOTES = "quotes"


_TIMES = {"ts_event_ns": pl.Int64, "ts_received_ns": pl.Int64}
SCHEMAS: dict[Kind, pl.Schema] = {
    Kind.BARS: pl.Schema(
        {"ts_open_ns": pl.Int64, "ts_close_ns": pl.Int64} | dict.fromkeys([*PRICES, "volume"], pl.Float64)
    ),
    # flags: 1 the buyer was the aggressor, 2 the seller, 4 kept but not to be traded on (tradingd.columns)
    Kind.TRADES: pl.Schema(_TIMES | {"price": pl.Float64, "size": pl.Float64, "flags": pl.UInt8}),
    Kind.QUOTES: pl.Schema(
        _TIMES | dict.fromkeys(["bid", "bid_size", "ask", "ask_size"], pl.Float64) | {"flags": pl.UInt8}
    ),
}


def time_column(kind: Kind) -> str:
    """The one that rows are in order of."""
    return "ts_open_ns" if kind is Kind.BARS else "ts_event_ns"


def end_column(kind: Kind) -> str:
    """The one from which on a row may be known."""
    return "ts_close_ns" if kind is Kind.BARS else "ts_event_ns"


def timeframe_ns(timeframe: str) -> int:
    """Of a day its usual length; its borders are its session's. Raises CatalogueError."""
    if timeframe not in TIMEFRAMES:
        raise CatalogueError(f"there is no timeframe {timeframe!r}; there are {', '.join(TIMEFRAMES)}")
    return TIMEFRAME_NS[TIMEFRAMES.index(timeframe)]
