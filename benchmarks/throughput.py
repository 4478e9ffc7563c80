"""Recorded ticks through the whole daemon into a durable journal, as fast as possible.

    python -m benchmarks.throughput [REPEATS]

SPY      1,887,460 trades as columns, 1 s bars, two strategies, at least one decision per 1,000 ticks
Binance  243,476 raw JSON frames of four recordings: gunzip, parse, merge, core, journal
"""

import os
import statistics
import sys
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.harness import in_batches, machine, play, realdata
from tradingd.columns import TRADE, TickBatch, tick_batch

SPY = (
    "bars.timeframes=['1s']",
    "strategies.reversion.timeframe='1s'",
    "strategies.reversion.params={period=60}",
    "strategies.fast.exits=[]",
    "accounts.USD.balance='100000'",
    "risk.daily_loss=0.5",
    "risk.drawdown=0.9",
)


def spy_columns(folder: Path) -> TickBatch:
    path = folder / "ticks" / "spy_trades_2013-10-07_11.csv.gz"
    frame = pl.read_csv(path, columns=["ts_ms", "price", "size", "suspicious"])
    return tick_batch(
        0,
        kind=TRADE,
        flags=frame["suspicious"].to_numpy().astype(np.uint8) * 4,
        instrument=0,
        ts_event_ns=frame["ts_ms"].to_numpy() * 1_000_000,
        price=frame["price"].to_numpy(),
        size=frame["size"].to_numpy().astype(float),
    )


def spy(folder: Path, repeats: int) -> None:
    columns = spy_columns(folder)
    for rows in (5_000, 20_000):
        runs = [play("spy.toml", SPY, in_batches(columns, rows)) for _ in range(repeats + 1)][1:]
        seconds = statistics.median(run[0] for run in runs)
        _, clock, daemon = runs[-1]
        decisions = daemon.counts["Decision"]
        print(
            f"SPY, {rows} ticks per commit: {clock.rows / seconds / 1e6:.2f} M ticks/s durable ({seconds:.2f} s); "
            f"{clock.bars} bars, {decisions} decisions ({decisions / clock.rows * 1e3:.2f} per 1,000 ticks), "
            f"{daemon.counts['OrderFilled']} fills, {clock.facts} facts"
        )


def binance(repeats: int) -> None:
    runs = [play("binance_recorded.toml", ()) for _ in range(repeats + 1)][1:]
    seconds = statistics.median(run[0] for run in runs)
    _, clock, daemon = runs[-1]
    print(
        f"Binance raw frames: {clock.rows / seconds / 1e3:.0f} k frames/s durable ({seconds:.2f} s); "
        f"{clock.bars} bars, {daemon.counts['Decision']} decisions, {daemon.counts['OrderFilled']} fills"
    )


def main() -> None:
    repeats = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    folder = realdata()
    if folder is None:
        print("throughput: no recorded market data; set TRADINGD_REALDATA")
        return
    os.environ["TRADINGD_REALDATA"] = str(folder)  # the configs name it
    print(f"{machine()}; medians of {repeats}")
    spy(folder, repeats)
    binance(repeats)


if __name__ == "__main__":
    main()
