"""One timeline of several instruments' bars."""

from collections.abc import Mapping

import polars as pl

from tradingd.catalogue.errors import CatalogueError


def timeline(bars: Mapping[str, pl.DataFrame], column: str = "close") -> pl.DataFrame:
    """Columns: ts_close_ns, in order, and one per instrument, in the order of `bars`; a row per close of any of them.

    Null where an instrument has no bar that closes then: nothing is filled in, so nothing looks ahead or stays stale.

    Raises CatalogueError where an instrument has two bars that close at once.
    """
    joined: pl.DataFrame | None = None
    for instrument, frame in bars.items():
        one = frame.select("ts_close_ns", pl.col(column).alias(instrument))
        if one["ts_close_ns"].is_duplicated().any():
            raise CatalogueError(f"{instrument} has several bars of one time; run `trade data clean --drop-duplicates`")
        joined = one if joined is None else joined.join(one, on="ts_close_ns", how="full", coalesce=True)
    return pl.DataFrame(schema={"ts_close_ns": pl.Int64}) if joined is None else joined.sort("ts_close_ns")
