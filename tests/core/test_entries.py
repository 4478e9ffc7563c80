"""Entries with prices: limit, stop and stop-limit orders of a decision, replaced, taken back, left alone."""

from typing import Any

from desk import Desk, of
from msgspec.structs import replace

from tradingd.events import CancelRequested, OrderCanceled, OrderFilled, OrderRequested, OrdType, TimeInForce
from tradingd.strategies.contract import Target


def resting(desk: Desk) -> list[tuple[OrdType, float | None, float | None]]:
    """(type, trigger, limit) of what works at the venue."""
    requests = [order.request for order in desk.state.ledger.orders.values()]
    return [(order.ord_type, order.stop_px, order.price) for order in requests]


def prices_of(facts: list[Any]) -> list[float]:
    return [fill.last_px for fill in of(OrderFilled, facts)]


def test_a_limit_waits_for_its_price_and_then_gets_its_bracket() -> None:
    desk = Desk(Target(0.5, stop=90.0, take_profit=110.0, limit=98.0))
    desk.trades(100.0, 100.0, 99.0)
    assert (desk.lots, resting(desk)) == (0, [(OrdType.LIMIT, None, 98.0)])
    assert prices_of(desk.trade(97.5)) == [98.0]
    assert desk.lots == 510  # sized by the limit
    desk.trade(98.0)
    assert resting(desk) == [(OrdType.STOP, 90.0, None), (OrdType.LIMIT, None, 110.0)]


def test_a_trigger_waits_until_the_market_gets_there() -> None:
    desk = Desk(Target(0.5, trigger=102.0), None, None, None)
    assert prices_of(desk.trades(100.0, 100.0, 101.0)) == []
    assert prices_of(desk.trade(102.5)) == [102.5]


def test_both_are_a_stop_limit() -> None:
    desk = Desk(Target(0.5, limit=102.0, trigger=102.0))
    desk.trades(100.0, 100.0)
    assert resting(desk) == [(OrdType.STOP_LIMIT, 102.0, 102.0)]
    assert prices_of(desk.trades(103.0, 101.0)) == [102.0]


def test_another_price_replaces_what_works() -> None:
    desk = Desk(Target(0.5, limit=97.0), None, Target(0.5, limit=98.0))
    desk.trades(100.0, 100.0, 100.0)
    facts = desk.trades(100.0, 100.0)
    assert [wish.reason for wish in of(CancelRequested, facts)] == ["superseded"]
    assert [order.price for order in of(OrderRequested, facts)] == [98.0]
    desk.trade(100.0)
    assert resting(desk) == [(OrdType.LIMIT, None, 98.0)]


def test_another_price_changes_nothing_once_it_has_traded() -> None:
    desk = Desk(Target(0.5, limit=101.0), None, Target(0.5, limit=98.0), Target(0.5))
    assert prices_of(desk.trades(100.0, 100.0, 100.0)) == [100.0]
    assert of(OrderRequested, desk.trades(100.0, 100.0, 100.0)) == []
    assert desk.lots == 495


def test_another_stop_leaves_the_entry_where_it_is() -> None:
    desk = Desk(Target(0.5, limit=97.0, stop=90.0), None, Target(0.5, limit=97.0, stop=91.0), None, None)
    desk.trades(100.0, 100.0, 100.0)
    assert of(OrderRequested, desk.trades(100.0, 100.0)) == []
    # and what it opens has the newest one
    desk.trades(97.0, 97.0)
    assert resting(desk) == [(OrdType.STOP, 91.0, None)]


def test_a_new_target_takes_it_back() -> None:
    desk = Desk(Target(0.5, limit=97.0), None, Target(0.0))
    desk.trades(100.0, 100.0, 100.0, 100.0, 100.0)
    assert (desk.lots, resting(desk)) == (0, [])


def test_a_turn_closes_at_once_and_waits_to_open() -> None:
    desk = Desk(Target(0.5), None, Target(-0.5, limit=103.0))
    desk.trades(100.0, 100.0, 100.0, 100.0, 100.0)
    assert (desk.lots, resting(desk)) == (0, [(OrdType.LIMIT, None, 103.0)])
    desk.trade(103.5)
    assert desk.lots == -485


def test_what_protects_is_asked_for_again_while_an_entry_rests() -> None:
    """A position whose take profit was refused, and an order that adds and may rest for long."""
    desk = Desk(Target(0.25, take_profit=105.0), None, Target(0.5, take_profit=105.0, trigger=125.0))
    desk.trades(100.0, 100.0, 120.0, 120.0, 120.0)
    assert resting(desk) == [(OrdType.STOP, 125.0, None)]
    desk.trades(104.0, 104.0)
    assert resting(desk) == [(OrdType.STOP, 125.0, None), (OrdType.LIMIT, None, 105.0)]


def test_what_has_ended_is_not_sent_again_before_it_has_another_price() -> None:
    """An order that takes what it gets at once, at a limit below the market."""
    same, other = Target(0.5, stop=91.0, limit=98.0), Target(0.5, stop=91.0, limit=97.0)
    desk = Desk(Target(0.5, stop=90.0, limit=98.0), None, same, None, other)
    (strategy,) = desk.settings.strategies
    immediate = replace(strategy, time_in_force=TimeInForce.IOC)
    desk.state.settings = replace(desk.settings, strategies=(immediate,))
    facts = desk.trades(*[100.0] * 5)
    assert [order.time_in_force for order in of(OrderRequested, facts)] == [TimeInForce.IOC]
    assert [ended.text for ended in of(OrderCanceled, facts)] == ["not filled at once"]
    assert [order.price for order in of(OrderRequested, desk.trades(100.0, 100.0))] == [97.0]
