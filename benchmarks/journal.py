"""The journal alone: commits, sealing, verification, recovery, and auditors beside the writer; with the disk's floor.

    python -m benchmarks.journal [FOLDER]

FOLDER (default: a temporary one) decides which disk is measured.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import numpy as np

from benchmarks.harness import fdatasync_ms, machine
from tradingd.columns import QUOTE, TRADE, tick_batch
from tradingd.commit import BarRows, Commit
from tradingd.events import Event, OrderAccepted
from tradingd.journal.settings import JournalSettings
from tradingd.journal.verify import verify
from tradingd.journal.writer import Journal

SIZES = {25: 4_000, 1_000: 1_000, 10_000: 200}  # ticks per commit: commits
LOGS_MB = (1, 64, 256)
SEGMENTS = (1, 10, 40)
AUDITORS = 10
PACED_S = 15.0
COMMITS_PER_S = 100
# what an auditor asks for again and again, giving way as `trade` does beside a daemon
AUDITOR = """
import sys
from pathlib import Path
from tradingd_cli.reading import opened
while True:
    with opened(Path(sys.argv[1])) as reader:
        reader.sql("SELECT instrument, avg(price), quantile_cont(size, 0.5) FROM ticks GROUP BY instrument")
"""


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


def timed_ms(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return (time.perf_counter() - start) * 1e3


def spread(times_ms: list[float]) -> str:
    p50, p99, p999 = np.percentile(times_ms, (50, 99, 99.9))
    return f"p50 {p50:.2f} ms, p99 {p99:.2f} ms, p99.9 {p999:.2f} ms"


def opened(folder: Path) -> Journal:
    return Journal.open(folder, JournalSettings(roll_daily=False, roll_wal_mb=4096))


def append(journal: Journal, rows: int, rng: np.random.Generator) -> float:
    commit = commit_of(journal.last_seq + 1, rows, rng)
    return timed_ms(lambda: journal.append(commit))


# --- commits ----------------------------------------------------------------------------------------------------------


def commits(folder: Path, rows: int, count: int) -> None:
    rng = np.random.default_rng(1)
    journal = opened(folder / str(rows))
    times = [append(journal, rows, rng) for _ in range(count)]
    roll_ms = timed_ms(journal.roll)
    seal_ms = timed_ms(journal.seal)
    journal.close()
    ticks = rows * count
    sealed_bytes = journal.paths.sealed(1).stat().st_size
    report, start = verify(folder / str(rows)), time.perf_counter()
    verify(folder / str(rows))
    verify_s = time.perf_counter() - start
    print(
        f"{rows:6d} ticks per commit: {spread(times)}; {ticks / sum(times) / 1e3:.2f} M ticks/s; "
        f"rollover {roll_ms:.0f} ms, seal {ticks / seal_ms / 1e3:.2f} M ticks/s, "
        f"verify {report.rows / verify_s / 1e6:.2f} M rows/s, sealed {sealed_bytes / ticks:.1f} bytes per tick"
    )


# --- recovery ---------------------------------------------------------------------------------------------------------


def recovery(folder: Path) -> None:
    rng = np.random.default_rng(2)
    journal = opened(folder / "log")
    for log_mb in LOGS_MB:
        while journal.paths.wal_bytes(1) < log_mb * 1_000_000:
            append(journal, 5_000, rng)
        journal.abandon()
        start = time.perf_counter()
        journal = opened(folder / "log")
        print(f"recovery with a log of {log_mb} MB ({journal.last_seq} ticks): {time.perf_counter() - start:.2f} s")
    journal.close()


def recovery_of_segments(folder: Path) -> None:
    rng = np.random.default_rng(3)
    journal = opened(folder / "segments")
    for count in SEGMENTS:
        while journal.head.segment <= count:
            append(journal, 5_000, rng)
            journal.roll()
        journal.seal()
        journal.abandon()
        start = time.perf_counter()
        journal = opened(folder / "segments")
        print(f"recovery after {count} sealed segments: {time.perf_counter() - start:.2f} s")
    journal.close()


# --- auditors ---------------------------------------------------------------------------------------------------------


@contextmanager
def auditing(folder: Path, count: int) -> Iterator[None]:
    command = [sys.executable, "-c", AUDITOR, folder]
    processes = [subprocess.Popen(command, stderr=subprocess.DEVNULL) for _ in range(count)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def paced(journal: Journal) -> list[float]:
    """From when a commit of 25 ticks is due, so that one that waits for another counts."""
    rng, times = np.random.default_rng(4), []
    start = time.perf_counter()
    for number in range(int(PACED_S * COMMITS_PER_S)):
        due = start + number / COMMITS_PER_S
        time.sleep(max(0.0, due - time.perf_counter()))
        append(journal, 25, rng)
        times.append((time.perf_counter() - due) * 1e3)
    return times


def auditors(folder: Path) -> None:
    rng = np.random.default_rng(5)
    journal = opened(folder / "audited")
    for _ in range(100):
        append(journal, 20_000, rng)
    journal.roll()
    journal.seal()
    print(f"{COMMITS_PER_S} commits/s of 25 ticks, alone: {spread(paced(journal))}")
    with auditing(folder / "audited", AUDITORS):
        time.sleep(3.0)
        print(f"{COMMITS_PER_S} commits/s of 25 ticks, beside {AUDITORS} auditors: {spread(paced(journal))}")
    journal.close()


def main() -> None:
    with tempfile.TemporaryDirectory(dir=sys.argv[1] if len(sys.argv) > 1 else None) as name:
        folder = Path(name)
        print(f"{machine()}, DuckDB {duckdb.__version__}")
        print(f"one fdatasync: {spread(fdatasync_ms(folder, 1_000))}")
        for rows, count in SIZES.items():
            commits(folder, rows, count)
        recovery(folder)
        recovery_of_segments(folder)
        auditors(folder)


if __name__ == "__main__":
    main()
