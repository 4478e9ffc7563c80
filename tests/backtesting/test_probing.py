"""Strategies that look ahead or declare too little are found; those that do not are left alone."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tradingd.backtesting.errors import BacktestError
from tradingd.backtesting.probing import Lookahead, Warmup, lookahead, warmup
from tradingd.columns import TIMEFRAMES
from tradingd.feeds.bars.table import Bars
from tradingd.strategies.contract import StrategyError, bar_of

Asked = Callable[..., Lookahead | Warmup]
CHEATS = '''
from typing import Annotated
from msgspec import Meta, Struct
from tradingd.kernels.indicators import sma_state, sma_step
from tradingd.strategies.contract import PythonStrategy, Target, compiled

SEEN = []


class remembers(PythonStrategy):
    """Keeps all bars that it ever saw outside of its state: the second time it knows what comes."""

    class State(Struct):
        at: int = 0

    def on_bar(self, state, bar, params):
        if bar.ts_open not in [seen.ts_open for seen in SEEN]:
            SEEN.append(bar)
        state.at += 1
        later = [seen.close for seen in SEEN if seen.ts_open > bar.ts_open]
        return Target(1.0 if later and later[0] > bar.close else -1.0)


@compiled(params={"period": 50}, state=lambda p: {"mean": sma_state(p["period"])}, warmup=lambda p: 20)
def hasty(state, bar, params, out):
    out.target = 1.0 if bar.close > sma_step(state.mean, bar.close) else -1.0


@compiled(state=lambda p: {"bars": 0}, warmup=lambda p: 10)
def counting(state, bar, params, out):
    state.bars += 1
    out.target = 1.0 if state.bars % 7 < 3 else -1.0
'''


@pytest.fixture
def bars() -> Bars:
    rows, rng = 400, np.random.default_rng(9)
    times = np.arange(rows, dtype=np.int64) * 60_000_000_000
    close = np.round(100 + np.cumsum(rng.normal(0, 0.3, rows)), 2)
    opened = np.append(100.0, close[:-1])
    high, low = np.maximum(opened, close), np.minimum(opened, close)
    return Bars(times, times + 60_000_000_000, opened, high, low, close, np.ones(rows))


@pytest.fixture
def cheats(tmp_path: Path) -> Path:
    (tmp_path / "cheats.py").write_text(CHEATS)
    return tmp_path


@pytest.mark.parametrize("kind", ["sma_cross", "mean_reversion", "coin_flip"])
def test_built_in_strategies_do_not_look_ahead(kind: str, bars: Bars) -> None:
    found = lookahead(kind, {}, [bars], Path())
    assert (found.bar, found.cuts) == (None, 20)


def test_one_that_knows_what_comes_is_found(bars: Bars, cheats: Path) -> None:
    found = lookahead("cheats.py:remembers", {}, [bars], cheats)
    assert found.bar is not None and found.cut is not None
    assert found.bar < found.cut
    assert found.with_future != found.without


@pytest.mark.parametrize("slow", [20, 50, 90])
def test_a_cross_needs_its_slow_average(slow: int, bars: Bars) -> None:
    found = warmup("sma_cross", {"fast": 5, "slow": slow}, [bars], Path())
    assert (found.needed, found.declared) == (slow, slow)


def test_one_that_declares_too_little(bars: Bars, cheats: Path) -> None:
    found = warmup("cheats.py:hasty", {}, [bars], cheats)
    assert found.needed is not None
    assert found.declared == 20 < found.needed <= 50


def test_one_that_never_agrees(bars: Bars, cheats: Path) -> None:
    assert warmup("cheats.py:counting", {}, [bars], cheats).needed is None


def test_too_few_bars(bars: Bars) -> None:
    few = Bars(*(getattr(bars, name)[:39] for name in Bars.__slots__))
    with pytest.raises(BacktestError, match="39 bars are too few for this; 40 are the least"):
        lookahead("sma_cross", {}, [few], Path())


@pytest.mark.parametrize("asked", [lookahead, warmup])
@pytest.mark.parametrize(("kind", "params"), [("trailing_atr", {}), ("sma_cross", {"slow": 500})])
def test_one_that_says_nothing_is_no_proof(asked: Asked, kind: str, params: dict[str, int], bars: Bars) -> None:
    with pytest.raises(BacktestError, match=f"{kind} never wants a position in these 400 bars, so there is nothing"):
        asked(kind, params, [bars], Path())


@pytest.fixture
def pair(bars: Bars) -> list[Bars]:
    """The second has no bar where every tenth of the first is."""
    kept, rng = np.arange(len(bars)) % 10 > 0, np.random.default_rng(3)
    times, close = (bars.ts_open_ns[kept], bars.ts_close_ns[kept]), np.round(50 + np.cumsum(rng.normal(0, 0.3, 360)), 2)
    return [bars, Bars(*times, close, close, close, close, np.ones(360))]


def test_a_strategy_of_several_instruments_is_asked_at_the_closes_that_all_have(pair: list[Bars]) -> None:
    looked = lookahead("pair_reversion", {"period": 20}, pair, Path())
    assert (looked.bars, looked.bar) == (360, None)
    warmed = warmup("pair_reversion", {"period": 20, "leave": 1.99}, pair, Path())
    assert warmed.declared == 20 and warmed.needed is not None and warmed.needed >= 20


PEEKS = """
from tradingd.strategies.contract import compiled


@compiled(state=lambda p: {"seen": 0}, warmup=lambda p: 1, legs=2)
def changing(state, bars, params, outs):
    state.seen += 1
    outs.leg[1].target = 1.0 if state.seen % 7 < 3 else 0.0
"""


def test_a_leg_that_never_agrees_is_found(pair: list[Bars], tmp_path: Path) -> None:
    (tmp_path / "peeks.py").write_text(PEEKS)
    assert warmup("peeks.py:changing", {}, pair, tmp_path).needed is None


@pytest.mark.parametrize("asked", [lookahead, warmup])
@pytest.mark.parametrize(
    ("kind", "files", "said"),
    [
        ("pair_reversion", 1, r"takes 2 instruments at once, and has one here; give a file of each \(-d A -d B\)"),
        ("pair_reversion", 3, "takes 2 instruments at once, and has 3"),
        ("sma_cross", 2, "sma_cross takes one instrument, and has 2; give one file"),
    ],
)
def test_other_files_than_it_takes_are_one_line(asked: Asked, kind: str, files: int, said: str, bars: Bars) -> None:
    with pytest.raises((BacktestError, StrategyError), match=said):
        asked(kind, {}, [bars] * files, Path())


def test_bars_as_strategies_see_them(bars: Bars) -> None:
    bar = bar_of(bars.records()[7])
    assert (bar.ts_open, bar.ts_close) == (7 * 60_000_000_000, 8 * 60_000_000_000)
    assert bar.timeframe == TIMEFRAMES.index("1m")
    assert (bar.open, bar.close, bar.volume) == (bars.open[7], bars.close[7], 1.0)
