"""What protects or closes a position: placed late, refused, asked for again, given up."""

import pytest
from desk import Desk, of
from msgspec.structs import replace

from tradingd.events import (
    Command,
    Decision,
    OrderAccepted,
    OrderFilled,
    OrderRefused,
    OrderRejected,
    OrderRequested,
    OrdType,
)
from tradingd.strategies.contract import Target

LONG = Target(0.5)


def resting(desk: Desk) -> list[tuple[str, float | None, float | None]]:
    """(reason, trigger, limit) of what works at the venue."""
    requests = [order.request for order in desk.state.ledger.orders.values()]
    return [(order.reason, order.stop_px, order.price) for order in requests]


def test_a_stop_that_a_decision_names_only_later_is_placed() -> None:
    # given a position without protection
    desk = Desk(LONG, None, Target(0.5, stop=95.0, take_profit=110.0))
    desk.trades(100.0, 100.0, 100.0)
    assert (desk.lots, resting(desk)) == (500, [])
    # when the same target comes with a stop and a take profit
    facts = desk.trade(100.0)
    # then both are sent for the whole position, as one bracket
    stop, limit = of(OrderRequested, facts)
    assert (stop.ord_type, stop.stop_px, stop.quantity, stop.reduce_only) == (OrdType.STOP, 95.0, 500.0, True)
    assert (limit.ord_type, limit.price, limit.quantity, limit.reduce_only) == (OrdType.LIMIT, 110.0, 500.0, True)
    assert stop.parent == limit.parent
    # and the stop holds
    desk.trade(100.0)
    desk.trade(94.0)
    assert desk.lots == 0
    assert desk.state.ledger.orders == {}


def test_a_stop_that_is_there_is_not_placed_twice() -> None:
    desk = Desk(Target(0.5, stop=95.0), None, Target(0.5, stop=95.0, take_profit=110.0))
    desk.trades(100.0, 100.0, 100.0, 100.0, 100.0)
    assert resting(desk) == [("stop_loss", 95.0, None), ("take_profit", None, 110.0)]


def refused_take_profit(**risk: object) -> Desk:
    """Long at 120, where its take profit at 105 would trade at once, too far from the mark."""
    desk = Desk(Target(0.5, stop=90.0, take_profit=105.0), **risk)
    desk.trades(100.0, 100.0)
    facts = desk.trade(120.0)
    assert [refused.rule for refused in of(OrderRefused, facts)] == ["price_collar"]
    desk.trade(120.0, after_s=0.1)
    assert resting(desk) == [("stop_loss", 90.0, None)]
    return desk


def test_a_refused_leg_is_asked_for_again_after_a_while() -> None:
    desk = refused_take_profit()
    # when the price comes back, and nothing new is decided
    assert of(OrderRequested, desk.trade(104.0, after_s=0.8)) == []
    facts = desk.trade(104.0, after_s=0.2)
    # then the leg is placed
    assert of(Decision, facts) == []
    assert [order.price for order in of(OrderRequested, facts)] == [105.0]
    desk.trade(104.0)
    assert resting(desk) == [("stop_loss", 90.0, None), ("take_profit", None, 105.0)]


def test_it_is_given_up_after_so_many_times() -> None:
    desk = refused_take_profit(retry_interval_ms=500, retries_max=3)
    facts = desk.trades(*[120.0] * 10)
    assert len(of(OrderRefused, facts)) == 3
    # and is not asked for any more, even where it would be accepted
    assert of(OrderRequested, desk.trades(104.0, 104.0)) == []


def test_no_times_is_never() -> None:
    desk = refused_take_profit(retries_max=0)
    assert of(OrderRefused, desk.trades(*[120.0] * 5)) == []


def test_a_leg_that_the_venue_rejects_is_asked_for_again() -> None:
    # given a venue that does not know of the position when the leg arrives
    desk = Desk(Target(0.5, stop=90.0))
    desk.trades(100.0, 100.0, 100.0)
    desk.state.memory.venue.lots[0] = 0
    rejected = desk.trade(100.0, after_s=0.1)
    assert of(OrderRejected, rejected)
    assert resting(desk) == []
    # when it does
    desk.state.memory.venue.lots[0] = 500
    facts = desk.trade(100.0)
    # then the leg works
    assert [order.stop_px for order in of(OrderRequested, facts)] == [90.0]
    assert of(OrderAccepted, desk.trade(100.0))


def test_a_closing_that_the_venue_rejects_is_asked_for_again() -> None:
    desk = Desk(LONG, retry_interval_ms=500, retries_max=3)
    desk.trades(100.0, 100.0, 100.0)
    desk.state.memory.venue.lots[0] = 0
    # given a flatten that comes to nothing, again and again
    (asked,) = of(OrderRequested, desk.say(Command.FLATTEN))
    assert (asked.reason, asked.quantity, asked.reduce_only) == ("flatten", 500.0, True)
    facts = [body for _ in range(100) for body in desk.trade(100.0, after_s=0.1)]
    assert len(of(OrderRejected, facts)) == 4
    # when a human says it once more, and the venue knows better
    desk.state.memory.venue.lots[0] = 500
    desk.say(Command.FLATTEN)
    facts = desk.trades(100.0)
    # then everything is closed
    assert [fill.last_qty for fill in of(OrderFilled, facts)] == [500.0]
    assert desk.lots == 0


