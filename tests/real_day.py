"""Recorded market data through the whole daemon, and Polars' bars of the same ticks."""

from pathlib import Path

import polars as pl
import pytest
from small_day import play, prepared

from tradingd.columns import TIMEFRAME_NS, TIMEFRAMES
from tradingd.daemon.daemon import Daemon
from tradingd.journal.reader import JournalReader

OHLC = ("open", "high", "low", "close")


class RealDay:
    """A config played at full speed into a journal of its own."""

    def __init__(self, config: Path, journal: Path, *overrides: str) -> None:
        self.folder = journal
        self.daemon: Daemon = play(prepared(config, f'journal.folder="{journal}"', *overrides))

    def sql(self, query: str) -> pl.DataFrame:
        with JournalReader.open(self.folder) as reader:
            return reader.sql(query)

    def bars(self, instrument: int, timeframe: str) -> pl.DataFrame:
        index = TIMEFRAMES.index(timeframe)
        return self.sql(f"SELECT * FROM bars WHERE instrument = {instrument} AND timeframe = {index} ORDER BY seq, n")


def bars_of(ticks: pl.DataFrame, timeframe: str) -> pl.DataFrame:
    """Polars' bars of (ts_ns, price, size), sorted by time."""
    length_ns = TIMEFRAME_NS[TIMEFRAMES.index(timeframe)]
    amount = (pl.col("price") * pl.col("size")).sum()
    return (
        ticks.with_columns(pl.col("ts_ns").set_sorted())
        .group_by_dynamic("ts_ns", every=f"{length_ns}i")
        .agg(
            pl.col("price").first().alias("open"),
            pl.col("price").max().alias("high"),
            pl.col("price").min().alias("low"),
            pl.col("price").last().alias("close"),
            pl.col("size").sum().alias("volume"),
            (amount / pl.col("size").sum()).alias("vwap"),
            pl.len().cast(pl.Int64).alias("trades"),
        )
        .rename({"ts_ns": "ts_open_ns"})
        .with_columns((pl.col("ts_open_ns") + length_ns).alias("ts_close_ns"))
    )


def same_bars(ours: pl.DataFrame, theirs: pl.DataFrame, *, traded: bool = True) -> None:
    """To the bit, but for sums, which are added up in another order. The newest bar may not have closed yet."""
    assert len(theirs) - 1 <= len(ours) <= len(theirs)
    theirs = theirs.head(len(ours))
    for name in ("ts_open_ns", "ts_close_ns", *OHLC, "trades"):
        assert ours[name].to_list() == theirs[name].to_list(), name
    if traded:
        for name in ("volume", "vwap"):
            assert ours[name].to_numpy() == pytest.approx(theirs[name].to_numpy(), rel=1e-12), name
    else:
        assert ours["volume"].sum() == 0.0
        assert ours["vwap"].null_count() == len(ours)
    assert len(ours) > 0
