"""Bars of a source without ticks, as rows."""

import numpy as np
from desk import of
from msgspec import Struct
from msgspec.structs import replace
from world import ALFA, started

from tradingd.columns import BAR_OPEN, TICK_COLUMNS, TickBatch, Timeframe
from tradingd.commit import Commit
from tradingd.core.advance import advance
from tradingd.core.settings import BarSettings, CoreSettings
from tradingd.core.state import State, initial_state
from tradingd.events import LateTick, OrderFilled
from tradingd.feeds.bars.rows import rows_of
from tradingd.feeds.bars.table import Bars
from tradingd.instruments import DAY_NS, AccountSettings, Fees
from tradingd.kernels.closing import NEVER
from tradingd.risk.settings import RiskSettings
from tradingd.simulation.settings import SimulationSettings
from tradingd.strategies.contract import Bar, PythonStrategy, Target
from tradingd.strategies.settings import StrategySettings

FIRST_DAY = 20_000 * DAY_NS
MINUTE_NS = 60_000_000_000


class Buy(PythonStrategy):
    """Half of the equity, from the first bar on."""

    class State(Struct):
        bars: int = 0

    def on_bar(self, state: State, bar: Bar, params: object) -> Target:
        return Target(0.5)


def days(*rows: tuple[float, float, float, float]) -> Bars:
    opened = FIRST_DAY + np.arange(len(rows)) * DAY_NS
    prices = np.array(rows).T.copy()
    return Bars(opened, opened + DAY_NS, *prices, np.full(len(rows), 7.0))


def core(
    latency_ms: float = 0.0, timeframes: tuple[Timeframe, ...] = ("1d",), volume_share: float | None = None
) -> State:
    settings = CoreSettings(
        instruments=(replace(ALFA, fees=Fees()),),
        accounts=(AccountSettings("USD", "100000"),),
        strategies=(StrategySettings(name="buy", kind="Buy", instruments=("SIM:ALFA",), timeframe=timeframes[0]),),
        risk=RiskSettings(daily_loss=None, drawdown=None, stale_data_ms=None),
        simulation=SimulationSettings(latency_ms=latency_ms, cancel_latency_ms=latency_ms, volume_share=volume_share),
        bars=BarSettings(timeframes=timeframes),
    )
    state = initial_state(settings, {"Buy": Buy})
    advance(state, [started(settings)])
    return state


def rows(bars: Bars) -> TickBatch:
    columns = rows_of(bars, 0, len(bars), 0)
    return TickBatch(source=0, frames=(), **{name: columns[name] for name in TICK_COLUMNS})


def take(state: State, bars: Bars) -> Commit:
    return advance(state, [rows(bars)])


def test_a_bar_closes_as_it_was_told() -> None:
    commit = take(core(), days((100.0, 103.0, 99.0, 101.0)))
    (bar,) = commit.bars.rows
    assert (bar["ts_open"], bar["ts_close"]) == (FIRST_DAY, FIRST_DAY + DAY_NS)
    assert [bar[name] for name in ("open", "high", "low", "close", "volume")] == [100.0, 103.0, 99.0, 101.0, 7.0]
    assert np.isnan(bar["vwap"])


def test_what_is_decided_at_a_close_trades_at_the_next_open_whatever_the_latency() -> None:
    for latency_ms in (0.0, 50.0, 60_000.0):
        commit = take(core(latency_ms), days((100.0, 103.0, 99.0, 101.0), (102.0, 110.0, 90.0, 104.0)))
        (fill,) = (event for event in commit.events if isinstance(event.body, OrderFilled))
        assert fill.body.last_px == 102.0
        assert fill.ts_received_ns - (FIRST_DAY + DAY_NS) == max(1, round(latency_ms * 1e6))


def fills_of(commit: Commit) -> list[tuple[float, float]]:
    return [(fill.last_qty, fill.last_px) for fill in of(OrderFilled, [event.body for event in commit.events])]


def test_an_order_takes_no_more_than_its_share_of_a_bar_whenever_it_arrives() -> None:
    # given bars of 7 in which a decision wants 500
    told = days((100.0, 103.0, 99.0, 101.0), (102.0, 110.0, 90.0, 104.0), (105.0, 105.0, 105.0, 105.0))
    for latency_ms in (0.0, 60_000.0):
        commit = take(core(latency_ms, volume_share=0.5), told)
        # then three lots are filled at each open
        assert fills_of(commit) == [(3.0, 102.0), (3.0, 105.0)]


def test_an_open_that_tells_no_volume_limits_nothing() -> None:
    batch = rows(days((100.0, 103.0, 99.0, 101.0), (102.0, 110.0, 90.0, 104.0)))
    batch.size[batch.kind == BAR_OPEN] = np.nan  # as journals had it
    ((quantity, _),) = fills_of(advance(core(volume_share=0.5), [batch]))
    assert quantity > 400


def test_a_day_begins_with_the_close_before_it() -> None:
    # given a position, and a bar that was far below its close
    state = core()
    take(state, days((100.0, 100.0, 100.0, 100.0), (100.0, 100.0, 100.0, 100.0), (100.0, 110.0, 50.0, 110.0)))
    take(state, Bars(*(getattr(days(*[(110.0,) * 4] * 4), name)[3:] for name in Bars.__slots__)))
    # then losses of the next day are counted from the close, not from the worst of the bar
    assert state.ledger.lots(0) == 500
    assert state.memory.risk.watermarks["USD"].day_start == state.ledger.accounts["USD"].opening + 500 * 10 * 10**6


def test_a_bar_that_comes_late_changes_nothing() -> None:
    state = core()
    take(state, days((100.0, 103.0, 99.0, 101.0), (101.0, 101.0, 101.0, 101.0)))
    commit = take(state, days((1.0, 1.0, 1.0, 1.0)))
    assert len(commit.bars.rows) == 0
    assert len(of(LateTick, [event.body for event in commit.events])) == 3


def test_a_bar_that_is_open_is_never_overdue() -> None:
    # given minutes that make five, of which the first five end in a gap
    state = core(timeframes=("1m", "5m"))
    opened = FIRST_DAY + np.array([0, 1, 30]) * MINUTE_NS
    prices = [np.full(3, 100.0) for _ in range(5)]
    batch = rows(Bars(opened, opened + MINUTE_NS, *prices))
    # when the five are closed by grace while the minute after the gap is open
    commit = advance(state, [batch.slice(0, 8)])
    assert [int(bar["timeframe"]) for bar in commit.bars.rows] == [1, 1, 2]
    # then nothing is due, and nothing is looked for at each row
    assert state.memory.cursor["bar_due_ns"][0] == NEVER
