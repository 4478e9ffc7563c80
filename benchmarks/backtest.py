"""W1: an SMA cross (10/50), all in, a commission of 0.001 %, a million one-minute bars, one core.

    python -m benchmarks.backtest [BARS] [PYTHON SCRIPT]

PYTHON SCRIPT: an environment and a script of a peer that prints one line for as many bars; run before and after ours.
The commission is smaller than the 0.1 % that peers are timed with, because money here is whole units: of 0.2 % a round
trip nothing would be left of it after 13,700.
"""

import itertools
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import msgspec
import numpy as np
import polars as pl

from benchmarks.harness import machine, median_s
from tradingd.backtesting.engine import execute, signals_of, trade
from tradingd.backtesting.event import SOURCE, as_core_settings, batches, execute_by_core
from tradingd.backtesting.playing import play
from tradingd.backtesting.record import Record
from tradingd.backtesting.run import backtest
from tradingd.backtesting.settings import BacktestSettings, settings_of
from tradingd.core.memory import Library
from tradingd.events import Event, OrderRequested
from tradingd.feeds.bars.table import Bars
from tradingd.reducers.apply import apply
from tradingd.reducers.ledger import open_ledger
from tradingd.strategies.loader import load_strategy

BARS = 1_000_000
REPEATS = 9
EVENT_REPEATS = 3
AGAIN = 100
# at its end it says its largest size; that of getrusage would be at least its parent's
COLD = """
import atexit, sys
sizes = lambda: [line for line in open("/proc/self/status") if line.startswith("VmHWM")]
atexit.register(lambda: sys.stderr.write(sizes()[0]))
sys.argv[0] = "trade"
from tradingd_cli.trade import main
main()
"""
INSTRUMENT = {"tick_size": 0.01, "lot_size": 0.000001, "fees": {"taker_rate": 0.00001}}
CALM = {"fast": 60_000, "slow": 65_000, "long_only": True}
SETTINGS = {
    "kind": "sma_cross",
    "strategy": {"fast": 10, "slow": 50, "long_only": True},
    "instrument": {"id": "SIM:W1", "asset_class": "spot", "currency": "USD", **INSTRUMENT},
    "account": {"currency": "USD", "balance": "1000000"},
}


def market(rows: int) -> pl.DataFrame:
    """A geometric random walk; each bar opens where the one before closed."""
    rng = np.random.default_rng(7)
    close = np.round(30_000 * np.exp(np.cumsum(rng.standard_normal(rows) * 5e-4)), 2)
    opened = np.concatenate([[30_000.0], close[:-1]])
    times = 1_704_067_200_000_000_000 + 60_000_000_000 * np.arange(rows, dtype=np.int64)
    up, down = (1 + side * np.abs(rng.standard_normal(rows)) * 2e-4 for side in (1, -1))
    return pl.DataFrame(
        {
            "ts_open_ns": times,
            "ts_close_ns": times + 60_000_000_000,
            "open": opened,
            "high": np.round(np.maximum(opened, close) * up, 2),
            "low": np.round(np.minimum(opened, close) * down, 2),
            "close": close,
            "volume": np.ones(rows),
        }
    )


def rate(name: str, rows: int, seconds: float) -> None:
    print(f"{name}: {seconds * 1e3:.1f} ms, {rows / seconds / 1e6:.2f} M bars/s")


def parts(settings: BacktestSettings, bars: Bars) -> None:
    signals = signals_of(settings, bars, Path())
    rows = len(bars)
    rate("the strategy alone", rows, median_s(lambda: signals_of(settings, bars, Path()), REPEATS))
    rate("the trades of its signals", rows, median_s(lambda: trade(settings, bars, signals), REPEATS))
    rate("both: signals, fees, equity, round trips", rows, median_s(lambda: execute(settings, bars, Path()), REPEATS))


