"""The event engine, which is the core of the daemon, against the kernel engine: the same trades, to the last unit."""

import math
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from msgspec import Struct, structs
from wavy_market import waves

from tradingd.audit.replay import replay
from tradingd.backtesting import playing
from tradingd.backtesting.engine import Executed, execute, trade
from tradingd.backtesting.errors import BacktestError
from tradingd.backtesting.event import execute_by_core
from tradingd.backtesting.parity import difference
from tradingd.backtesting.record import Record
from tradingd.backtesting.settings import BacktestSettings, settings_of
from tradingd.core.memory import Library
from tradingd.feeds.bars.table import Bars
from tradingd.journal.reader import JournalReader
from tradingd.journal.verify import verify
from tradingd.kernels.calls import PRICES
from tradingd.strategies.contract import PythonStrategy, Target
from tradingd.strategies.loader import load_strategy

from .test_engine import World, world_of

FRAGILE = """
from tradingd.strategies.contract import compiled
import numpy as np
@compiled(state=lambda p: {"bars": 0})
def fragile(state, bar, params, out):
    state.bars += 1
    if state.bars == 7:
        out.target = np.zeros(state.bars)[7:].max()
"""


def plan(signals: Any) -> Library:
    """A strategy that says what it is told to at each bar."""
    said = {int(signal["bar"]): signal for signal in signals}

    class Plan(PythonStrategy):
        class State(Struct):
            bars: int = 0

        def on_bar(self, state: State, bar: Any, params: Any) -> Target | None:
            signal = said.get(state.bars)
            state.bars += 1
            if signal is None:
                return None
            target, confidence, *prices = (float(signal[name]) for name in list(signal.dtype.names)[1:])
            return Target(target, confidence, *(None if math.isnan(price) else price for price in prices))

    return {"sma_cross": Plan}


def lawful(world: World) -> World:
    """Protection at prices that there can be: the gate refuses others."""
    instrument, signals = world.settings.instrument, world.signals.copy()
    if not instrument.negative_prices:
        assume(world.bars.low.min() >= instrument.tick_size / 2)
        for name in PRICES:
            signals[name][~(signals[name] >= instrument.tick_size)] = np.nan
    return World(world.settings, world.bars, signals, world.funding)


def facts(executed: Executed) -> list[tuple[Any, ...]]:
    return [tuple(fill) for fill in executed.fills.tolist()]


@settings(max_examples=120, deadline=None)
@given(st.integers(0, 2**32))
@example(1096)  # what volume leaves of a stop within the bar of its entry is liquidated in the same bar
def test_the_core_makes_the_trades_of_the_kernel_on_random_bars(seed: int) -> None:
    world = lawful(world_of(seed))
    try:
        by_core = execute_by_core(world.settings, world.bars, plan(world.signals), funding=world.funding)
    except OverflowError:
        assume(False)
    by_kernel = trade(world.settings, world.bars, by_core.signals, world.funding)
    assert facts(by_core) == facts(by_kernel)
    assert by_core.postings.tolist() == by_kernel.postings.tolist()
    assert np.array_equal(by_core.equity, by_kernel.equity)


def waved() -> tuple[BacktestSettings, Bars, Library]:
    """A market of waves, and what trades it."""
    bars = Bars.of(waves())
    instrument = {"id": "SIM:WAVES", "asset_class": "equity", "tick_size": 0.01, "lot_size": 1, "currency": "USD"}
    account = {"currency": "USD", "balance": "100000"}
    exits = [{"kind": "fixed_ratio"}]
    made = {"kind": "sma_cross", "strategy": {"fast": 3, "slow": 8}, "exits": exits}
    kinds = ("sma_cross", "fixed_ratio")
    library = {kind: load_strategy(kind, Path()) for kind in kinds}
    return settings_of(made | {"instrument": instrument, "account": account}), bars, library


def test_what_strategies_say_is_heard_alike() -> None:
    setting, bars, library = waved()
    by_core, by_kernel = execute_by_core(setting, bars, library), execute(setting, bars, Path())
    assert len(by_core.fills) > 4
    assert str(by_core.signals.tolist()) == str(by_kernel.signals.tolist())  # as NaN equals nothing
    assert difference(by_core, by_kernel) is None


def test_its_journal_is_proven_like_that_of_a_daemon(tmp_path: Path) -> None:
    setting, bars, library = waved()
    execute_by_core(setting, bars, library, tmp_path / "journal")
    assert verify(tmp_path / "journal").fault is None
    with JournalReader.open(tmp_path / "journal") as reader:
        assert replay(reader, verify=True).identical
        record = Record([setting.instrument])
        for commit in reader.commits():
            record.take(commit.events)
    assert difference(record.executed(0, bars, setting.account), execute(setting, bars, Path())) is None


def test_its_journal_has_segments_like_that_of_a_daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the log of a segment holds is in memory too."""
    setting, bars, library = waved()
    monkeypatch.setattr(playing, "KEPT", structs.replace(playing.KEPT, roll_rows=1))
    execute_by_core(setting, bars, library, tmp_path / "journal")
    report = verify(tmp_path / "journal")
    assert report.ok
    assert report.segments == report.end.commit_no == 3  # the start, the bars, the end
    with JournalReader.open(tmp_path / "journal") as reader:
        assert replay(reader, verify=True).identical


def test_a_journal_is_not_added_to(tmp_path: Path) -> None:
    setting, bars, library = waved()
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(BacktestError, match="is not empty; give --journal a folder of its own"):
        execute_by_core(setting, bars, library, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_step_that_fails_ends_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", heard.append)
    (tmp_path / "mine.py").write_text(FRAGILE)
    setting, bars, library = waved()
    broken = library | {"sma_cross": load_strategy("mine.py:fragile", tmp_path)}
    setting = structs.replace(setting, strategy={})
    with pytest.raises(BacktestError, match="UTC: unlawful wish: strategy backtest: a step that failed"):
        execute_by_core(setting, bars, broken, tmp_path / "journal")
    assert "zero-size array" in str(heard[0].exc_value)
    assert verify(tmp_path / "journal").fault is None  # what was written until then


def test_there_is_no_time_before_1970() -> None:
    setting, bars, library = waved()
    early = replace(bars, ts_open_ns=bars.ts_open_ns - bars.ts_open_ns[-1])
    with pytest.raises(BacktestError, match="no time before 1970"):
        execute_by_core(setting, early, library)


def test_a_difference_is_told_in_words() -> None:
    setting, bars, _ = waved()
    made = execute(setting, bars, Path())
    fills, equity = made.fills.copy(), made.equity.copy()
    fills["fee"][1] += 1
    equity[3] += 1.0
    assert str(difference(made, replace(made, fills=fills))).startswith("fill 2: bar ")
    assert f"{len(fills):,} fills; {len(fills) - 1:,} fills" in str(
        difference(made, replace(made, fills=made.fills[:-1]))
    )
    assert "equity after bar 3: " in str(difference(made, replace(made, equity=equity)))
