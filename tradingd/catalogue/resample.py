"""Bars of bars, and bars of trades or quotes. Where nothing was, no bar is made."""

from typing import NamedTuple

import polars as pl

from tradingd.catalogue.errors import CatalogueError
from tradingd.catalogue.findings import time_text
from tradingd.catalogue.sessions import days_of
from tradingd.catalogue.shapes import DAY, PRICES, SCHEMAS, Kind, end_column, time_column, timeframe_ns
from tradingd.columns import INELIGIBLE
from tradingd.instruments import Session

FRAME = ("ts_open_ns", "ts_close_ns")


class Resampled(NamedTuple):
    """outside: rows that lie in no session, or across a border; ineligible: ticks not to be traded on, or without a
    price; partial: openings of the first and last bar, where the rows begin or end inside of them."""

    bars: pl.DataFrame
    outside: int
    ineligible: int
    partial: list[int]


def resample(
    frame: pl.DataFrame, kind: Kind, source: str | None, target: str, session: Session | None, *, keep_partial: bool
) -> Resampled:
    """Bars of the timeframe `target`.

    Borders are multiples of the timeframe in UTC; a day's are its session's. With a session, only rows inside of one
    make bars. A bar is partial where the first row begins after it opened, or the last row ends before it closes.

    Raises CatalogueError.
    """
    _check_lengths(source, target)
    check_order(frame, kind)
    if target == DAY and session is None:
        raise CatalogueError(
            "a day needs a session: --session mon-fri/09:30-16:00@America/New_York, or @UTC for UTC days"
        )
    first, last = frame[time_column(kind)][0], frame[end_column(kind)][-1]
    prices = _prices(frame, kind)
    bordered = _bordered(prices, target, session, first, last)
    inside = bordered.filter(pl.col("ts_open_ns").is_not_null())
    bars = inside.group_by(*FRAME, maintain_order=True).agg(_candle()).select(SCHEMAS[Kind.BARS].names())
    whole = bars.filter((pl.col("ts_open_ns") >= first) & (pl.col("ts_close_ns") <= last))
    partial = bars.join(whole, on="ts_open_ns", how="anti")["ts_open_ns"].to_list()
    kept = bars if keep_partial else whole
    return Resampled(kept, len(bordered) - len(inside), len(frame) - len(prices), partial)


def _check_lengths(source: str | None, target: str) -> None:
    length = timeframe_ns(target)
    if source is not None and (timeframe_ns(source) >= length or length % timeframe_ns(source)):
        raise CatalogueError(
            f"bars of {source} do not make bars of {target}; --to has to be a longer one that they fill"
        )


def check_order(frame: pl.DataFrame, kind: Kind) -> None:
    """Bars one after the other; ticks of one time may follow each other."""
    step = frame[time_column(kind)].diff()
    wrong = step <= 0 if kind is Kind.BARS else step < 0
    at = wrong.arg_max() if wrong.any() else None
    if at is not None:
        when = time_text(frame[time_column(kind)][at])
        raise CatalogueError(
            f"row {at} ({when}) does not follow the one before it; trade data clean --sort --drop-duplicates"
        )


def _prices(frame: pl.DataFrame, kind: Kind) -> pl.DataFrame:
    """Columns start_ns, end_ns, open, high, low, close, volume: what a row adds to its bar."""
    if kind is Kind.BARS:
        return frame.rename({"ts_open_ns": "start_ns", "ts_close_ns": "end_ns"})
    eligible = frame.filter(pl.col("flags") & INELIGIBLE == 0)
    price = pl.col("price")
    if kind is Kind.QUOTES:  # a side that is absent did not change
        price = (pl.col("bid").forward_fill() + pl.col("ask").forward_fill()) / 2
    at = pl.col("ts_event_ns")
    volume = pl.col("size") if kind is Kind.TRADES else pl.lit(None, pl.Float64)
    candles = dict.fromkeys(PRICES, price)
    named = eligible.select(start_ns=at, end_ns=at + 1, **candles, volume=volume)
    return named.filter(pl.col("close").is_not_null())


def _bordered(prices: pl.DataFrame, target: str, session: Session | None, first: int, last: int) -> pl.DataFrame:
    """With the ts_open_ns and ts_close_ns of each row's bar; null where it is in none."""
    start, length = pl.col("start_ns"), timeframe_ns(target)
    in_session = prices
    if session is not None:
        days = days_of(session, first, last).table.filter("open").select(day_open="open_ns", day_close="close_ns")
        in_session = prices.join_asof(days, left_on="start_ns", right_on="day_open", check_sortedness=False)
    if target == DAY:
        borders = {"ts_open_ns": pl.col("day_open"), "ts_close_ns": pl.col("day_close")}
    else:
        borders = {"ts_open_ns": start // length * length, "ts_close_ns": start // length * length + length}
    bordered = in_session.with_columns(**borders)
    holds = pl.col("end_ns") <= pl.col("ts_close_ns")
    if session is not None:
        holds &= pl.col("end_ns") <= pl.col("day_close")
    return bordered.with_columns(pl.when(holds.fill_null(value=False)).then(pl.col(*FRAME)))


def _candle() -> list[pl.Expr]:
    """A volume that is nowhere is absent, not zero."""
    volume = pl.col("volume")
    return [
        pl.col("open").first(),
        pl.col("high").max(),
        pl.col("low").min(),
        pl.col("close").last(),
        pl.when(volume.is_not_null().any()).then(volume.sum()).alias("volume"),
    ]
