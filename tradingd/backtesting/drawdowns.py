"""How far and for how long equity stood below its peak.

A peak is the highest equity so far, at least the initial one. A drawdown goes from the last close at a peak to the
first close at or above it. Depths are fractions of the peak, at most 0; below -1 more was lost than there was.
"""

from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

DAY_NS = 86_400_000_000_000

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Episodes(NamedTuple):
    """All drawdowns, in order of time; each array is (k,). The one that has not ended has its border at n."""

    borders: NDArray[np.intp]  # the first close after it
    peaks: NDArray[np.intp]  # 0 for a peak before the first bar
    depths: Floats
    days: Floats  # from the peak to the recovery, or to the last close


def drawdown_series(equity: Floats, initial: float) -> Floats:
    """(n,): the distance of each close from the peak until then."""
    peaks = np.maximum(np.maximum.accumulate(equity), initial)
    return (equity - peaks) / peaks


def deepest_drawdowns(ts_ns: Ints, equity: Floats, initial: float, count: int = 10) -> pl.DataFrame:
    """The `count` deepest, deepest first: peak_ts_ns, valley_ts_ns, recovery_ts_ns (null: not yet), depth, days.

    A peak before the first bar, the initial equity, has the time of the first bar.
    """
    series = drawdown_series(equity, initial)
    every = episodes(ts_ns, series)
    chosen = np.argsort(every.depths, kind="stable")[:count]
    peaks, borders = every.peaks[chosen], every.borders[chosen]
    valleys = [peak + int(np.argmin(series[peak:border])) for peak, border in zip(peaks, borders, strict=True)]
    columns = {
        "peak_ts_ns": ts_ns[peaks],
        "valley_ts_ns": ts_ns[np.array(valleys, dtype=np.intp)],
        "recovery_ts_ns": [int(ts_ns[border]) if border < ts_ns.size else None for border in borders],
        "depth": every.depths[chosen],
        "days": every.days[chosen],
    }
    return pl.DataFrame(columns, schema_overrides={"recovery_ts_ns": pl.Int64})


def episodes(ts_ns: Ints, series: Floats) -> Episodes:
    starts, borders = runs(series < 0)
    peaks = np.maximum(starts - 1, 0)
    depths = np.minimum.reduceat(series, starts) if starts.size else np.empty(0)
    until = ts_ns[np.minimum(borders, ts_ns.size - 1)]
    return Episodes(borders, peaks, depths, (until - ts_ns[peaks]) / DAY_NS)


def runs(flags: NDArray[np.bool_]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """(first, one past the last) of each stretch of true flags."""
    edges = np.flatnonzero(np.diff(flags, prepend=False, append=False))
    return edges[::2], edges[1::2]


def drawdown_figures(ts_ns: Ints, equity: Floats, initial: float) -> dict[str, float]:
    """Of all closes; NaN or infinite where undefined."""
    every = episodes(ts_ns, drawdown_series(equity, initial))
    deepest = int(np.argmin(every.depths)) if every.depths.size else None
    none = 0.0 if equity.size else np.nan
    return {
        "max_drawdown": none if deepest is None else every.depths[deepest],
        "max_drawdown_days": none if deepest is None else every.days[deepest],
        "longest_drawdown_days": every.days.max(initial=none),
        "average_drawdown": np.divide(every.depths.sum(), every.depths.size),
    }