@pytest.mark.parametrize("late", [5, 200])
def test_what_fills_after_a_flatten_is_closed_by_time_alone(late: int) -> None:
    # given an order that was half filled when everything was to be closed, and fills on while its cancel is on its way
    desk = Desk(LONG)
    desk.trades(100.0, 100.0)
    desk.trade(100.0, 300.0)
    desk.say(Command.FLATTEN)
    desk.trade(100.0, float(late), after_s=0.01)
    # when time goes on
    desk.trades(100.0, 100.0)
    assert desk.lots == 0
    assert desk.state.ledger.orders == {}


def test_a_new_decision_is_a_new_start() -> None:
    # given a take profit that was given up
    desk = Desk(Target(0.5, stop=90.0, take_profit=105.0), *[None] * 4, Target(0.5, stop=90.0, take_profit=104.0))
    desk.state.settings = replace(desk.settings, risk=replace(desk.settings.risk, retries_max=1))
    desk.trades(100.0, 100.0, 120.0, 120.0)
    assert of(OrderRefused, desk.trades(120.0, 120.0)) == []
    # when a decision names another one, it is asked for twice again
    assert len(of(OrderRefused, desk.trades(120.0, 120.0, 120.0))) == 2


def test_a_late_fill_is_a_new_start() -> None:
    # given a flatten of what was filled so far, rejected and given up, while the rest of the entry still works
    desk = Desk(LONG, retries_max=0)
    desk.trades(100.0, 100.0)
    desk.trade(100.0, 300.0)
    desk.state.memory.venue.lots[0] = 0
    desk.say(Command.FLATTEN)
    # when that fills too
    facts = desk.trade(100.0, 50.0, after_s=0.03)
    assert [type(body) for body in facts if isinstance(body, OrderRejected | OrderFilled)] == [
        OrderRejected,
        OrderFilled,
    ]
    # then all of it is closed
    assert [(order.reason, order.quantity) for order in of(OrderRequested, facts)] == [("flatten", 350.0)]


def protecting(desk: Desk) -> list[tuple[float | None, int]]:
    """(trigger, lots) of the stops that are there."""
    orders = desk.state.ledger.orders.values()
    return [(order.request.stop_px, order.lots) for order in orders if order.request.reason == "stop_loss"]


def test_what_is_added_is_protected_with_the_rest() -> None:
    # given a position with a stop
    desk = Desk(Target(0.25, stop=95.0), None, None, Target(0.5, stop=96.0))
    desk.trades(100.0, 100.0, 100.0, 100.0)
    assert (desk.lots, protecting(desk)) == (250, [(95.0, 250)])
    # when a decision adds to it, and has another stop
    desk.trades(100.0, 100.0, 100.0)
    # then one stop protects all of it
    assert (desk.lots, protecting(desk)) == (500, [(96.0, 500)])
    desk.trades(95.0, 95.0)
    assert (desk.lots, desk.state.ledger.orders) == (0, {})


def test_a_decision_without_a_stop_that_adds_leaves_none_unprotected() -> None:
    desk = Desk(Target(0.25, stop=95.0), None, None, Target(0.5))
    desk.trades(*[100.0] * 7)
    assert (desk.lots, protecting(desk)) == (500, [(95.0, 500)])


def test_a_stop_that_moves_while_an_entry_still_fills_covers_all_that_it_may_fill() -> None:
    # given an entry of 500 of which 300 are filled
    desk = Desk(Target(0.5, stop=95.0), Target(0.5, stop=96.0))
    desk.trades(100.0, 100.0)
    desk.trade(100.0, 300.0, after_s=0.5)
    assert (desk.lots, protecting(desk)) == (300, [(95.0, 500)])
    # when the stop is moved before the rest fills
    desk.trade(100.0, 1.0, after_s=0.5)
    desk.trade(100.0, 1.0)
    assert (desk.lots, protecting(desk)) == (302, [(96.0, 500)])
    desk.trades(100.0, 100.0)
    # then all is closed at it
    desk.trades(95.5, 95.5)
    assert (desk.lots, desk.state.ledger.orders) == (0, {})


def test_a_bracket_that_was_placed_later_goes_on_after_it_has_traded_a_part() -> None:
    # given a stop and a take profit that have no entry of their own
    desk = Desk(LONG, None, Target(0.5, stop=95.0, take_profit=110.0))
    desk.trades(*[100.0] * 5)
    # when the take profit, then the stop, trade as much as there is
    desk.trade(110.0, 100.0)
    assert (desk.lots, resting(desk)) == (400, [("stop_loss", 95.0, None), ("take_profit", None, 110.0)])
    desk.trade(94.0, 100.0)
    assert (desk.lots, resting(desk)) == (300, [("stop_loss", 95.0, None), ("take_profit", None, 110.0)])
    # then the rest is still closed
    desk.trade(94.0)
    assert (desk.lots, desk.state.ledger.orders) == (0, {})
