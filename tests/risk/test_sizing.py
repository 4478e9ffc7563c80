"""From a target to lots and to an order."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tradingd.commands import Approved
from tradingd.events import Decision, OrderRequested, OrdType, Side
from tradingd.reducers.apply import apply
from tradingd.risk.bracket import bracket_orders, cancels
from tradingd.risk.context import RiskContext
from tradingd.risk.gate import review
from tradingd.risk.sizing import order_for, target_lots

World = Callable[..., RiskContext]
Make = Callable[..., OrderRequested]


def decision(target: float, price: float = 100.0, **fields: Any) -> Decision:
    return Decision(**({"instrument": 0, "voters": ("s",), "rule": "weighted"} | fields), target=target, price=price)


@pytest.mark.parametrize(
    ("wish", "allocation", "lots"),
    [
        (decision(1.0), 1.0, 10_000),
        (decision(-0.5), 1.0, -5000),
        (decision(0.5), 0.5, 2500),
        (decision(0.0), 1.0, 0),
        (decision(1.0, 100.003), 1.0, 9999),  # floored
        (decision(0.35, 20.0, instrument=1), 1.0, 3),  # 3,500 at 1,000 a lot
        (decision(1.0, 50.0, instrument=2), 1.0, 20),  # of the euros
    ],
)
def test_a_target_is_a_part_of_the_equity(context: World, wish: Decision, allocation: float, lots: int) -> None:
    assert target_lots(context(), wish, allocation) == lots


@pytest.mark.parametrize(
    ("wish", "lots"),
    [
        (decision(1.0, stop=98.0), 5000),  # 1 % of 10,000 is lost by 50 units that lose 2 each
        (decision(-0.5, stop=104.0), -1250),
        (decision(1.0, stop=99.9), 10_000),  # 1,000 units, but leverage allows for 100
        (decision(1.0, stop=100.0), 10_000),  # a stop at the price says nothing
        (decision(1.0), 10_000),
        (decision(1.0, 20.0, stop=19.0, instrument=1), 2),  # 100 / (1 x 50)
    ],
)
def test_a_stop_sizes_by_its_distance(context: World, wish: Decision, lots: int) -> None:
    assert target_lots(context(risk_per_trade=0.01), wish) == lots


def test_other_positions_use_up_leverage_and_margin(context: World) -> None:
    # given 6 futures of 1,000 each with 10 % margin
    assert target_lots(context(position={1: 6}), decision(1.0)) == 4000
    assert target_lots(context(position={1: 6}, max_leverage=5.0), decision(1.0)) == 9400
    assert target_lots(context(position={1: 12}), decision(1.0)) == 0


def test_without_equity_nothing_is_opened(context: World) -> None:
    world = context(position={0: 20_000}, marks=(40.0, 20.0, 50.0))
    assert world.equity("USD") < 0
    assert target_lots(world, decision(1.0, 40.0)) == 0


def test_a_mark_above_the_decisions_price_caps(context: World) -> None:
    assert target_lots(context(marks=(125.0, 20.0, 50.0)), decision(1.0)) == 8000


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    target=st.floats(-1, 1),
    mark=st.integers(9600, 10_400),
    held=st.integers(-5000, 5000),
    other=st.integers(-5, 5),
    stop=st.none() | st.integers(9000, 11_000),
)
def test_what_is_sized_passes_the_gate(
    context: World, target: float, mark: int, held: int, other: int, stop: int | None
) -> None:
    world = context(position={0: held, 1: other}, marks=(mark / 100, 20.0, 50.0), risk_per_trade=0.02)
    order = order_for(world, decision(target, stop=None if stop is None else stop / 100))
    if order is not None:
        assert isinstance(review(order, world), Approved)


def test_the_order_leads_to_the_target(context: World, order: Make) -> None:
    world = context(position={0: 2000})
    apply(world.ledger, world.instruments, order(Side.BUY, 5.0), 0)
    made = order_for(world, decision(0.5, stop=95.004, take_profit=110.0))
    assert made is not None
    assert (made.side, made.quantity, made.stop_loss, made.take_profit) == (Side.BUY, 25.0, 95.0, 110.0)
    assert made.cl_ord_id == ""


def test_on_target_nothing_is_ordered(context: World) -> None:
    assert order_for(context(position={0: 5000}), decision(0.5)) is None


@pytest.mark.parametrize(("target", "bracket"), [(0.1, False), (0.0, False), (-0.1, False), (0.5, True)])
def test_only_what_opens_has_a_bracket(context: World, target: float, bracket: bool) -> None:
    made = order_for(context(position={0: 2000}), decision(target, stop=95.0))
    assert made is not None and (made.stop_loss is not None) is bracket


def test_bracket_orders_protect_the_whole_quantity(order: Make) -> None:
    stop, target = bracket_orders(order(Side.SELL, 2.0, cl_ord_id="entry", stop_loss=104.0, take_profit=90.0))
    assert (stop.side, stop.quantity, stop.stop_px, stop.price) == (Side.BUY, 2.0, 104.0, None)
    assert (target.side, target.quantity, target.stop_px, target.price) == (Side.BUY, 2.0, None, 90.0)
    assert all(leg.reduce_only and leg.parent == "entry" and leg.cl_ord_id == "" for leg in (stop, target))
    assert bracket_orders(order()) == []


def test_a_kill_switch_takes_back_what_can_add_exposure(context: World, order: Make) -> None:
    world = context()
    for cl_ord_id, reduce_only in (("entry", False), ("stop", True)):
        apply(world.ledger, world.instruments, order(cl_ord_id=cl_ord_id, reduce_only=reduce_only), 0)
    wishes = cancels(world.ledger, "operator")
    assert [(wish.cl_ord_id, wish.reason) for wish in wishes] == [("entry", "operator")]
    for wish in wishes:
        apply(world.ledger, world.instruments, wish, 0)
    assert cancels(world.ledger, "operator") == []


@pytest.mark.parametrize(
    ("prices", "made"),
    [
        ({}, OrdType.MARKET),
        ({"limit": 80.0}, OrdType.LIMIT),
        ({"trigger": 80.0}, OrdType.STOP),
        ({"limit": 80.0, "trigger": 79.0}, OrdType.STOP_LIMIT),
    ],
)
def test_what_opens_has_the_prices_of_its_entry(context: World, prices: dict[str, float], made: OrdType) -> None:
    order = order_for(context(), decision(0.5, **prices))
    assert order is not None
    assert (order.ord_type, order.price, order.stop_px) == (made, prices.get("limit"), prices.get("trigger"))
    assert order.quantity == (62.5 if prices else 50.0)  # of its own price


def test_what_reduces_or_turns_is_a_market_order(context: World) -> None:
    for target in (0.1, -0.5):
        order = order_for(context(position={0: 5000}), decision(target, limit=100.0, trigger=100.0))
        assert order is not None and (order.ord_type, order.reduce_only, order.price) == (OrdType.MARKET, True, None)


def test_the_stop_sizes_by_its_distance_from_the_entry(context: World) -> None:
    assert target_lots(context(risk_per_trade=0.01), decision(1.0, stop=94.0, limit=96.0)) == 5000


def test_a_trail_sizes_by_its_distance_where_there_is_no_stop(context: World) -> None:
    assert target_lots(context(risk_per_trade=0.01), decision(1.0, trail=4.0)) == 2500
    assert target_lots(context(risk_per_trade=0.01), decision(1.0, stop=98.0, trail=4.0)) == 5000
