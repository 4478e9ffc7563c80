"""Ticks per second into a durable journal, beside one fdatasync on the same disk.

    python benchmarks/journal_append.py [FOLDER]

Prints medians. FOLDER (default: a temporary one) decides which disk is measured.
"""

import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import duckdb
import numpy as np

from tradingd.columns import QUOTE, TRADE, tick_batch
from tradingd.commit import BarRows, Commit
from tradingd.events import Event, OrderAccepted
from tradingd.journal.settings import JournalSettings
from tradingd.journal.verify import verify
from tradingd.journal.writer import Journal

REPEATS = 60
SIZES = (25, 1_000, 5_000, 20_000)


def commit_of(first_seq: int, rows: int, rng: np.random.Generator) -> Commit:
    """Trades and quotes, and three facts."""
    kind = rng.choice([TRADE, QUOTE], rows)
    quote = kind == QUOTE
    price = 100.0 + np.cumsum(rng.integers(-1, 2, rows)) * 0.01
    ticks = tick_batch(
        0,
        kind=kind,
        instrument=rng.integers(0, 4, rows),
        ts_event_ns=first_seq * 1_000_000 + np.arange(rows) * 1_000_000,
        ts_received_ns=first_seq * 1_000_000 + np.arange(rows) * 1_000_000 + rng.integers(0, 5_000_000, rows),
        price=price,
        size=rng.integers(1, 500, rows) * 0.001,
        ask_price=np.where(quote, price + 0.01, np.nan),
        ask_size=np.where(quote, rng.integers(1, 500, rows) * 0.001, np.nan),
        venue_id=first_seq + np.arange(rows),
    )
    last = first_seq + rows - 1
    facts = tuple(Event(last, n, 1, 1, "", OrderAccepted(f"ABCDEFGH-1-{last}-{n}")) for n in (1, 2, 3))
    return Commit(first_seq, last, ((first_seq, ticks),), facts, BarRows.empty())


def timed(call: Callable[[], object]) -> tuple[float, float]:
    """(wall, CPU of this thread) in seconds."""
    wall, cpu = time.perf_counter(), time.thread_time()
    call()
    return time.perf_counter() - wall, time.thread_time() - cpu


def fdatasync_s(folder: Path) -> float:
    fd = os.open(folder / "probe", os.O_RDWR | os.O_CREAT)

    def one() -> None:
        os.pwrite(fd, b"x" * 108, 0)
        os.fdatasync(fd)

    return statistics.median(timed(one)[0] for _ in range(REPEATS))


def measure(folder: Path, rows: int) -> None:
    rng = np.random.default_rng(1)
    journal = Journal.open(folder / str(rows), JournalSettings(roll_daily=False))
    times = []
    for _ in range(REPEATS):
        commit = commit_of(journal.last_seq + 1, rows, rng)
        times.append(timed(lambda commit=commit: journal.append(commit)))  # type: ignore[misc]
    wall, cpu = (statistics.median(column) * 1e3 for column in zip(*times, strict=True))
    roll_s, _ = timed(journal.roll)
    seal_s, _ = timed(journal.seal)
    journal.close()
    sealed_bytes = (folder / str(rows) / "segments" / "000001.duckdb").stat().st_size
    verify_s, _ = timed(lambda: verify(folder / str(rows)))
    ticks = rows * REPEATS
    print(
        f"{rows:6d} ticks/commit: {wall:6.2f} ms ({cpu:6.2f} ms CPU), {rows / wall / 1e3:5.2f} M ticks/s; "
        f"rollover {roll_s * 1e3:.0f} ms, seal {seal_s:.2f} s, verify {ticks / verify_s / 1e6:.2f} M ticks/s, "
        f"sealed {sealed_bytes / ticks:.1f} bytes/tick"
    )


def main() -> None:
    with tempfile.TemporaryDirectory(dir=sys.argv[1] if len(sys.argv) > 1 else None) as name:
        folder = Path(name)
        machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
        print(f"{machine}, DuckDB {duckdb.__version__}; medians of {REPEATS}")
        for rows in SIZES:
            measure(folder, rows)
        print(f"one fdatasync here: {fdatasync_s(folder) * 1e3:.2f} ms")


if __name__ == "__main__":
    main()
