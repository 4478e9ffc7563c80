"""What a strategy says is the same whichever kind it is of, and whatever comes after."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tradingd.backtesting.errors import BacktestError
from tradingd.backtesting.hearing import signals_of
from tradingd.backtesting.settings import BacktestSettings, settings_of
from tradingd.feeds.bars.table import Bars
from tradingd.strategies.contract import StrategyError
from tradingd.strategies.loader import STRATEGIES, load_strategy

SINGLE = [kind for kind in STRATEGIES if load_strategy(kind, Path()).legs == 1]
TWINS = """
import numpy as np
from msgspec import Struct
from tradingd.strategies.contract import PythonStrategy, Target, compiled


@compiled(params={"wide": 0.01}, state=lambda p: {"bars": 0}, warmup=lambda p: 3)
def fast(state, bar, params, out):
    state.bars += 1
    if state.bars % 4 == 0:
        out.target = 0.5 if bar.close > bar.open else -1.0
        out.confidence = 0.3 if bar.volume > 1.0 else 0.9
        out.stop = bar.close * (1.0 - np.sign(out.target) * params.wide)


@compiled(state=lambda p: {"bars": 0})
def fragile(state, bar, params, out):
    state.bars += 1
    out.target = 0.1 * state.bars
    if state.bars == 7:
        out.target = np.zeros(state.bars - 7).max()


class slow(PythonStrategy):
    class Params(Struct, frozen=True, forbid_unknown_fields=True):
        wide: float = 0.01

    class State(Struct):
        bars: int = 0

    def warmup_bars(self, params):
        return 3

    def on_bar(self, state, bar, params):
        state.bars += 1
        if state.bars % 4:
            return None
        target = 0.5 if bar.close > bar.open else -1.0
        stop = bar.close * (1.0 - np.sign(target) * params.wide)
        return Target(target, 0.3 if bar.volume > 1.0 else 0.9, stop)


class plain(slow):
    def on_bar(self, state, bar, params):
        return 1.0


class wild(slow):
    def on_bar(self, state, bar, params):
        return Target(2.0)
"""


def bars(rows: int, seed: int = 3) -> Bars:
    rng = np.random.default_rng(seed)
    times = np.arange(rows, dtype=np.int64) * 60_000_000_000
    close = np.round(100 + np.cumsum(rng.normal(0, 0.2, rows)), 2)
    opened = np.append(100.0, close[:-1])
    high, low = np.maximum(opened, close) + 0.01, np.minimum(opened, close) - 0.01
    return Bars(times, times + 60_000_000_000, opened, high, low, close, rng.integers(0, 3, rows).astype(np.float64))


def said(signals: Any) -> str:
    """To the last bit, and NaN like NaN."""
    return repr(signals.tolist())


@pytest.fixture
def settings(tmp_path: Path) -> Callable[..., BacktestSettings]:
    (tmp_path / "twins.py").write_text(TWINS)
    instrument = {"id": "A:B", "asset_class": "equity", "tick_size": 0.01, "lot_size": 1, "currency": "USD"}
    account = {"currency": "USD", "balance": "100000"}

    def make(kind: str, *exits: str) -> BacktestSettings:
        kinds = [{"kind": leave} for leave in exits]
        return settings_of({"kind": kind, "exits": kinds, "instrument": instrument, "account": account})

    return make


@pytest.mark.parametrize("exits", [(), ("trailing_atr",), ("fixed_ratio", "trailing_atr")])
def test_compiled_and_plain_python_say_the_same(
    settings: Callable[..., BacktestSettings], tmp_path: Path, exits: tuple[str, ...]
) -> None:
    fast, slow = (signals_of(settings(f"twins.py:{name}", *exits), bars(500), tmp_path) for name in ("fast", "slow"))
    assert len(fast) > 50
    assert said(fast) == said(slow)


@pytest.mark.parametrize("kind", [*SINGLE, "twins.py:fast", "twins.py:slow"])
def test_nothing_that_comes_later_changes_what_was_said(
    settings: Callable[..., BacktestSettings], tmp_path: Path, kind: str
) -> None:
    asked = settings(kind, "trailing_atr")
    whole = signals_of(asked, bars(2000), tmp_path)
    assert len(whole) > 5
    for rows in (1, 100, 1234):
        part = Bars(*(getattr(bars(2000), name)[:rows] for name in Bars.__slots__))
        assert said(signals_of(asked, part, tmp_path)) == said(whole[whole["bar"] < rows])


def test_more_signals_than_there_was_room_for(settings: Callable[..., BacktestSettings], tmp_path: Path) -> None:
    many = bars(60_000)
    heard = signals_of(settings("twins.py:fast"), many, tmp_path)
    assert len(heard) > 4096 * 2
    assert (np.diff(heard["bar"]) > 0).all()


def test_what_is_not_allowed(settings: Callable[..., BacktestSettings], tmp_path: Path) -> None:
    with pytest.raises(BacktestError, match=r"bar 2: a step that failed, a target outside of \[-1, 1\]"):
        signals_of(settings("twins.py:wild"), bars(50), tmp_path)
    with pytest.raises(BacktestError, match=r"bar 0: the strategy gave 1\.0, no Target and not None"):
        signals_of(settings("twins.py:plain"), bars(50), tmp_path)
    with pytest.raises(BacktestError, match=r"exits are compiled; twins\.py:slow is plain Python"):
        signals_of(settings("sma_cross", "twins.py:slow"), bars(50), tmp_path)


def test_a_step_that_fails_ends_the_run(
    settings: Callable[..., BacktestSettings], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", heard.append)
    with pytest.raises(BacktestError, match="bar 6: the strategy failed; what it failed of stands above"):
        signals_of(settings("twins.py:fragile"), bars(50), tmp_path)
    assert "zero-size array" in str(heard[0].exc_value)


def test_a_strategy_of_several_instruments_is_told_where_it_belongs(
    settings: Callable[..., BacktestSettings], tmp_path: Path
) -> None:
    with pytest.raises(StrategyError, match="pair_reversion takes 2 instruments at once, and has one here"):
        signals_of(settings("pair_reversion"), bars(50), tmp_path)
