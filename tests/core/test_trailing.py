"""Stops that follow the best price: placed with an entry, moved by the venue, kept over replacements and starts."""

import pytest
from desk import Desk, of
from msgspec.structs import replace

from tradingd.core.settings import BarSettings
from tradingd.core.snapshot import decode_snapshot, encode_snapshot, restore_snapshot
from tradingd.core.warmup import warm_state
from tradingd.events import CancelRequested, OrderFilled, OrderRequested, OrdType
from tradingd.rerun import books_of
from tradingd.strategies.contract import Target


def level(desk: Desk) -> float | None:
    (stop,) = desk.state.memory.venue.working.values()
    assert stop.ord_type is OrdType.TRAILING_STOP
    return stop.stop_px


def test_it_begins_at_its_distance_from_the_entry_and_moves_without_an_event() -> None:
    desk = Desk(Target(0.5, trail=2.0))
    facts = desk.trades(100.0, 100.0, 100.0)
    (_, stop) = of(OrderRequested, facts)
    assert (stop.ord_type, stop.stop_px, stop.trail, stop.reduce_only) == (OrdType.TRAILING_STOP, 98.0, 2.0, True)
    assert of(OrderRequested, desk.trades(101.0, 103.0, 102.0)) == []
    assert level(desk) == 101.0
    assert [fill.last_px for fill in of(OrderFilled, desk.trade(100.5))] == [100.5]
    assert (desk.lots, desk.state.ledger.orders) == (0, {})


def test_a_tighter_stop_is_where_it_begins() -> None:
    desk = Desk(Target(0.5, stop=99.0, trail=2.0))
    desk.trades(100.0, 100.0, 100.0, 100.5)
    assert level(desk) == 99.0
    desk.trades(101.5)
    assert level(desk) == 99.5


def test_one_that_a_decision_names_later_begins_at_the_mark() -> None:
    desk = Desk(Target(-0.5), None, Target(-0.5, trail=2.0))
    desk.trades(100.0, 100.0, 100.0, 99.0, 99.0)
    assert level(desk) == 101.0


def test_what_is_added_takes_over_how_far_it_has_come() -> None:
    desk = Desk(Target(0.25, trail=2.0), None, None, None, Target(0.5))
    desk.trades(100.0, 100.0, 100.0, 105.0, 104.0, 104.0)
    facts = desk.trades(104.0, 104.0)
    assert [wish.reason for wish in of(CancelRequested, facts)] == ["replaced"]
    (stop,) = desk.state.memory.venue.working.values()
    assert (stop.stop_px, stop.lots) == (103.0, desk.lots)


@pytest.mark.parametrize("now", [Target(0.5, trail=4.0), Target(0.5, stop=95.0, trail=2.0), Target(0.5, stop=95.0)])
def test_no_decision_takes_it_back(now: Target) -> None:
    desk = Desk(Target(0.5, trail=2.0), None, None, now)
    desk.trades(100.0, 100.0, 100.0, 105.0, 105.0, 105.0)
    assert level(desk) == 103.0


def test_a_snapshot_keeps_it() -> None:
    desk = Desk(Target(0.5, trail=2.0))
    desk.trades(100.0, 100.0, 100.0, 105.0)
    taken = decode_snapshot(encode_snapshot(desk.state, ("", "")))
    desk.state = restore_snapshot(taken, desk.settings, desk.library)
    assert level(desk) == 103.0


def test_a_start_with_other_settings_keeps_it() -> None:
    desk = Desk(Target(0.5, trail=2.0))
    desk.trades(100.0, 100.0, 100.0, 105.0, 104.0)
    other = replace(desk.settings, bars=BarSettings(timeframes=("1s", "1m")))
    history = desk.commits
    books = books_of(lambda first_seq: (c for c in history if c.last_seq >= first_seq), desk.state.seq)
    desk.state = warm_state(other, desk.library, books, [])
    assert level(desk) == 103.0


def test_without_a_price_it_waits_to_begin() -> None:
    # given a position whose trail was refused, and a start on an empty market
    desk = Desk(Target(0.5), None, Target(0.5, trail=2.0))
    desk.trades(100.0, 100.0, 100.0, 100.0)
    for name, order in list(desk.state.ledger.orders.items()):
        assert order.request.trail == 2.0
        del desk.state.ledger.orders[name]
    desk.state.memory.venue.pending.clear()
    desk.state.memory.market.last[0] = float("nan")
    desk.state.memory.instruments["retry_ns"] = desk.now_ns + 1
    desk.state.memory.cursor["timer_ns"] = desk.now_ns + 1
    # when time goes on, nothing is asked for before there is a price
    desk.trade(103.0)
    desk.trade(103.0, after_s=1.5)
    desk.trade(103.0)
    assert level(desk) == 101.0
