"""Fewer points for the eye, with nothing lost that it would see: candles of several bars, lines with their extremes."""

import numpy as np
from numpy.typing import NDArray

from tradingd.columns import F64, I64
from tradingd.feeds.bars.table import Bars

NS = 1_000_000_000

Indices = NDArray[np.intp]


def bucket_size(count: int, most: int) -> int:
    """So that there are at most `most` buckets."""
    return max(1, -(-count // most))


def candles(bars: Bars, size: int) -> dict[str, list[float]]:
    """Each of `size` bars, the last one perhaps of fewer; its time is when the first of them opens."""
    starts = np.arange(0, len(bars), size)
    columns = {
        "open": bars.open[starts],
        "high": np.maximum.reduceat(bars.high, starts),
        "low": np.minimum.reduceat(bars.low, starts),
        "close": bars.close[last_of_buckets(len(bars), size)],
    }
    return {"time": seconds(bars.ts_open_ns[starts])} | {name: values.tolist() for name, values in columns.items()}


def last_of_buckets(count: int, size: int) -> Indices:
    return np.minimum(np.arange(size - 1, count + size - 1, size), count - 1)


def kept(size: int, *columns: F64) -> Indices:
    """(k,) indices, rising: first, last, lowest and highest of every bucket of every column."""
    count = len(columns[0])
    found = [np.arange(0, count, size), last_of_buckets(count, size)]
    for column in columns:
        found += _extremes(column, size)
    return np.unique(np.concatenate(found))


def _extremes(values: F64, size: int) -> list[Indices]:
    count = len(values)
    padded = np.pad(values, (0, -count % size), mode="edge").reshape(-1, size)
    starts = np.arange(0, count, size)
    return [np.minimum(starts + find(axis=1), count - 1) for find in (padded.argmin, padded.argmax)]


def means(values: F64, size: int) -> F64:
    """(buckets,)."""
    starts = np.arange(0, len(values), size)
    return np.add.reduceat(values, starts) / np.diff(starts, append=len(values))


def seconds(ts_ns: I64) -> list[float]:
    """Whole where all of them are."""
    if not (ts_ns % NS).any():
        return list((ts_ns // NS).tolist())
    return list(np.round(ts_ns / NS, 6).tolist())


def rounded(values: F64, decimals: int) -> list[float]:
    return list(np.round(values, decimals).tolist())
