"""No wish counts before as many bars as were declared have been seen, whatever kind of strategy it is."""

import numpy as np
import pytest
from msgspec import Struct
from msgspec.structs import replace
from world import SETTINGS, T0, S, started

from tradingd.columns import BAR, TRADE, tick_batch
from tradingd.core.advance import advance
from tradingd.core.state import State, initial_state
from tradingd.events import Signal
from tradingd.strategies.contract import PythonStrategy, Target, compiled
from tradingd.strategies.run import StrategyRun
from tradingd.strategies.settings import StrategySettings

START_NS = T0 // S * S


@compiled(params={"bars": 1}, state=lambda p: {"seen": 0}, warmup=lambda p: p["bars"])
def eager(state, bar, params, out):
    """Wants something on its first bar, and after that every third one; declares what it is told to."""
    if state.seen % 3 == 0:
        out.target = 1.0 if state.seen % 2 == 0 else -1.0
    state.seen += 1


class Eager(PythonStrategy):
    class Params(Struct, frozen=True):
        bars: int = 1

    class State(Struct):
        seen: int = 0

    def warmup_bars(self, params):
        return params.bars

    def on_bar(self, state, bar, params):
        state.seen += 1
        if (state.seen - 1) % 3:
            return None
        return Target(1.0 if (state.seen - 1) % 2 == 0 else -1.0)


KINDS = pytest.mark.parametrize("kind", ["eager", "Eager"])


def world(kind: str, bars: int) -> State:
    params = {"bars": bars}
    strategy = StrategySettings(name="it", kind=kind, instruments=("SIM:ALFA",), timeframe="1s", params=params)
    settings = replace(SETTINGS, strategies=(strategy,))
    state = initial_state(settings, {"eager": eager, "Eager": Eager})
    advance(state, [started(settings)])
    return state


def play(state: State, first: int, last: int) -> list[tuple[int, float]]:
    """One trade a second; (bar, target) of every signal, bars counted from 1."""
    times = START_NS + np.arange(first, last) * S
    price = 100.0 + np.arange(first, last) % 2
    batch = tick_batch(0, kind=TRADE, instrument=0, ts_event_ns=times, price=price, size=[100.0] * (last - first))
    bodies = [event.body for event in advance(state, [batch]).events]
    return [((b.ts_bar_close_ns - START_NS) // S, b.target) for b in bodies if isinstance(b, Signal)]


def bars(count: int) -> np.ndarray:
    made = np.zeros(count, BAR)
    made["close"] = made["high"] = made["low"] = 100.0 + np.arange(count) % 2
    return made


@KINDS
def test_a_strategy_without_a_warm_up_is_heard_on_its_first_bar(kind: str) -> None:
    assert play(world(kind, 1), 0, 9) == [(1, 1.0), (4, -1.0), (7, 1.0)]


@KINDS
def test_a_bar_before_the_warm_up_is_too_early_and_its_last_bar_is_not(kind: str) -> None:
    assert play(world(kind, 4), 0, 9) == [(4, -1.0), (7, 1.0)]
    # what was wanted too early is not held for later
    assert play(world(kind, 5), 0, 9) == [(7, 1.0)]


@KINDS
def test_where_batches_are_cut_changes_nothing(kind: str) -> None:
    state = world(kind, 5)
    assert [signal for first in range(9) for signal in play(state, first, first + 1)] == [(7, 1.0)]


@pytest.mark.parametrize("strategy", [eager, Eager])
@pytest.mark.parametrize("cut", [0, 2, 6])
def test_a_run_outside_of_the_daemon_wants_the_same(strategy: object, cut: int) -> None:
    run = StrategyRun(strategy, {"bars": 5})
    first = run.feed(bars(cut))["target"].tolist()
    again = StrategyRun(strategy, {"bars": 5})
    again.restore(run.snapshot())
    targets = first + again.feed(bars(9)[cut:])["target"].tolist()
    assert targets == [0.0] * 6 + [1.0] * 3
