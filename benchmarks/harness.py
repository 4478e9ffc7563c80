"""What the benchmarks share: the machine's line, medians, a daemon that plays prepared columns, the disk's floor."""

import asyncio
import logging
import os
import platform
import statistics
import tempfile
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import replace
from pathlib import Path

from tradingd.columns import TickBatch
from tradingd.commit import Commit
from tradingd.config.load import load
from tradingd.daemon.daemon import Daemon
from tradingd.daemon.prepare import prepare
from tradingd.feeds.contract import Item

CONFIGS = Path(__file__).resolve().parent.parent / "configs"
logging.getLogger("tradingd").setLevel(logging.CRITICAL)


def machine() -> str:
    with Path("/proc/cpuinfo").open() as file:
        model = next((line.partition(":")[2].strip() for line in file if line.startswith("model name")), "")
    python = f"Python {platform.python_version()}"
    return f"{model or platform.machine()}, {os.cpu_count()} cores, {platform.system()}, {python}"


def realdata() -> Path | None:
    """The folder of recorded market data; None where there is none."""
    named = os.environ.get("TRADINGD_REALDATA")
    folder = Path(named) if named else CONFIGS.parent.parent / "shared" / "data"
    return folder if folder.is_dir() else None


def median_s(call: Callable[[], object], repeats: int) -> float:
    call()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def fdatasync_ms(folder: Path, repeats: int = 200) -> list[float]:
    """Times of one 4 KiB write and fdatasync in the folder: the floor of any durable commit."""
    path, times = folder / "floor", []
    fd = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    for _ in range(repeats):
        start = time.perf_counter()
        os.pwrite(fd, b"x" * 4096, 0)
        os.fdatasync(fd)
        times.append((time.perf_counter() - start) * 1e3)
    os.close(fd)
    path.unlink()
    return times


class PreparedFeed:
    """Batches that are in memory already, so that only the daemon is measured."""

    def __init__(self, name: str, batches: Sequence[TickBatch]) -> None:
        self.name = name
        self._batches = batches

    async def batches(self, resume_after: int) -> AsyncGenerator[list[Item], None]:
        for batch in self._batches:
            yield [batch]


class Clocked:
    """Hears of durable commits and notes when the first and the last one with ticks came, and what was in them."""

    def __init__(self) -> None:
        self.first_s = self.last_s = 0.0
        self.rows = self.facts = self.bars = 0

    def __call__(self, commit: Commit) -> None:
        if commit.ticks:
            self.last_s = time.perf_counter()
            self.rows += sum(len(batch) for _, batch in commit.ticks)
        self.facts += sum(event.n > 0 for event in commit.events)
        self.bars += len(commit.bars)


def play(
    config: str, overrides: Sequence[str], batches: Sequence[TickBatch] | None = None, folder: Path | None = None
) -> tuple[float, Clocked, Daemon]:
    """Runs a daemon over its own feed, or over prepared batches instead: seconds until the last tick was durable."""
    with tempfile.TemporaryDirectory(dir=folder) as place:
        settings = load(CONFIGS / config, [f'journal.folder="{place}/journal"', *overrides])
        prepared = prepare(settings, CONFIGS)
        if batches is not None:
            prepared = replace(prepared, feeds=[PreparedFeed(prepared.feeds[0].name, batches)])
        clock = Clocked()
        daemon = Daemon(prepared, until_done=True, published=clock)
        start = time.perf_counter()
        asyncio.run(daemon.run())
        return clock.last_s - start, clock, daemon


def in_batches(columns: TickBatch, rows: int) -> list[TickBatch]:
    return [columns.slice(start, start + rows) for start in range(0, len(columns), rows)]
