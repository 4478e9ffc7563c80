"""From the arrival of a tick to the durable commit of what was decided on it, paced at 5,000 ticks/s.

    python -m benchmarks.latency [SECONDS]        600 by default

The demo's market, four instruments and three strategies. A rollover with its sealing and several snapshots happen
during the run. Beside it: one write of 4 KiB with fdatasync on the same disk.
"""

import asyncio
import bisect
import sys
import tempfile
import time
from collections.abc import AsyncGenerator
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.harness import CONFIGS, fdatasync_ms, machine
from tradingd.columns import TickBatch
from tradingd.commit import Commit
from tradingd.config.load import load
from tradingd.daemon.daemon import Daemon
from tradingd.daemon.prepare import prepare
from tradingd.daemon.process import prefer_latency
from tradingd.feeds.contract import Feed, Item

TICKS_PER_S = 5_000
BATCH_ROWS = 4096


class Arrivals:
    """Passes a paced feed on and notes when its rows arrived; hears of commits and notes when they were durable."""

    def __init__(self, feed: Feed) -> None:
        self.name = feed.name
        self._feed = feed
        self._rows: list[int] = []
        self._arrived_s: list[float] = []
        self._durable = 0
        self.waits_ms: list[float] = []
        self.decided_ms: list[float] = []

    async def batches(self, resume_after: int) -> AsyncGenerator[list[Item], None]:
        rows = 0
        async for items in self._feed.batches(resume_after):
            rows += sum(len(item) for item in items if isinstance(item, TickBatch))
            self._rows.append(rows)
            self._arrived_s.append(time.perf_counter())
            yield items

    def published(self, commit: Commit) -> None:
        """Counts every arrival in the commit; what waited longest in it is what its decisions waited for."""
        now_s, first = time.perf_counter(), self._durable
        self._durable += sum(len(batch) for _, batch in commit.ticks)
        start, stop = (bisect.bisect_right(self._rows, rows) for rows in (first, self._durable))
        waits = [(now_s - arrived) * 1e3 for arrived in self._arrived_s[start:stop]]
        self.waits_ms += waits
        if waits and any(type(event.body).__name__ == "Decision" for event in commit.events):
            self.decided_ms.append(max(waits))


def paced(seconds: int) -> tuple[str, ...]:
    """The demo's market at TICKS_PER_S, with strategies that decide often.

    The market makes its rows in a thread, BATCH_ROWS at a time; the default of 20,000 is four seconds of them, made in
    the very moment when bars close.
    """
    return (
        f"feeds.market.batch_rows={BATCH_ROWS}",
        f"feeds.market.duration_s={seconds}",
        f"feeds.market.ticks_per_s={TICKS_PER_S}",
        "feeds.market.speed=1",
        "bars.timeframes=['1s', '1m']",
        "strategies.cross.timeframe='1s'",
        "strategies.reversion.timeframe='1s'",
        "strategies.coin.timeframe='1s'",
    )


def row(name: str, values: list[float]) -> str:
    p50, p99, p999 = np.percentile(values, (50, 99, 99.9))
    return f"{name}: p50 {p50:.2f} ms, p99 {p99:.2f} ms, p99.9 {p999:.2f} ms, max {max(values):.1f} ms ({len(values)})"


def main() -> None:
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else 600
    overrides = (
        *paced(seconds),
        f"journal.roll_rows={TICKS_PER_S * seconds // 2}",
        "daemon.snapshot_interval_s=60.0",
    )
    with tempfile.TemporaryDirectory() as place:
        floor = fdatasync_ms(Path(place))
        prepared = prepare(load(CONFIGS / "demo.toml", [f'journal.folder="{place}/journal"', *overrides]), CONFIGS)
        arrivals = Arrivals(prepared.feeds[0])
        daemon = Daemon(replace(prepared, feeds=[arrivals]), until_done=True, published=arrivals.published)
        prefer_latency()
        asyncio.run(daemon.run())
        print(f"{machine()}; {daemon.counts['Tick']} ticks in {seconds} s, {daemon.counts['Decision']} decisions")
        print(row("arrival to durable, every batch", arrivals.waits_ms))
        print(row("arrival to durable, with a decision", arrivals.decided_ms))
        print(row("one fdatasync", floor))
        segments = len(list(Path(place, "journal", "segments").glob("*.duckdb")))
        print(f"{segments} segments, {daemon.counts['SnapshotTaken']} snapshots")


if __name__ == "__main__":
    main()
