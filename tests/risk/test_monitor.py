"""Losses that halt, margin that liquidates."""

from collections.abc import Callable

import msgspec
import pytest

from tradingd.events import Halted, OrderRequested, OrdType, Side
from tradingd.instruments import DAY_NS
from tradingd.reducers.apply import apply
from tradingd.risk import monitor
from tradingd.risk.context import RiskContext, RiskState, equity

World = Callable[..., RiskContext]
UNITS = 1_000_000


def later(context: RiskContext, mark: float, days: int = 0) -> RiskContext:
    context.market.last[0] = mark
    return msgspec.structs.replace(context, known={}, now_ns=context.now_ns + days * DAY_NS)


def test_equity_is_balance_and_open_profit(context: World) -> None:
    world = context(position={0: 500, 1: -2}, marks=(101.0, 19.5, 50.0))
    assert world.equity("USD") == (10_000 + 5 + 50) * UNITS
    assert world.equity("EUR") == 1000 * UNITS
    world.market.last[0] = float("nan")
    assert equity(world.ledger, world.instruments, world.market, "USD") == (10_000 + 50) * UNITS


def test_a_days_loss_halts_once(context: World) -> None:
    world = context(position={0: 5000}, daily_loss=0.05, drawdown=None)
    monitor.roll(world)
    assert monitor.breaches(later(world, 90.01)) == []
    (halt,) = monitor.breaches(later(world, 90.0))
    assert (halt.rule, halt.text) == ("daily_loss", "daily loss of 5.00% in USD has reached 5.00%")
    apply(world.ledger, world.instruments, halt, 0)
    assert monitor.breaches(later(world, 80.0)) == []


def test_a_new_day_starts_from_its_first_equity(context: World) -> None:
    world = context(position={0: 5000}, daily_loss=0.05, drawdown=None)
    monitor.roll(world)
    tomorrow = later(world, 91.0, days=1)
    assert world.now_ns < monitor.next_roll_ns(world.state, world.now_ns) <= tomorrow.now_ns
    assert monitor.next_roll_ns(tomorrow.state, tomorrow.now_ns) <= tomorrow.now_ns  # nobody has looked yet
    monitor.roll(tomorrow)
    assert monitor.next_roll_ns(tomorrow.state, tomorrow.now_ns) > tomorrow.now_ns
    assert monitor.breaches(later(tomorrow, 82.0)) == []
    assert [halt.rule for halt in monitor.breaches(later(tomorrow, 81.0))] == ["daily_loss"]


def test_drawdown_counts_from_the_peak_over_days(context: World) -> None:
    world = context(position={0: 5000}, daily_loss=None, drawdown=0.1)
    monitor.roll(world)
    monitor.roll(later(world, 120.0))
    after = later(world, 98.01, days=3)
    monitor.roll(after)
    assert monitor.breaches(after) == []
    assert [halt.rule for halt in monitor.breaches(later(after, 98.0))] == ["drawdown"]


def test_resuming_counts_from_here(context: World) -> None:
    world = context(position={0: 5000}, daily_loss=0.05)
    monitor.roll(world)
    fallen = later(world, 90.0)
    assert monitor.breaches(fallen)
    monitor.rebase(fallen)
    assert monitor.breaches(fallen) == []
    assert monitor.breaches(later(world, 89.0)) == []


def test_before_the_first_roll_nothing_is_lost(context: World) -> None:
    assert monitor.breaches(context(position={0: 5000}, marks=(1.0, 20.0, 50.0))) == []


def test_risk_state_survives_msgpack(context: World) -> None:
    world = context()
    monitor.roll(world)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(world.state), type=RiskState) == world.state


@pytest.mark.parametrize(("mark", "liquidates"), [(10.6, False), (10.5, True)])
def test_below_maintenance_everything_of_the_currency_is_closed(context: World, mark: float, liquidates: bool) -> None:
    # given 20 futures at 20.0, which need 5 % of 20 x 50 x mark, when the loss has eaten the 10,000
    world = context(position={0: 100, 1: 20, 2: 3}, marks=(100.0, mark, 50.0))
    assert world.maintenance("USD") == pytest.approx(50 * mark * UNITS)
    orders = monitor.liquidation_orders(world)
    if not liquidates:
        assert orders == []
        return
    assert [(o.instrument, o.side, o.quantity) for o in orders] == [(0, Side.SELL, 1.0), (1, Side.SELL, 20.0)]
    assert all(o.reduce_only and o.ord_type is OrdType.MARKET and o.reason == "liquidation" for o in orders)


def test_what_is_closing_is_not_closed_twice(context: World) -> None:
    world = context(position={0: -100})
    (close,) = monitor.closing_orders(world, 0, "flatten")
    assert (close.side, close.quantity) == (Side.BUY, 1.0)
    apply(world.ledger, world.instruments, msgspec.structs.replace(close, cl_ord_id="c"), 0)
    assert monitor.closing_orders(world, 0, "flatten") == []
    assert monitor.closing_orders(world, 1, "flatten") == []


def test_only_the_rest_is_closed(context: World) -> None:
    world = context(position={0: 60})
    (close,) = monitor.closing_orders(world, 0, "flatten")
    apply(world.ledger, world.instruments, msgspec.structs.replace(close, cl_ord_id="c"), 0)
    world.ledger.positions[0].lots = 100
    assert [order.quantity for order in monitor.closing_orders(world, 0, "flatten")] == [0.4]


def test_a_halt_by_hand_does_not_stop_the_watch(context: World) -> None:
    world = context(position={0: 5000})
    monitor.roll(world)
    apply(world.ledger, world.instruments, Halted(rule="operator", text="", by="uid=0"), 0)
    assert [halt.rule for halt in monitor.breaches(later(world, 50.0))] == ["daily_loss", "drawdown"]


def test_a_protective_stop_is_no_closing(context: World, order: Callable[..., OrderRequested]) -> None:
    world = context(position={0: 100})
    stop = order(Side.SELL, 1.0, ord_type=OrdType.STOP, stop_px=90.0, reduce_only=True)
    apply(world.ledger, world.instruments, stop, 0)
    assert len(monitor.closing_orders(world, 0, "flatten")) == 1
