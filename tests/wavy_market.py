"""Bars of a market that goes up and down, for backtests."""

import numpy as np
import polars as pl

MINUTE = 60_000_000_000


def waves(rows: int = 2000) -> pl.DataFrame:
    """A market that goes up and down; prices of two decimals."""
    rng = np.random.default_rng(5)
    close = np.round(100 + 10 * np.sin(np.arange(rows) / 40) + np.cumsum(rng.normal(0, 0.05, rows)), 2)
    opened = np.concatenate([[100.0], close[:-1]])
    times = np.arange(rows, dtype=np.int64) * MINUTE
    return pl.DataFrame(
        {
            "ts_open_ns": times,
            "ts_close_ns": times + MINUTE,
            "open": opened,
            "high": np.round(np.maximum(opened, close) + 0.05, 2),
            "low": np.round(np.minimum(opened, close) - 0.05, 2),
            "close": close,
            "volume": np.ones(rows),
        }
    )
