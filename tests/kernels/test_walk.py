"""A walk says what calling the step at every bar says; of a step that fails both tell, and both go on after it."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tradingd.columns import BAR
from tradingd.kernels.calls import FAILED, new_wishes, run_once, run_steps
from tradingd.kernels.walk import COLUMNS
from tradingd.strategies.checks import random_walk
from tradingd.strategies.contract import CompiledStrategy, compiled
from tradingd.strategies.loader import STRATEGIES, load_strategy

SINGLE = [kind for kind in STRATEGIES if load_strategy(kind, Path()).legs == 1]
ROWS = 3000
NAMES = ("ts_open", "ts_close", "open", "high", "low", "close", "volume")


@compiled(state=lambda p: {"bars": 0})
def fragile(state: Any, bar: Any, params: Any, out: Any) -> None:
    state.bars += 1
    if state.bars % 5 == 0:
        raise ValueError("a strategy with a bug")
    if state.bars % 4 == 0:
        out.target = np.sign(bar.close - bar.open)


def every(count: int) -> CompiledStrategy:
    """Turns at every so many bars."""

    @compiled(state=lambda p: {"bars": 0})
    def turning(state: Any, bar: Any, params: Any, out: Any) -> None:
        state.bars += 1
        if state.bars % count == 0:
            out.target = 1.0 - out.target

    return turning


@compiled()
def all_of_it(state: Any, bar: Any, params: Any, out: Any) -> None:
    """Looks at each field of the bar, and changes each field of what it wants."""
    out.target = np.sign(bar.close - bar.open)
    out.confidence = (bar.ts_open // 60_000_000_000) % 3 / 2.0
    out.stop, out.take_profit, out.limit = bar.low, bar.high, bar.volume
    out.trigger, out.trail = float(bar.ts_close - bar.ts_open), bar.vwap if bar.trades == 1 else float(bar.timeframe)


def market() -> Any:
    bars = random_walk(ROWS)
    bars["vwap"], bars["trades"] = np.nan, 1
    return bars


def stepped(strategy: CompiledStrategy, bars: Any) -> Any:
    instance, outs = strategy.instantiate(), np.zeros(len(bars), new_wishes(1)["own"].dtype)
    address, state, params = instance.row
    run_steps(address, state, bars, params, new_wishes(1)["own"].copy(), outs)
    return outs


def columns_of(bars: Any) -> tuple[Any, list[Any]]:
    """COLUMNS, and the arrays that it has the addresses of."""
    columns, arrays = np.zeros(1, COLUMNS), [np.ascontiguousarray(bars[name]) for name in NAMES]
    columns["bar"], columns["size"], columns["stop"] = bars[:1], len(bars), len(bars)
    for name, array in zip(NAMES, arrays, strict=True):
        columns[name] = array.ctypes.data
    return columns, arrays


def walked(strategy: CompiledStrategy, bars: Any) -> tuple[Any, int]:
    """What is wanted after each bar, and how many walks that took."""
    columns, _arrays = columns_of(bars)
    outs = np.zeros(len(bars), new_wishes(1)["own"].dtype)
    instance, out, walks = strategy.walking(), new_wishes(1)["own"].copy(), 0
    address, state, params = instance.row
    while (first := int(columns["next"][0])) < len(bars):
        before = out.copy()
        run_once(address, state, params, columns.ctypes.data, out.ctypes.data)
        last = int(columns["next"][0]) - 1
        outs[first:last], outs[last] = before, out[0]
        walks += 1
    return outs, walks


@pytest.mark.parametrize("kind", SINGLE)
def test_a_walk_wants_what_the_steps_want(kind: str) -> None:
    bars, strategy = market(), load_strategy(kind, Path())
    assert isinstance(strategy, CompiledStrategy)
    outs, walks = walked(strategy, bars)
    assert outs.tobytes() == stepped(strategy, bars).tobytes()
    assert 2 < walks <= ROWS


def test_every_field_goes_in_and_comes_out() -> None:
    bars = market()
    assert bars.dtype == BAR
    outs, walks = walked(all_of_it, bars)
    assert outs.tobytes() == stepped(all_of_it, bars).tobytes()
    assert walks == ROWS


@pytest.mark.parametrize("count", [3, 7])
def test_steps_that_one_function_makes_have_walks_of_their_own(count: int) -> None:
    bars = market()
    outs, walks = walked(every(count), bars)
    assert outs.tobytes() == stepped(every(count), bars).tobytes()
    assert walks == -(-ROWS // count)


def test_a_step_that_fails_ends_the_walk_and_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", heard.append)
    columns, _arrays = columns_of(market())
    address, state, params = fragile.walking().row
    out, failed = new_wishes(1)["own"].copy(), []
    while columns["next"][0] < ROWS:
        run_once(address, state, params, columns.ctypes.data, out.ctypes.data)
        failed.append(int(columns["failed"][0]))
    assert sum(failed) == len(heard) == ROWS // 5


def test_a_step_that_fails_leaves_a_target_that_nobody_wants(monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", heard.append)
    bars = market()[:9]
    wanted = stepped(fragile, bars)["target"]
    assert (wanted == FAILED).tolist() == [False] * 4 + [True] * 3 + [False] * 2  # until a step says something else
    assert str(heard[0].exc_value) == "a strategy with a bug"
