"""CSV files of Tardis.dev as events: `incremental_book_L2` and `trades`, times in microseconds.

Tardis: "Downloadable CSV files", data types. Rows with is_snapshot after rows without begin a new book.
"""

from collections.abc import Mapping
from pathlib import Path

import polars as pl

from tradingd.backtesting.depth.events import DepthEvents
from tradingd.backtesting.depth.recording import events_of
from tradingd.backtesting.errors import BacktestError
from tradingd.kernels.depth_book import ASK, BID, BUY_TRADE, CLEAR, SELL_TRADE

NS_PER_US = 1000
Schema = Mapping[str, type[pl.DataType]]
DEPTH: Schema = {
    "timestamp": pl.Int64, "local_timestamp": pl.Int64, "is_snapshot": pl.Boolean, "side": pl.String,
    "price": pl.Float64, "amount": pl.Float64,
}  # fmt: skip
TRADES: Schema = {name: kind for name, kind in DEPTH.items() if name != "is_snapshot"}
ROWS = ("timestamp", "local_timestamp", "kind", "price", "amount")


def read_tardis(
    depth: Path,
    *,
    tick_size: float,
    lot_size: float,
    trades: Path | None = None,
    clock_offset_ns: int = 0,
    feed_latency_ns: int | None = None,
) -> DepthEvents:
    """Files of one instrument, plain or gzip. Without trades, orders are filled by the book alone.

    Trades whose side is unknown are left out. Raises BacktestError, OSError.
    """
    frame = _depth(_read(depth, DEPTH), depth.name)
    if trades is not None:
        frame = pl.concat([frame, _trades(_read(trades, TRADES))]).sort("local_timestamp", maintain_order=True)
    return events_of(
        frame["timestamp"].to_numpy() * NS_PER_US, frame["local_timestamp"].to_numpy() * NS_PER_US,
        frame["kind"].to_numpy(), frame["price"].to_numpy(), frame["amount"].to_numpy(),
        tick_size=tick_size, lot_size=lot_size, clock_offset_ns=clock_offset_ns, feed_latency_ns=feed_latency_ns,
    )  # fmt: skip


def _read(path: Path, columns: Schema) -> pl.DataFrame:
    frame = pl.read_csv(path, infer_schema=False)
    if missing := [name for name in columns if name not in frame.columns]:
        raise BacktestError(f"{path.name} has no column {', '.join(missing)}; it has {', '.join(frame.columns)}")
    if "symbol" in frame.columns and frame["symbol"].n_unique() > 1:
        raise BacktestError(f"{path.name} has {frame['symbol'].n_unique()} symbols; give a file of one")
    texts = frame.select(columns.keys())
    try:
        return texts.with_columns(
            pl.col(name) == "true" if kind == pl.Boolean else pl.col(name).cast(kind) for name, kind in columns.items()
        )
    except pl.exceptions.PolarsError as error:
        raise BacktestError(f"{path.name}: {str(error).splitlines()[0]}") from error


def _depth(frame: pl.DataFrame, name: str) -> pl.DataFrame:
    """A CLEAR before each snapshot."""
    if wrong := set(frame["side"]) - {"bid", "ask"}:
        raise BacktestError(f"{name} has a side of {min(wrong)!r}; it is bid or ask")
    side = pl.when(pl.col("side") == "bid").then(BID).otherwise(ASK)
    rows = frame.with_columns(kind=side, place=2 * pl.int_range(pl.len()))
    begins = pl.col("is_snapshot") & ~pl.col("is_snapshot").shift(1, fill_value=False)
    clears = rows.filter(begins).with_columns(kind=pl.lit(CLEAR), place=pl.col("place") - 1)
    return pl.concat([rows, clears]).sort("place").select(*ROWS[:2], pl.col("kind").cast(pl.Int64), *ROWS[3:])


def _trades(frame: pl.DataFrame) -> pl.DataFrame:
    known = frame.filter(pl.col("side").is_in(["buy", "sell"]))
    kind = pl.when(pl.col("side") == "buy").then(BUY_TRADE).otherwise(SELL_TRADE).cast(pl.Int64).alias("kind")
    return known.with_columns(kind).select(ROWS)
