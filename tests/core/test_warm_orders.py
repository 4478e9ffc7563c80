"""A start with other settings or code knows how far orders have come: what they were in the record they still are."""

from collections.abc import Sequence

import numpy as np
from desk import Desk
from msgspec.structs import replace
from world import ALFA, S, started

from tradingd.columns import TICK_COLUMNS, TickBatch
from tradingd.commit import Commit
from tradingd.core.advance import advance
from tradingd.core.books import Books
from tradingd.core.memory import Library
from tradingd.core.record import inputs_of
from tradingd.core.settings import BarSettings, CoreSettings
from tradingd.core.state import State, initial_state
from tradingd.core.warmup import warm_state
from tradingd.events import ClockAdvanced, Input, OrderFilled, OrdStatus, TimeInForce
from tradingd.feeds.bars.rows import rows_of
from tradingd.feeds.bars.table import Bars
from tradingd.instruments import DAY_NS, AccountSettings, Fees, Financing
from tradingd.risk.settings import RiskSettings
from tradingd.strategies.contract import PythonStrategy, Target
from tradingd.strategies.settings import StrategySettings


def started_again(settings: CoreSettings, library: Library, commits: Sequence[Commit]) -> State:
    books = Books()
    for commit in commits:
        books.take(commit)
    return warm_state(settings, library, books, [inputs_of(commit) for commit in commits])


def warmed(desk: Desk) -> State:
    return started_again(desk.settings, desk.library, desk.commits)


def stops(state: State) -> list[tuple[float, bool]]:
    working = state.memory.venue.working.values()
    return [(order.stop_px, order.triggered) for order in working if order.stop_px is not None]


def test_a_trail_that_began_at_the_book_is_where_it_was() -> None:
    # given a trail of a decision that was made before the bids rose, and that has arrived since
    desk = Desk(Target(0.5, stop=90.0), None, Target(0.5, stop=90.0, trail=3.0))
    desk.settings = replace(desk.settings, instruments=(replace(desk.settings.instruments[0], spread_ticks=2),))
    desk.state = initial_state(desk.settings, desk.library)
    desk.commits = [advance(desk.state, [started(desk.settings)])]
    desk.trades(100.0, 100.0, 100.0, 100.0)
    desk.now_ns += 10_000_000
    desk.quote(104.0, 104.02)
    desk.trade(101.0, after_s=0.05)
    # then it follows from there
    assert stops(desk.state) == [(101.0, False)]
    assert stops(warmed(desk)) == stops(desk.state)


def test_a_trail_that_was_placed_within_a_bar_is_where_it_was() -> None:
    class Buy(PythonStrategy):
        def on_bar(self, state: object, bar: object, params: object) -> Target:
            return Target(0.5, trail=5.0)

    settings = CoreSettings(
        instruments=(replace(ALFA, fees=Fees()),),
        accounts=(AccountSettings("USD", "100000"),),
        strategies=(StrategySettings(name="buy", kind="Buy", instruments=("SIM:ALFA",), timeframe="1d"),),
        risk=RiskSettings(daily_loss=None, drawdown=None, stale_data_ms=None),
        bars=BarSettings(timeframes=("1d",)),
    )
    live = initial_state(settings, {"Buy": Buy})
    commits: list[Commit] = [advance(live, [started(settings)])]
    # when each row of four days is a commit of its own
    opened = 20_000 * DAY_NS + np.arange(4) * DAY_NS
    prices = np.array([(100, 101, 99, 100), (100, 110, 99, 109), (109, 120, 108, 119), (119, 120, 118, 119)], float).T
    columns = rows_of(Bars(opened, opened + DAY_NS, *prices, np.full(4, 7.0)), 0, 4, 0)
    batch = TickBatch(source=0, frames=(), **{name: columns[name] for name in TICK_COLUMNS})
    commits += [advance(live, [batch.slice(row, row + 1)]) for row in range(len(batch))]
    again = started_again(settings, {"Buy": Buy}, commits)
    assert live.ledger.lots(0) > 0
    assert stops(live) == [(115.0, False)]
    assert stops(again) == stops(live)


def test_a_turn_goes_on_that_had_begun_to_close() -> None:
    # given the first half of a turn, on its way
    desk = Desk(Target(0.5), None, Target(-0.5))
    desk.trades(100.0, 100.0, 100.0, 100.0)
    assert [order.request.reduce_only for order in desk.state.ledger.orders.values()] == [True]
    # then the second one is still to come
    assert desk.state.memory.instruments["waiting"][0] == 1
    assert warmed(desk).memory.instruments["waiting"][0] == 1


def test_a_day_begins_after_what_it_has_cost_to_come_to_it() -> None:
    funding = Financing(funding_rate=0.05, funding_interval_h=24)
    desk = Desk(Target(0.5), financing=funding, stale_data_ms=None, daily_loss=0.9)
    desk.trades(100.0, 100.0, 100.0)
    desk.trade(100.0, after_s=(DAY_NS - desk.now_ns % DAY_NS) / 1e9)
    desk.trade(100.0)
    live = desk.state.memory.risk.watermarks["USD"]
    assert live.day_start < live.peak
    assert warmed(desk).memory.risk.watermarks == desk.state.memory.risk.watermarks


def test_a_trail_that_takes_the_place_of_another_begins_where_that_has_come_to() -> None:
    # given a wider trail on its way, while the price rises
    desk = Desk(Target(0.5, trail=5.0), None, None, Target(0.5, trail=6.0))
    desk.trades(100.0, 100.0, 100.0, 100.0, 100.0)
    desk.trade(110.0, after_s=0.01)
    desk.trade(106.0, after_s=0.1)
    assert stops(desk.state) == [(105.0, False)]


def test_an_entry_of_a_day_that_has_met_no_open_has_its_day_before_it() -> None:
    class Bid(PythonStrategy):
        def on_bar(self, state: object, bar: object, params: object) -> Target:
            return Target(0.5, limit=101.0)

    day = StrategySettings(
        name="bid", kind="Bid", instruments=("SIM:ALFA",), timeframe="1d", time_in_force=TimeInForce.DAY
    )
    settings = CoreSettings(
        instruments=(replace(ALFA, fees=Fees()),),
        accounts=(AccountSettings("USD", "100000"),),
        strategies=(day,),
        risk=RiskSettings(daily_loss=None, drawdown=None, stale_data_ms=None),
        bars=BarSettings(timeframes=("1d",)),
    )
    live = initial_state(settings, {"Bid": Bid})
    # given an entry that was decided at a close and that the venue accepted before the next open
    opened = (20_000 + np.array([0, 3])) * DAY_NS
    prices = np.array([(100, 101, 99, 102), (100, 100, 100, 100)], float).T
    columns = rows_of(Bars(opened, opened + DAY_NS, *prices, np.full(2, 7.0)), 0, 2, 0)
    batch = TickBatch(source=0, frames=(), **{name: columns[name] for name in TICK_COLUMNS})
    later_ns = 20_001 * DAY_NS + S
    later = Input(later_ns, later_ns, "clock", ClockAdvanced())
    commits = [advance(live, [item]) for item in (started(settings), batch.slice(0, 3), later)]
    assert [order.status for order in live.ledger.orders.values()] == [OrdStatus.NEW]
    again = started_again(settings, {"Bid": Bid}, commits)
    # when the next day opens, then it trades there, as one that takes
    for state in (live, again):
        facts = [event.body for event in advance(state, [batch.slice(3, 4)]).events]
        assert [(fill.last_px, fill.maker) for fill in facts if isinstance(fill, OrderFilled)] == [(100.0, False)]
