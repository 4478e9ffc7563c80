"""How long until the daemon is ready, what it weighs after ten million ticks, and what they take on disk.

    python -m benchmarks.startup [TICKS]          10,000,000 by default

Every figure is of a whole process. Ticks are the simulated market's, seven quotes to three trades.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import duckdb

from benchmarks.harness import CONFIGS, machine
from tradingd.api.client import DaemonUnreachableError, call
from tradingd.api.messages import Request, Status
from tradingd.journal.reader import JournalReader

REPEATS = 5
BIN = Path(sys.executable).parent


def run(*words: str, cache: Path | None = None) -> tuple[float, int]:
    """(seconds, peak memory in MiB) of a whole process."""
    environment = os.environ | ({"TRADINGD_CACHE_DIR": str(cache)} if cache else {})
    start = time.perf_counter()
    process = subprocess.Popen(words, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    if status:
        raise SystemExit(f"{' '.join(words)} ended with {status}")
    return seconds, usage.ru_maxrss // 1024


def ready_s(journal: Path, cache: Path | None = None, settings: Sequence[str] = ()) -> float:
    """Seconds from the start of the process until it answers that it runs."""
    environment = os.environ | ({"TRADINGD_CACHE_DIR": str(cache)} if cache else {})
    start = time.perf_counter()
    words = [BIN / "tradingd", "start", "-c", CONFIGS / "demo.toml", "-j", journal, "--set", "feeds.market.speed=0.001"]
    words += [word for setting in settings for word in ("--set", setting)]
    process = subprocess.Popen(words, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not runs(journal / "control.sock"):
        time.sleep(0.01)
        if process.poll() is not None:
            raise SystemExit("the daemon did not start")
    seconds = time.perf_counter() - start
    process.terminate()
    process.wait()
    return seconds


def runs(socket: Path) -> bool:
    try:
        status = call(socket, Request("status"))
    except DaemonUnreachableError:
        return False
    return isinstance(status, Status) and status.state == "running"


def main() -> None:
    ticks = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000_000
    print(machine())
    print(f"trade --help: {statistics.median(run(str(BIN / 'trade'), '--help')[0] for _ in range(REPEATS)):.3f} s")
    with tempfile.TemporaryDirectory() as place:
        here = Path(place)
        print(f"ready, new journal, empty kernel cache: {ready_s(here / 'cold', here / 'cache'):.1f} s")
        times = [ready_s(here / f"warm{n}", here / "cache") for n in range(REPEATS)]
        print(f"ready, new journal, warm kernel cache: {statistics.median(times):.2f} s")
        long_run(here, ticks)


def long_run(here: Path, ticks: int) -> None:
    journal = here / "long"
    rate, bars = f"feeds.market.ticks_per_s={ticks / 23_400}", "bars.timeframes=['1m']"
    settings = ("feeds.market.pace='max'", rate, bars, f"journal.roll_rows={ticks // 2}")
    words = [word for setting in settings for word in ("--set", setting)]
    start = (str(BIN / "tradingd"), "start", "-c", str(CONFIGS / "demo.toml"), "-j", str(journal), "--until-done")
    seconds, peak = run(*start, *words)
    print(f"{ticks} simulated ticks: {ticks / seconds / 1e6:.2f} M ticks/s with start and stop, peak memory {peak} MiB")
    print(f"ready after that: {ready_s(journal, settings=(rate, bars)):.2f} s")
    for snapshot in (journal / "snapshots").glob("*.snap"):
        snapshot.unlink()
    print(f"ready without a snapshot, every tick re-executed: {ready_s(journal, settings=(rate, bars)):.2f} s")
    with JournalReader.open(journal) as reader:
        for segment in reader.segments():
            if segment.manifest is not None:
                size = segment.file_bytes / segment.manifest.rows["ticks"]
                print(f"sealed segment {segment.number}: {size:.1f} bytes per tick, bars and facts included")
    print(f"DuckDB {duckdb.__version__}")


if __name__ == "__main__":
    main()
