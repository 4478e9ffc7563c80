"""Quotes and trades of the catalogue as events: a book of one level on either side."""

import polars as pl

from tradingd.backtesting.depth.events import DepthEvents
from tradingd.backtesting.depth.recording import events_of
from tradingd.backtesting.errors import BacktestError
from tradingd.catalogue.shapes import SCHEMAS, Kind
from tradingd.columns import AGGRESSOR_BUY, AGGRESSOR_SELL, INELIGIBLE
from tradingd.kernels.depth_book import ASK, BID, BUY_TRADE, SELL_TRADE

ROWS = ("ts_event_ns", "ts_received_ns", "kind", "price", "size")


def from_ticks(
    quotes: pl.DataFrame,
    trades: pl.DataFrame | None = None,
    *,
    tick_size: float,
    lot_size: float,
    clock_offset_ns: int = 0,
    feed_latency_ns: int | None = None,
) -> DepthEvents:
    """Frames with the catalogue's columns. A quote's level takes the place of the one before on its side.

    A side that is null has not changed, one of size 0 is empty. Left out are rows that are not to be traded on, and
    trades of which the aggressor is not known. Trades come before the quotes of their time, which tell what they left.
    Raises BacktestError.
    """
    sides = [_side(_checked(quotes, Kind.QUOTES), kind, name) for kind, name in ((BID, "bid"), (ASK, "ask"))]
    levels = pl.concat(sides).sort("place", maintain_order=True).select(ROWS)
    frame = levels if trades is None else pl.concat([_trades(_checked(trades, Kind.TRADES)), levels])
    return events_of(
        *(frame[name].to_numpy() for name in ROWS), tick_size=tick_size, lot_size=lot_size,
        clock_offset_ns=clock_offset_ns, feed_latency_ns=feed_latency_ns,
    )  # fmt: skip


def _checked(frame: pl.DataFrame, kind: Kind) -> pl.DataFrame:
    if missing := [name for name in SCHEMAS[kind] if name not in frame.columns]:
        raise BacktestError(f"{kind} have no column {', '.join(missing)}; they have {', '.join(frame.columns)}")
    return frame.filter((pl.col("flags") & INELIGIBLE) == 0)


def _side(quotes: pl.DataFrame, kind: int, name: str) -> pl.DataFrame:
    """The level before goes first, on both sides, so that a move of both is no crossing."""
    told = quotes.with_row_index("row").filter(pl.col(name).is_not_null())
    rows = told.select(
        *ROWS[:2], kind=pl.lit(kind, pl.Int64), price=pl.col(name), size=pl.col(f"{name}_size"),
        place=pl.col("row").cast(pl.Int64) * 4 + 2, before=pl.col(name).shift(1),
    )  # fmt: skip
    gone = rows.filter(pl.col("before").is_not_null() & (pl.col("before") != pl.col("price")))
    gone = gone.with_columns(price=pl.col("before"), size=pl.lit(0.0), place=pl.col("place") - 2)
    return pl.concat([rows, gone]).drop("before")


def _trades(trades: pl.DataFrame) -> pl.DataFrame:
    by_buyer, by_seller = ((pl.col("flags") & flag) != 0 for flag in (AGGRESSOR_BUY, AGGRESSOR_SELL))
    known = trades.filter(by_buyer | by_seller)
    return known.with_columns(kind=pl.when(by_buyer).then(BUY_TRADE).otherwise(SELL_TRADE).cast(pl.Int64)).select(ROWS)
