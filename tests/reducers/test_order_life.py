"""An order's life: what the table allows happens, anything else changes nothing and is an anomaly."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradingd.events import (
    Anomaly,
    CancelRequested,
    OrderAccepted,
    OrderCanceled,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    OrderRequested,
    OrdStatus,
    OrdType,
    Side,
    TimeInForce,
)
from tradingd.instruments import AccountSettings, AssetClass, Instrument
from tradingd.reducers.apply import apply
from tradingd.reducers.ledger import CLOSED_MAX, RECENT_MAX, Ledger, open_ledger
from tradingd.reducers.orders import FULL, PARTIAL, TRANSITIONS

WORLD = (Instrument("SIM:A", AssetClass.SPOT, tick_size=0.01, lot_size=0.1, currency="USD"),)
TOTAL = 0.5


def request(cl_ord_id: str = "o1", **changes: Any) -> OrderRequested:
    fields: dict[str, Any] = {
        "cl_ord_id": cl_ord_id, "instrument": 0, "side": Side.BUY, "quantity": TOTAL, "ord_type": OrdType.MARKET,
        "time_in_force": TimeInForce.GTC,
    }  # fmt: skip
    return OrderRequested(**(fields | changes))


def filled(last: float, cum: float, leaves: float, cl_ord_id: str = "o1", **changes: Any) -> OrderFilled:
    fields: dict[str, Any] = {
        "cl_ord_id": cl_ord_id, "instrument": 0, "side": Side.BUY, "last_qty": last, "last_px": 10.0, "cum_qty": cum,
        "leaves_qty": leaves, "fee": 0, "trade_id": "T1",
    }  # fmt: skip
    return OrderFilled(**(fields | changes))


REPORTS = {
    "OrderAccepted": OrderAccepted("o1"),
    "OrderRejected": OrderRejected("o1", "no"),
    "CancelRequested": CancelRequested("o1", "why"),
    "OrderCanceled": OrderCanceled("o1"),
    "OrderExpired": OrderExpired("o1"),
    PARTIAL: filled(0.1, 0.1, 0.4),
    FULL: filled(0.5, 0.5, 0.0),
}


def given_order(*bodies: Any) -> Ledger:
    ledger = open_ledger([AccountSettings("USD", "1000")])
    for body in (request(), *bodies):
        assert apply(ledger, WORLD, body, 0) is None
    return ledger


def in_status(status: OrdStatus) -> Ledger:
    ways: dict[OrdStatus, tuple[str, ...]] = {
        OrdStatus.PENDING_NEW: (),
        OrdStatus.NEW: ("OrderAccepted",),
        OrdStatus.PARTIALLY_FILLED: (),
        OrdStatus.PENDING_CANCEL: ("CancelRequested",),
        OrdStatus.FILLED: (FULL,),
        OrdStatus.CANCELED: ("OrderCanceled",),
        OrdStatus.REJECTED: ("OrderRejected",),
        OrdStatus.EXPIRED: ("OrderExpired",),
        OrdStatus.IN_DOUBT: (),
    }
    ledger = given_order(*(REPORTS[name] for name in ways[status]))
    if "o1" in ledger.orders:
        ledger.orders["o1"].status = status
    return ledger


@pytest.mark.parametrize("what", list(REPORTS))
@pytest.mark.parametrize("status", list(OrdStatus))
def test_the_table_is_the_whole_truth(status: OrdStatus, what: str) -> None:
    ledger = in_status(status)
    before = msgspec.msgpack.encode(ledger)
    anomaly = apply(ledger, WORLD, REPORTS[what], 0)
    after = TRANSITIONS[status].get(what)
    if after is None:
        assert anomaly == Anomaly("illegal transition", f"{type(REPORTS[what]).__name__.replace('OrderFilled', what)} "
                                  f"for o1, which is {status}")  # fmt: skip
        assert msgspec.msgpack.encode(ledger) == before
    else:
        assert anomaly is None
        known = ledger.orders.get("o1") or ledger.closed["o1"]
        assert known.status is after


def test_every_status_has_its_row() -> None:
    assert set(TRANSITIONS) == set(OrdStatus)


@pytest.mark.parametrize(
    ("fill", "what"),
    [
        (filled(0.1, 0.1, 0.4, "nobody"), "unknown order"),
        (filled(0.6, 0.6, 0.0), "impossible fill"),  # more than was ordered
        (filled(0.3, 0.3, 0.0), "impossible fill"),  # the rest is lost
        (filled(0.1, 0.3, 0.2), "impossible fill"),  # a fill between is missing
        (filled(0.0, 0.0, 0.5), "impossible fill"),
        (filled(0.5, 0.5, 0.0, side=Side.SELL), "foreign fill"),
    ],
)
def test_fills_that_can_not_be_change_nothing(fill: OrderFilled, what: str) -> None:
    ledger = given_order(REPORTS["OrderAccepted"])
    before = msgspec.msgpack.encode(ledger)
    anomaly = apply(ledger, WORLD, fill, 0)
    assert anomaly is not None and anomaly.what == what
    assert msgspec.msgpack.encode(ledger) == before


def test_the_same_fill_twice_is_an_anomaly() -> None:
    ledger = given_order(REPORTS["OrderAccepted"], REPORTS[PARTIAL])
    anomaly = apply(ledger, WORLD, REPORTS[PARTIAL], 0)
    assert anomaly is not None and anomaly.what == "impossible fill"


def test_fills_arrive_while_a_cancel_is_on_its_way() -> None:
    # given an order with a cancel under way, when the venue fills a part and then the rest, then it is filled
    ledger = given_order(REPORTS["OrderAccepted"], REPORTS["CancelRequested"], REPORTS[PARTIAL])
    assert ledger.orders["o1"].status is OrdStatus.PENDING_CANCEL
    assert ledger.orders["o1"].leaves_lots == 4
    assert apply(ledger, WORLD, filled(0.4, 0.5, 0.0), 0) is None
    assert ledger.closed_counts == {"Filled": 1}


def test_an_id_is_used_once() -> None:
    for ledger in (given_order(), given_order(REPORTS["OrderCanceled"])):
        anomaly = apply(ledger, WORLD, request(), 0)
        assert anomaly is not None and anomaly.what == "duplicate order"
        assert ledger.order_count == 1


def test_memory_of_orders_is_bounded() -> None:
    ledger = open_ledger([AccountSettings("USD", "1000")])
    for number in range(CLOSED_MAX + 50):
        assert apply(ledger, WORLD, request(f"o{number}"), number) is None
        assert apply(ledger, WORLD, OrderCanceled(f"o{number}"), number) is None
    assert not ledger.orders
    assert len(ledger.closed) == CLOSED_MAX and "o0" not in ledger.closed
    assert ledger.closed_counts == {"Canceled": CLOSED_MAX + 50}
    assert RECENT_MAX <= len(ledger.recent) < 2 * RECENT_MAX
    assert ledger.recent[-1].ts_ns == CLOSED_MAX + 49


def test_a_bracket_knows_its_parent_open_or_closed() -> None:
    ledger = given_order(REPORTS["OrderAccepted"])
    assert apply(ledger, WORLD, request("leg1", parent="o1"), 0) is None
    assert apply(ledger, WORLD, REPORTS[FULL], 0) is None
    assert apply(ledger, WORLD, request("leg2", parent="o1"), 0) is None
    assert [order.parent for order in ledger.orders.values()] == [1, 1]


@given(st.lists(st.sampled_from(sorted(REPORTS)), max_size=12))
def test_no_story_fills_more_than_was_ordered(story: list[str]) -> None:
    ledger = given_order()
    for what in story:
        apply(ledger, WORLD, REPORTS[what], 0)
        assert all(0 <= order.filled_lots < order.lots for order in ledger.orders.values())
    assert len(ledger.orders) + len(ledger.closed) == 1