def by_core(settings: BacktestSettings, bars: Bars, folder: Path, processors: set[int]) -> None:
    """The event engine, without a journal and with one, which has a thread of its own."""
    library = {settings.kind: load_strategy(settings.kind, folder)}
    off_s = median_s(lambda: execute_by_core(settings, bars, library), EVENT_REPEATS)
    rate("the event engine", len(bars), off_s)
    calm = settings_of(SETTINGS | {"strategy": CALM})
    calm_s = median_s(lambda: execute_by_core(calm, bars, library), EVENT_REPEATS)
    rate(f"the event engine where averages of {CALM['slow']:,} seldom cross", len(bars), calm_s)
    more = len(execute_by_core(settings, bars, library).fills) - len(execute_by_core(calm, bars, library).fills)
    print(f"so an order takes {(off_s - calm_s) / more * 1e6:.0f} us")
    facts_alone(settings, bars, library)
    journals = (folder / f"journal{n}" for n in itertools.count())

    def keep() -> None:
        execute_by_core(settings, bars, library, next(journals))

    rate("the event engine, which keeps a journal", len(bars), median_s(keep, EVENT_REPEATS))
    pinned = os.sched_getaffinity(0)
    os.sched_setaffinity(0, processors)
    rate(f"the same on {len(processors)} processors", len(bars), median_s(keep, EVENT_REPEATS))
    os.sched_setaffinity(0, pinned)


def facts_alone(settings: BacktestSettings, bars: Bars, library: Library) -> None:
    """What an order's facts take by themselves: to be made as objects, to be folded into a ledger, to be told of."""
    core = as_core_settings(settings, bars)
    commits = list(play(core, library, (SOURCE,), batches(bars), None))
    events = [event for commit in commits for event in commit.events]
    orders = sum(isinstance(event.body, OrderRequested) for event in events)
    plain = [(type(each.body), msgspec.structs.asdict(each.body), each) for each in events]

    def make() -> None:
        for kind, fields, each in plain:
            Event(each.seq, each.n, each.ts_event_ns, each.ts_received_ns, each.source, kind(**fields))

    def fold() -> None:
        ledger = open_ledger(core.accounts)
        for each in events:
            apply(ledger, core.instruments, each.body, each.ts_received_ns)

    def tell() -> None:
        record = Record(core.instruments)
        record.take(events)
        record.executed(0, bars, settings.account)

    took = ", ".join(
        f"{median_s(part, EVENT_REPEATS) / orders * 1e6:.1f} us to {part.__name__}" for part in (make, fold, tell)
    )
    print(f"its {len(events) / orders:.1f} facts alone: {took}")


def whole(frame: pl.DataFrame) -> None:
    """With what a notebook does: columns checked, figures, the frame of trades."""

    def run() -> int:
        result = backtest("sma_cross", frame, SETTINGS["strategy"], instrument=INSTRUMENT, balance="1000000")
        return len(result.trades) + result.metrics.closed_trades

    rate("backtest() with figures and the frame of trades", len(frame), median_s(run, REPEATS))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(AGAIN):
        run()
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    size = frame.estimated_size() / 1e6
    print(f"{AGAIN} of them more: the largest size of the process grew by {grown:.0f} MiB; the bars are {size:.0f} MB")


def cold(frame: pl.DataFrame, folder: Path) -> None:
    """In a process of its own; what it takes more of memory than one of a few bars is what the bars take."""
    times, sizes = zip(*(_process(frame, folder) for _ in range(REPEATS)), strict=True)
    _, least = _process(frame.head(1000), folder)
    print(f"trade backtest, a process of its own, from a Parquet file: {np.median(times):.2f} s")
    size = frame.estimated_size()
    print(f"its memory over that of 1,000 bars: {(max(sizes) - least) / size:.1f} x the bars' {size / 1e6:.0f} MB")


def _process(frame: pl.DataFrame, folder: Path) -> tuple[float, int]:
    """Seconds and largest size in bytes."""
    path = folder / "bars.parquet"
    frame.write_parquet(path)
    command = [sys.executable, "-c", COLD, "backtest", "-s", "sma_cross", "-d", str(path), "--balance", "1000000"]
    for name, value in (("lot_size", "0.000001"), ("fees.taker_rate", "0.00001")):
        command += ["--set", f"instrument.{name}={value}"]
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}  # as where installed
    start = time.perf_counter()
    done = subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=env)
    return time.perf_counter() - start, int(done.stderr.split()[1]) * 1024


def peer(command: list[str], rows: int) -> None:
    if command:
        done = subprocess.run([*command, str(rows)], check=True, capture_output=True, text=True)
        print(done.stdout.strip())


def main() -> None:
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else BARS
    processors = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(processors)})
    frame, settings = market(rows), settings_of(SETTINGS)
    print(f"{machine()}, one of them; {rows:,} bars")
    peer(sys.argv[2:], rows)
    parts(settings, Bars.of(frame))
    peer(sys.argv[2:], rows)
    whole(frame)
    with tempfile.TemporaryDirectory() as folder:
        by_core(settings, Bars.of(frame), Path(folder), processors)
        cold(frame, Path(folder))


if __name__ == "__main__":
    main()
