"""Strategies of several instruments at once: stepped where all of them have closed a bar at the same time."""

import sys
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace
from world import ALFA, EURUSD, SETTINGS, Played, market, started

from tradingd.columns import TICK_COLUMNS, TickBatch
from tradingd.core.advance import advance
from tradingd.core.settings import BarSettings, CoreSettings
from tradingd.core.state import State, initial_state
from tradingd.events import Signal
from tradingd.feeds.bars.rows import rows_of
from tradingd.feeds.bars.table import Bars
from tradingd.risk.settings import RiskSettings
from tradingd.strategies.contract import CompiledStrategy, StrategyError, compiled
from tradingd.strategies.settings import StrategySettings

DAY_NS = 86_400_000_000_000
FIRST_DAY = 20_000 * DAY_NS


@compiled(params={"warm": 1}, state=lambda _: {"steps": 0, "sum": 0.0}, warmup=lambda p: p["warm"], legs=2)
def spread(state: Any, bars: Any, params: Any, outs: Any) -> None:
    """Remembers what it was given; wants a long first leg from its first bar on, and stops below each close."""
    state.steps += 1
    state.sum += bars.leg[0].close - bars.leg[1].close
    if state.steps == 1:
        outs.leg[0].target, outs.leg[1].target = 0.25, -0.5
    for leg in range(2):
        outs.leg[leg].stop = bars.leg[leg].close * 0.5


@compiled(params={"warm": 1}, warmup=lambda p: p["warm"], legs=2)
def fragile(state: Any, bars: Any, params: Any, outs: Any) -> None:
    """Wants something of its first leg, and fails."""
    outs.leg[0].target = 0.25
    if bars.leg[0].close > 0.0:
        raise ValueError("a strategy with a bug")


def core(instruments: tuple[str, ...] = (ALFA.id, EURUSD.id), warm: int = 1, step: CompiledStrategy = spread) -> State:
    strategy = StrategySettings("spread", "spread", instruments, "1d", params={"warm": warm})
    settings = CoreSettings(
        instruments=(ALFA, EURUSD),
        accounts=SETTINGS.accounts,
        strategies=(strategy,),
        risk=RiskSettings(daily_loss=None, drawdown=None, stale_data_ms=None),
        bars=BarSettings(timeframes=("1d",)),
    )
    state = initial_state(settings, {"spread": step})
    advance(state, [started(settings)])
    return state


def take(state: State, day: int, instrument: int, close: float) -> list[Signal]:
    """What is signalled at the bar of one day."""
    opened = np.array([FIRST_DAY + day * DAY_NS])
    prices = [np.array([close])] * 5
    columns = rows_of(Bars(opened, opened + DAY_NS, *prices), 0, 1, instrument)
    commit = advance(state, [TickBatch(source=0, frames=(), **{name: columns[name] for name in TICK_COLUMNS})])
    return [event.body for event in commit.events if isinstance(event.body, Signal)]


def seen(state: State) -> tuple[int, float]:
    instances = [slot.instance for slot in state.memory.table if slot.instance is not None]
    assert len(instances) == 1
    return tuple(instances[0].state[0].item())


def test_the_step_waits_for_the_last_leg_and_tells_each_of_them() -> None:
    state = core()
    assert take(state, 0, 0, 100.0) == []
    told = take(state, 0, 1, 40.0)
    assert [(s.instrument, s.target, s.price, s.stop) for s in told] == [(0, 0.25, 100.0, 50.0), (1, -0.5, 40.0, 20.0)]
    assert {s.ts_bar_close_ns for s in told} == {FIRST_DAY + DAY_NS}
    assert seen(state) == (1, 60.0)


def test_a_bar_without_a_partner_is_not_seen() -> None:
    state = core()
    for day, instrument, close in [(0, 0, 100.0), (1, 0, 1.0), (1, 1, 2.0), (2, 1, 7.0), (3, 1, 5.0), (3, 0, 8.0)]:
        take(state, day, instrument, close)
    assert seen(state) == (2, 1.0 - 2.0 + 8.0 - 5.0)


def test_legs_stand_in_the_order_of_the_config() -> None:
    state = core((EURUSD.id, ALFA.id))
    take(state, 0, 0, 100.0)
    told = take(state, 0, 1, 40.0)
    assert [(s.instrument, s.target) for s in told] == [(0, -0.5), (1, 0.25)]
    assert seen(state) == (1, -60.0)


def test_what_is_wanted_before_the_warm_up_is_over_is_not_held() -> None:
    state = core(warm=2)
    assert [s for day in range(3) for leg in range(2) for s in take(state, day, leg, 50.0)] == []
    assert seen(state) == (3, 0.0)


@pytest.mark.parametrize("warm", [1, 5])
def test_a_step_that_fails_stops_new_exposure_also_where_it_is_not_warm(
    warm: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "unraisablehook", lambda _: None)
    state = core(warm=warm, step=fragile)
    take(state, 0, 0, 100.0)
    told = take(state, 0, 1, 40.0)
    assert [signal.target for signal in told] == [0.0, 0.0]
    assert "strategy spread: a step that failed" in state.ledger.halts["anomaly"].text


@pytest.mark.parametrize("instruments", [(ALFA.id,), (ALFA.id, EURUSD.id, ALFA.id)])
def test_another_number_of_instruments_is_refused(instruments: tuple[str, ...]) -> None:
    with pytest.raises(StrategyError, match=f"spread takes 2 instruments at once, and has {len(instruments)}"):
        core(instruments)


def test_both_legs_of_a_market_of_ticks_are_told_at_the_same_close() -> None:
    # given seconds of prints and quotes, of which some seconds have only one of them
    pair = next(strategy for strategy in SETTINGS.strategies if strategy.kind == "pair_reversion")
    played = Played(replace(SETTINGS, strategies=(pair,)), [[market(4000, seed=5)]])
    told = [s for s in played.bodies(Signal) if isinstance(s, Signal)]
    closes = [{s.ts_bar_close_ns for s in told if s.instrument == leg} for leg in range(2)]
    # then what one leg is told the other is told too, on opposite sides
    assert len(closes[0]) > 10
    assert closes[0] == closes[1]
    last = {s.instrument: s.target for s in told}
    assert last[0] == -last[1]
