"""Every rule of the gate: what passes, what is refused with which numbers, and what reducing orders may still do."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from tradingd.commands import Approved
from tradingd.events import Halted, OrderRefused, OrderRequested, OrdStatus, OrdType, Side, decode_body, encode_body
from tradingd.instruments import NS, Session
from tradingd.kernels.market import NEVER_NS
from tradingd.reducers.apply import apply
from tradingd.risk import monitor
from tradingd.risk.context import RiskContext, Watermark, is_reducing
from tradingd.risk.gate import review
from tradingd.risk.rules import RULES, WELL_FORMED

MS = 1_000_000
World = Callable[..., RiskContext]
Make = Callable[..., OrderRequested]

BUY_100 = {"side": Side.BUY, "quantity": 100.0}


def refused(order: OrderRequested, context: RiskContext) -> OrderRefused | None:
    verdict = review(order, context)
    if isinstance(verdict, Approved):
        assert verdict.order is order
        return None
    return verdict


def rule_of(order: OrderRequested, context: RiskContext) -> str | None:
    refusal = refused(order, context)
    return refusal.rule if refusal else None


def works(context: RiskContext, order: OrderRequested, now_ns: int = 0) -> None:
    """Another order already works."""
    assert apply(context.ledger, context.instruments, order, now_ns) is None


def changed(context: RiskContext, **fields: Any) -> RiskContext:
    return msgspec.structs.replace(context, known={}, **fields)


def test_an_ordinary_order_passes(context: World, order: Make) -> None:
    assert rule_of(order(), context()) is None


@pytest.mark.parametrize(
    "fields",
    [
        {"quantity": 0.0},
        {"quantity": -1.0},
        {"quantity": 0.005},
        {"quantity": float("nan")},
        {"quantity": float("inf")},
        {"price": 100.0},
        {"ord_type": OrdType.LIMIT},
        {"ord_type": OrdType.LIMIT, "price": 100.005},
        {"ord_type": OrdType.LIMIT, "price": -1.0},
        {"ord_type": OrdType.STOP, "price": 101.0},
        {"stop_loss": 0.001},
        {"ord_type": OrdType.STOP_LIMIT, "price": 100.0},
        {"ord_type": OrdType.TRAILING_STOP, "stop_px": 99.0},
        {"ord_type": OrdType.TRAILING_STOP, "stop_px": 99.0, "trail": 0.0},
        {"ord_type": OrdType.TRAILING_STOP, "stop_px": 99.0, "trail": 0.005},
        {"ord_type": OrdType.TRAILING_STOP, "trail": 1.0},
        {"ord_type": OrdType.STOP_LIMIT, "stop_px": 100.0},
    ],
)
def test_well_formed(context: World, order: Make, fields: dict[str, Any]) -> None:
    assert rule_of(order(**fields), context()) == "well_formed"


def test_negative_prices_pass_where_the_instrument_has_them(context: World, order: Make) -> None:
    oil = msgspec.structs.replace(context().instruments[0], negative_prices=True)
    world = context(marks=(-37.63, 20.0, 50.0), gross_limit=None, net_limit=None)
    world = changed(world, instruments=(oil, *world.instruments[1:]))
    assert rule_of(order(ord_type=OrdType.LIMIT, price=-37.0), world) is None
    assert rule_of(order(ord_type=OrdType.LIMIT, price=-35.0), world) == "price_collar"


def test_halted(context: World, order: Make) -> None:
    world = context(position={0: 500})
    apply(world.ledger, world.instruments, Halted(rule="operator", text="lunch"), 0)
    refusal = refused(order(), world)
    assert refusal is not None and (refusal.rule, refusal.text) == ("halted", "halted by operator: lunch")
    assert rule_of(order(Side.SELL, 5.0), world) is None
    assert rule_of(order(Side.SELL, 5.01), world) == "halted"


def test_expired(context: World, order: Make) -> None:
    """Whatever it is for: there is nobody to trade with."""
    world = context(position={0: 500})
    ended = replace(world.instruments[0], expires="2000-01-01")
    world = replace(world, instruments=(ended, *world.instruments[1:]))
    for reduce_only in (False, True):
        assert rule_of(order(side=Side.SELL, reduce_only=reduce_only), world) == "expired"


def test_restricted(context: World, order: Make) -> None:
    world = context(position={0: 500}, restricted=("SIM:A",))
    assert rule_of(order(), world) == "restricted"
    assert rule_of(order(instrument=1), world) is None
    assert rule_of(order(Side.SELL), world) is None


def test_an_order_in_doubt_blocks_its_instrument(context: World, order: Make) -> None:
    world = context()
    works(world, order(cl_ord_id="lost"))
    world.ledger.orders["lost"].status = OrdStatus.IN_DOUBT
    assert rule_of(order(quantity=2.0), world) == "in_doubt"
    assert rule_of(order(instrument=1), world) is None


def test_market_hours(context: World, order: Make) -> None:
    world = context(position={0: 500})
    night = Session(open="09:30", close="16:00")  # core time is 22:13
    closed = tuple(msgspec.structs.replace(i, session=night) for i in world.instruments)
    world = changed(world, instruments=closed)
    assert rule_of(order(), world) == "market_hours"
    assert rule_of(order(Side.SELL), world) is None
    assert rule_of(order(), changed(world, now_ns=world.now_ns - 8 * 3600 * NS)) is None


@pytest.mark.parametrize(("age_ms", "rule"), [(500, None), (501, "stale_data"), (-5000, None)])
def test_stale_data(context: World, order: Make, age_ms: int, rule: str | None) -> None:
    world = context(position={0: 500}, stale_data_ms=500)
    world.market.ts_received_ns[0] = world.now_ns - age_ms * MS
    refusal = refused(order(), world)
    assert (refusal.rule if refusal else None) == rule
    if refusal:
        assert (refusal.limit, refusal.value) == (500, 501.0)
    assert rule_of(order(Side.SELL), world) is None


def test_without_a_price_nothing_is_opened(context: World, order: Make) -> None:
    world = context(marks=(float("nan"), 20.0, 50.0), stale_data_ms=None)
    world.market.ts_received_ns[0] = NEVER_NS
    assert rule_of(order(), world) == "stale_data"


def test_crossed_book(context: World, order: Make) -> None:
    world = context(position={0: 500})
    world.market.bid[0], world.market.ask[0] = 100.02, 100.01
    assert rule_of(order(), world) == "crossed_book"
    assert rule_of(order(Side.SELL), world) is None
    world.market.bid[0] = 100.01
    assert rule_of(order(), world) is None


@pytest.mark.parametrize(
    ("fields", "passes"),
    [
        ({"ord_type": OrdType.LIMIT, "price": 105.0}, True),
        ({"ord_type": OrdType.LIMIT, "price": 105.01}, False),
        ({"ord_type": OrdType.LIMIT, "price": 94.99}, False),
        ({"ord_type": OrdType.STOP, "stop_px": 105.01}, False),
        ({"ord_type": OrdType.STOP_LIMIT, "stop_px": 104.0, "price": 105.0}, True),
        ({"ord_type": OrdType.STOP_LIMIT, "stop_px": 104.0, "price": 105.01}, False),
        ({"ord_type": OrdType.STOP_LIMIT, "stop_px": 105.01, "price": 104.0}, False),
        # protective: a stop and a far target of a long position
        ({"side": Side.SELL, "ord_type": OrdType.STOP, "stop_px": 60.0, "reduce_only": True}, True),
        ({"side": Side.SELL, "ord_type": OrdType.LIMIT, "price": 160.0, "reduce_only": True}, True),
        # a fat finger stays one, even when it reduces
        ({"side": Side.SELL, "ord_type": OrdType.LIMIT, "price": 60.0, "reduce_only": True}, False),
    ],
)
def test_price_collar(context: World, order: Make, fields: dict[str, Any], passes: bool) -> None:
    assert rule_of(order(**fields), context(position={0: 500})) == (None if passes else "price_collar")


def test_a_market_order_is_not_sent_into_a_wild_quote(context: World, order: Make) -> None:
    world = context(position={0: 500})
    world.market.bid[0], world.market.ask[0] = 80.0, 120.0
    refusal = refused(order(), world)
    assert refusal is not None and (refusal.rule, refusal.limit, refusal.value) == ("price_collar", 0.05, 0.2)
    assert rule_of(order(Side.SELL), world) is None


@pytest.mark.parametrize(
    ("settings", "rule", "value"),
    [
        ({"max_quantity": 9.99}, "max_quantity", 10.0),
        ({"max_notional": 999.0}, "max_notional", 1000.0),
        ({"position_limit": 9.99}, "position_limit", 10.0),
        ({"gross_limit": 0.09}, "gross_limit", 0.1),
        ({"net_limit": 0.09}, "net_limit", 0.1),
        ({"concentration_limit": 0.09}, "concentration_limit", 0.1),
    ],
)
def test_size_limits(context: World, order: Make, settings: dict[str, float], rule: str, value: float) -> None:
    refusal = refused(order(quantity=10.0), context(**settings))
    assert refusal is not None
    assert (refusal.rule, refusal.limit, refusal.value) == (rule, next(iter(settings.values())), value)
    assert rule_of(order(quantity=9.0), context(**settings)) is None
    # given a position far above the limit, reducing it is possible
    assert rule_of(order(Side.SELL, 10.0), context(position={0: 5000}, **settings)) is None


def test_working_orders_count_at_their_worst(context: World, order: Make) -> None:
    world = context(position={0: 400}, position_limit=10.0)
    works(world, order(Side.BUY, 4.0, cl_ord_id="a"))
    works(world, order(Side.SELL, 8.0, cl_ord_id="b"))
    works(world, order(Side.SELL, 100.0, cl_ord_id="c", reduce_only=True))
    assert rule_of(order(Side.BUY, 2.0), world) is None
    assert rule_of(order(Side.BUY, 2.01), world) == "position_limit"
    assert rule_of(order(Side.SELL, 6.0), world) is None
    assert rule_of(order(Side.SELL, 6.01), world) == "position_limit"


def test_net_and_gross_over_instruments(context: World, order: Make) -> None:
    # given 5,000 long in the first, when 6,000 are sold in the second: gross 1.1, net -0.1
    world = context(position={0: 5000}, gross_limit=1.1, net_limit=0.5)
    assert rule_of(order(Side.SELL, 6.0, instrument=1), world) is None
    assert rule_of(order(Side.SELL, 7.0, instrument=1), world) == "gross_limit"
    assert rule_of(order(Side.BUY, 1.0, instrument=1), world) == "net_limit"
    short = context(position={0: -4000}, net_limit=0.5)
    assert rule_of(order(Side.SELL, 1.0, instrument=1), short) is None
    assert rule_of(order(Side.SELL, 2.0, instrument=1), short) == "net_limit"


def test_currencies_have_their_own_limits(context: World, order: Make) -> None:
    world = context(position={0: 9000}, gross_limit=1.0)
    assert rule_of(order(quantity=20.0, instrument=2), world) is None
    assert rule_of(order(quantity=21.0, instrument=2), world) == "gross_limit"


def test_margin(context: World, order: Make) -> None:
    world = context(position={0: 5000}, gross_limit=None, net_limit=None)
    refusal = refused(order(quantity=51.0, instrument=1), world)
    assert refusal is not None and (refusal.rule, refusal.limit, refusal.value) == ("margin", 10_000.0, 10_100.0)
    assert rule_of(order(quantity=50.0, instrument=1), world) is None


def test_order_rate(context: World, order: Make) -> None:
    world = context(position={0: 10_000}, order_rate=3, order_rate_window_ms=1000, duplicate_window_ms=0)
    for number, age_ms in enumerate((1000, 900, 0)):
        works(world, order(cl_ord_id=str(number), quantity=0.01), world.now_ns - age_ms * MS)
    assert rule_of(order(Side.SELL), world) is None  # the first is just outside of the window
    works(world, order(cl_ord_id="9", quantity=0.01), world.now_ns)
    refusal = refused(order(), world)
    assert refusal is not None and (refusal.rule, refusal.limit, refusal.value) == ("order_rate", 3, 4)
    assert rule_of(order(Side.SELL), world) is None  # reducing orders have a reserve
    for number in range(3):
        works(world, order(cl_ord_id=f"r{number}", quantity=0.01), world.now_ns)
    assert rule_of(order(Side.SELL), world) == "order_rate"


def test_duplicate_order(context: World, order: Make) -> None:
    world = context(duplicate_window_ms=100)
    works(world, order(cl_ord_id="first"), world.now_ns - 99 * MS)
    assert rule_of(order(), world) == "duplicate_order"
    assert rule_of(order(quantity=2.0), world) is None
    assert rule_of(order(), changed(world, now_ns=world.now_ns + MS)) is None


@pytest.mark.parametrize("rule", ["daily_loss", "drawdown"])
def test_losses(context: World, order: Make, rule: str) -> None:
    # given 10,000 at the start, when the mark of 50 falls from 100 to 95
    world = context(position={0: 5000}, marks=(95.0, 20.0, 50.0), daily_loss=None, drawdown=None)
    world.state.watermarks["USD"] = Watermark(0, 10_000 * 10**6, 10_000 * 10**6)
    assert rule_of(order(), world) is None
    world.ledger.limits[rule] = 0.025
    refusal = refused(order(), world)
    assert refusal is not None and (refusal.rule, refusal.limit, refusal.value) == (rule, 0.025, 0.025)
    assert rule_of(order(Side.SELL), world) is None


def test_an_operator_can_change_a_limit(context: World, order: Make) -> None:
    world = context(max_quantity=0.5)
    world.ledger.limits["max_quantity"] = None
    assert rule_of(order(), world) is None


@pytest.mark.parametrize(
    ("lots", "side", "quantity", "reducing"),
    [
        (500, Side.SELL, 5.0, True),
        (500, Side.SELL, 5.01, False),
        (500, Side.BUY, 1.0, False),
        (-500, Side.BUY, 5.0, True),
        (-500, Side.BUY, 5.01, False),
        (0, Side.SELL, 1.0, False),
    ],
)
def test_what_reduces(context: World, order: Make, lots: int, side: Side, quantity: float, reducing: bool) -> None:
    assert is_reducing(context(position={0: lots}), order(side, quantity)) is reducing


def test_a_close_that_already_works_leaves_less_to_reduce(context: World, order: Make) -> None:
    world = context(position={0: 500})
    works(world, order(Side.SELL, 3.0, cl_ord_id="a"))
    works(world, order(Side.SELL, 5.0, cl_ord_id="stop", reduce_only=True))
    assert is_reducing(world, order(Side.SELL, 2.0))
    assert not is_reducing(world, order(Side.SELL, 2.01))


def test_the_rules_are_named_once() -> None:
    rules = (WELL_FORMED, *RULES)
    names = [rule.name for rule in rules]
    assert len(set(names)) == len(names)
    assert [rule.check.__name__ for rule in rules] == names


def test_the_gate_changes_nothing(context: World, order: Make) -> None:
    world = context(position={0: 500})
    monitor.roll(world)
    before = msgspec.msgpack.encode(world.ledger)
    review(order(), world)
    assert msgspec.msgpack.encode(world.ledger) == before


def test_a_refusal_is_read_back_as_it_was_written(context: World, order: Make) -> None:
    """Some rules count in whole numbers; a journal that is written again has to have the same digest."""
    refusal = refused(order(**BUY_100), context(max_quantity=50))
    assert refusal is not None and refusal.rule == "max_quantity"
    assert encode_body(decode_body(encode_body(refusal))) == encode_body(refusal)
