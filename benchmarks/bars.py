"""Ticks to bars of eight timeframes in one cascade, beside the same cascade in Polars; one core each.

    python benchmarks/bars.py [TICKS]

Prints medians. How dense the ticks are decides how many 1-second bars there are, and writing those is the larger part
of the work where ticks are sparse. Times include the memory for the bars. TRADINGD_REALDATA adds recorded SPY trades.
"""

import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

os.environ["POLARS_MAX_THREADS"] = "1"  # read when polars is imported

import numpy as np
import polars as pl

from tradingd.columns import F64, I64, TIMEFRAMES
from tradingd.kernels.bars import bars_of_ticks

NS = 1_000_000_000
REPEATS = 7
Ticks = tuple[I64, F64, F64]
P, S, NOTIONAL = pl.col("price"), pl.col("size"), pl.col("notional")


def random_ticks(count: int, gap_s: float) -> Ticks:
    """Trades of a random walk with exponential gaps."""
    rng = np.random.default_rng(7)
    ts = 1_704_067_200 * NS + (rng.exponential(gap_s * NS, count).astype(np.int64) + 1).cumsum()
    price = np.round(30_000.0 * np.exp((rng.standard_normal(count) * 3e-5).cumsum()), 2)
    return ts, price, np.round(rng.lognormal(-3.0, 1.2, count) + 0.001, 3)


def recorded_ticks(file: Path) -> Ticks:
    frame = pl.read_csv(file, columns=["ts_ms", "price", "size"]).sort("ts_ms", maintain_order=True)
    return frame["ts_ms"].to_numpy() * 1_000_000, frame["price"].to_numpy(), frame["size"].cast(pl.Float64).to_numpy()


def polars_cascade(frame: pl.DataFrame) -> list[pl.DataFrame]:
    sums = [S.sum(), (P * S).sum().alias("notional"), pl.len().alias("trades")]
    prices = [P.first().alias("open"), P.max().alias("high"), P.min().alias("low"), P.last().alias("close")]
    levels = [frame.group_by_dynamic("ts", every=TIMEFRAMES[0]).agg(prices + sums)]
    merged = [
        pl.col("open").first(), pl.col("high").max(), pl.col("low").min(), pl.col("close").last(),
        S.sum(), NOTIONAL.sum(), pl.col("trades").sum(),
    ]  # fmt: skip
    for every in TIMEFRAMES[1:]:
        levels.append(levels[-1].group_by_dynamic("ts", every=every).agg(merged))
    return [level.with_columns((NOTIONAL / S).alias("vwap")) for level in levels]


def median_s(call: Callable[[], object]) -> float:
    call()
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def compare(name: str, ticks: Ticks) -> None:
    frame = pl.DataFrame(dict(zip(("ts", "price", "size"), ticks, strict=True)))
    frame = frame.with_columns(pl.col("ts").cast(pl.Datetime("ns")).set_sorted())
    levels, _ = bars_of_ticks(*ticks, finish=True)
    assert [len(level) for level in levels] == [level.height for level in polars_cascade(frame)]
    ours, theirs = median_s(lambda: bars_of_ticks(*ticks, finish=True)), median_s(lambda: polars_cascade(frame))
    count = len(ticks[0]) / 1e6
    print(
        f"{name}, {count:.2f} M ticks, {len(levels[0])} bars of 1s: {count / ours:.0f} M ticks/s, {ours * 1e3:.1f} ms; "
        f"Polars {count / theirs:.0f} M ticks/s; {theirs / ours:.1f} times"
    )


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000_000
    machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    print(f"{machine}, Polars {pl.__version__}, one core; medians of {REPEATS}")
    for ticks_per_s in (100.0, 40.0, 4.0):
        compare(f"{ticks_per_s:.0f} ticks/s", random_ticks(count, 1.0 / ticks_per_s))
    folder = os.environ.get("TRADINGD_REALDATA")
    if folder:
        compare("recorded SPY", recorded_ticks(Path(folder) / "ticks" / "spy_trades_2013-10-07_11.csv.gz"))


if __name__ == "__main__":
    main()
