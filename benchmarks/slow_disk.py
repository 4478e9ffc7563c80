"""A disk of which every sync takes 200 ms, and auditors who are stuck: what waits, and whether memory stays flat.

    python -m benchmarks.slow_disk [SECONDS]        600 by default; needs a C compiler

The market of benchmarks.latency at 5,000 ticks/s. Two followers of the daemon's events never read a byte, and an
auditor's query over the running journal is always under way.
"""

import asyncio
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.harness import CONFIGS, machine
from benchmarks.journal import auditing
from benchmarks.latency import TICKS_PER_S, Arrivals, paced, row
from tradingd.config.load import load
from tradingd.daemon.daemon import Daemon
from tradingd.daemon.prepare import prepare
from tradingd.daemon.process import prefer_latency

DISK = CONFIGS.parent / "tests" / "faults" / "disk"
SYNC_MS = 200
STUCK = 2
ROLL_WAL_MB = 24  # what DuckDB holds in memory of the segment that is written; a rollover each minute


def again_on_the_slow_disk(place: str) -> None:
    """The same program, below a shim that slows syncs in `place`."""
    shim = Path(place, "disk.so")
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", shim, DISK / "shim.c", "-ldl"], check=True)
    slow = {"LD_PRELOAD": str(shim), "DISK_ROOT": place, "DISK_SYNC_MS": str(SYNC_MS)}
    subprocess.run([sys.executable, "-m", __spec__.name, *sys.argv[1:]], env=os.environ | slow, check=True)


class Memory:
    """Resident memory of this process, once a second."""

    def __init__(self) -> None:
        self.mib: list[float] = []
        self._page_mib = os.sysconf("SC_PAGE_SIZE") / 2**20

    def watch(self, done: threading.Event) -> None:
        while not done.wait(1.0):
            self.mib.append(int(Path("/proc/self/statm").read_text().split()[1]) * self._page_mib)

    def text(self) -> str:
        """Medians of tenths, but for the first of them, in which the process grows to its size."""
        tenths = np.array_split(np.array(self.mib), 10)
        return ", ".join(f"{np.median(tenth):.0f}" for tenth in tenths[1:] if len(tenth))


def stuck_follower(path: Path) -> socket.socket:
    follower = socket.socket(socket.AF_UNIX)
    follower.connect(str(path))
    follower.sendall(b'{"op": "tail"}\n')
    return follower


def run(place: str, seconds: int) -> None:
    overrides = [f'journal.folder="{place}/journal"', f"journal.roll_wal_mb={ROLL_WAL_MB}", *paced(seconds)]
    prepared = prepare(load(CONFIGS / "demo.toml", overrides), CONFIGS)
    arrivals, memory, done = Arrivals(prepared.feeds[0]), Memory(), threading.Event()
    daemon = Daemon(replace(prepared, feeds=[arrivals]), until_done=True, published=arrivals.published)
    prefer_latency()
    threading.Thread(target=memory.watch, args=[done], daemon=True).start()
    with ExitStack() as stack:

        def others() -> None:
            for _ in range(STUCK):
                stack.enter_context(stuck_follower(Path(place, "journal", "control.sock")))
            stack.enter_context(auditing(Path(place, "journal"), 1))

        start = time.perf_counter()
        asyncio.run(daemon.run(others))
        took_s = time.perf_counter() - start
    done.set()
    head = prepared.journal.head
    print(f"{machine()}; every sync takes {SYNC_MS} ms longer, {seconds} s at {TICKS_PER_S} ticks/s")
    print(f"{daemon.counts['Tick']} ticks in {head.commit_no} commits, {head.segment} segments, {took_s:.1f} s")
    print(row("arrival to durable, every batch", arrivals.waits_ms))
    print(f"memory by tenths of the run, MiB: {memory.text()}")


def main() -> None:
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else 600
    if "DISK_ROOT" in os.environ:
        run(os.environ["DISK_ROOT"], seconds)
        return
    with tempfile.TemporaryDirectory() as place:
        again_on_the_slow_disk(place)


if __name__ == "__main__":
    main()
