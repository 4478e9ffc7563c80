"""The rules of docs/simulation.md one by one."""

import math
from typing import Any

import msgspec
import pytest

from tradingd.columns import BAR_OPEN, BAR_RANGE, FRAME, INELIGIBLE, QUOTE, TRADE
from tradingd.commands import Approved
from tradingd.events import (
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
from tradingd.instruments import NS, AccountSettings, AssetClass, Fees, Instrument, PriceSource, Session
from tradingd.kernels.market import Market
from tradingd.reducers.ledger import Order
from tradingd.simulation import venue
from tradingd.simulation.settings import SimulationSettings
from tradingd.simulation.state import NEVER_NS, Terms, Tick, VenueState, terms_of

MS = 1_000_000
NAN = math.nan
NOON_NS = 12 * 3600 * NS
BUY, SELL = Side.BUY, Side.SELL


class Floor:
    """A venue with one instrument, and the hands to trade on it."""

    def __init__(self, *, fees: Fees | None = None, **settings: Any) -> None:
        names = ("session", "price_source", "spread_ticks", "recorded_side")
        instrument_fields = {name: settings.pop(name) for name in names if name in settings}
        self.instrument = Instrument(
            "SIM:A", AssetClass.SPOT, tick_size=0.5, lot_size=0.1, currency="USD", fees=fees or Fees(),
            **instrument_fields,
        )  # fmt: skip
        self.terms: Terms = terms_of(
            SimulationSettings(**({"latency_ms": 50.0, "cancel_latency_ms": 20.0} | settings)),
            [self.instrument],
            [AccountSettings("USD", "1000", "0.01")],
        )
        self.state = VenueState()
        self.market = Market.empty(1)
        self.now_ns = NOON_NS
        self.orders = 0

    def send(self, side: Side = BUY, quantity: float = 1.0, latency_ns: int | None = None, **fields: Any) -> str:
        self.orders += 1
        defaults: dict[str, Any] = {
            "cl_ord_id": f"o{self.orders}", "instrument": 0, "ord_type": OrdType.MARKET,
            "time_in_force": TimeInForce.GTC,
        }  # fmt: skip
        order = OrderRequested(side=side, quantity=quantity, **(defaults | fields))
        venue.submit(self.state, self.terms, Approved(order), self.now_ns, latency_ns=latency_ns)
        return order.cl_ord_id

    def limit(self, side: Side, price: float, quantity: float = 1.0, **fields: Any) -> str:
        return self.send(side, quantity, ord_type=OrdType.LIMIT, price=price, **fields)

    def stop(self, side: Side, stop_px: float, quantity: float = 1.0, **fields: Any) -> str:
        return self.send(side, quantity, ord_type=OrdType.STOP, stop_px=stop_px, **fields)

    def cancel(self, cl_ord_id: str) -> None:
        venue.cancel(self.state, self.terms, cl_ord_id, self.now_ns)

    def wait(self, ms: float = 50.0) -> list[Any]:
        self.now_ns += round(ms * MS)
        return venue.on_time(self.state, self.terms, self.market, self.now_ns)

    def book(self, bid: float = NAN, bid_size: float = NAN, ask: float = NAN, ask_size: float = NAN) -> None:
        """Quotes that are known before anything happens."""
        self.market.bid[0], self.market.bid_size[0] = bid, bid_size
        self.market.ask[0], self.market.ask_size[0] = ask, ask_size

    def quote(self, bid: float = NAN, bid_size: float = NAN, ask: float = NAN, ask_size: float = NAN) -> list[Any]:
        if not math.isnan(bid):
            self.market.bid[0], self.market.bid_size[0] = bid, bid_size
        if not math.isnan(ask):
            self.market.ask[0], self.market.ask_size[0] = ask, ask_size
        return self._tick(Tick(QUOTE, 0, bid, bid_size, ask, ask_size))

    def trade(self, price: float, size: float = NAN, flags: int = 0) -> list[Any]:
        return self._tick(Tick(TRADE, flags, price, size, NAN, NAN))

    def open_bar(self, price: float, volume: float) -> list[Any]:
        return self._tick(Tick(BAR_OPEN, 0, price, volume, NAN, NAN))

    def range_bar(self, low: float, high: float) -> list[Any]:
        return self._tick(Tick(BAR_RANGE, 0, low, NAN, high, NAN))

    def _tick(self, tick: Tick) -> list[Any]:
        return venue.on_tick(self.state, self.terms, 0, tick, self.market, self.now_ns)

    def holding(self, quantity: float) -> "Floor":
        """Bought (or sold) before the story begins."""
        self.state.lots[0] = round(quantity * 10)
        return self


def fills(facts: list[Any]) -> list[tuple[str, float, float, bool]]:
    return [(f.cl_ord_id, f.last_px, f.last_qty, f.maker) for f in facts if isinstance(f, OrderFilled)]


# --- arrival ----------------------------------------------------------------------------------------------------------


def test_an_order_arrives_after_its_latency() -> None:
    floor = Floor(latency_ms=50.0)
    floor.book(ask=100.0)
    floor.send()
    assert venue.due_ns(floor.state) == NOON_NS + 50 * MS
    assert floor.wait(49.0) == []
    accepted, filled = floor.wait(1.0)
    assert accepted == OrderAccepted("o1")
    assert (filled.last_px, filled.last_qty) == (100.0, 1.0)
    assert venue.due_ns(floor.state) == NEVER_NS


@pytest.mark.parametrize("latency", [{"latency_ms": 0.0}, {}])
def test_it_never_meets_the_tick_that_caused_it(latency: dict[str, float]) -> None:
    # given no latency at all, when more ticks carry the time of the decision
    floor = Floor(**latency)
    floor.send(latency_ns=0)
    assert floor.wait(0.0) == []
    assert floor.trade(100.0) == []
    # then the order is there for the next later one
    assert floor.wait(0.001) == [OrderAccepted("o1")]
    assert fills(floor.trade(101.0)) == [("o1", 101.0, 1.0, False)]


def test_things_happen_in_the_order_of_their_time() -> None:
    # given a cancel that is faster than the order that it chases
    floor = Floor(latency_ms=50.0, cancel_latency_ms=20.0)
    floor.book(ask=100.0)
    floor.cancel(floor.send())
    assert floor.wait(100.0) == [OrderCanceled("o1", "as requested")]
    assert floor.wait() == []


def test_a_late_cancel_is_not_answered() -> None:
    floor = Floor()
    floor.book(ask=100.0)
    first = floor.send()
    floor.wait()
    floor.cancel(first)
    assert floor.wait() == []


def test_a_cancel_ends_a_working_order() -> None:
    floor = Floor()
    floor.limit(BUY, 90.0)
    floor.wait()
    floor.cancel("o1")
    assert floor.wait() == [OrderCanceled("o1", "as requested")]
    assert floor.trade(80.0) == []


# --- market orders ----------------------------------------------------------------------------------------------------


def test_market_orders_take_the_opposite_quote_and_slip() -> None:
    floor = Floor(slippage_ticks=2)
    floor.book(bid=99.0, ask=100.0)
    floor.send(BUY)
    floor.send(SELL)
    assert fills(floor.wait()) == [("o1", 101.0, 1.0, False), ("o2", 98.0, 1.0, False)]


def test_the_rest_waits_for_the_next_quote_or_trade() -> None:
    floor = Floor()
    floor.book(bid=99.0, ask=100.0, ask_size=0.4)
    floor.send(BUY, 2.0)
    first = next(f for f in floor.wait() if isinstance(f, OrderFilled))
    assert (first.last_qty, first.cum_qty, first.leaves_qty, first.trade_id) == (0.4, 0.4, 1.6, "T1")
    # the same quote again is the same liquidity
    assert floor.quote(bid=99.0, ask=100.0, ask_size=0.4) == []
    assert fills(floor.quote(ask=100.5, ask_size=0.3)) == [("o1", 100.5, 0.3, False)]
    # a trade fills what the quote could not, not below the quote
    assert fills(floor.trade(100.0, 0.2)) == [("o1", 100.5, 0.2, False)]
    last = floor.trade(101.0, 50.0)[0]
    assert (last.last_px, last.last_qty, last.cum_qty, last.leaves_qty, last.trade_id) == (101.0, 1.1, 2.0, 0.0, "T4")


def test_without_quotes_the_next_eligible_trade_counts() -> None:
    floor = Floor()
    floor.send(SELL)
    assert floor.wait() == [OrderAccepted("o1")]
    assert floor.trade(100.0, flags=INELIGIBLE) == []
    assert fills(floor.trade(99.5)) == [("o1", 99.5, 1.0, False)]


def test_an_empty_side_offers_nothing() -> None:
    floor = Floor()
    floor.send(BUY)
    floor.wait()
    assert floor.quote(ask=100.0, ask_size=0.0) == []
    assert fills(floor.quote(ask=100.0, ask_size=5.0)) == [("o1", 100.0, 1.0, False)]


def test_a_one_sided_quote_says_nothing_of_the_other_side() -> None:
    floor = Floor()
    floor.send(BUY)
    floor.wait()
    assert floor.quote(bid=99.0, bid_size=5.0) == []


def test_frames_fill_nothing() -> None:
    floor = Floor()
    floor.send()
    floor.wait()
    assert venue.on_tick(floor.state, floor.terms, 0, Tick(FRAME, 0, NAN, NAN, NAN, NAN), floor.market, NOON_NS) == []


def test_prices_off_the_grid_round_against_the_order() -> None:
    floor = Floor()
    floor.send(BUY)
    floor.send(SELL)
    floor.wait()
    assert fills(floor.trade(100.2)) == [("o1", 100.5, 1.0, False), ("o2", 100.0, 1.0, False)]


def test_our_orders_share_what_was_traded() -> None:
    floor = Floor(fill_ratio=0.5)
    floor.send(BUY, 1.0)
    floor.send(SELL, 1.0)
    floor.wait()
    assert fills(floor.trade(100.0, 3.0)) == [("o1", 100.0, 1.0, False), ("o2", 100.0, 0.5, False)]


# --- limits -----------------------------------------------------------------------------------------------------------


def test_a_marketable_limit_takes_the_better_price() -> None:
    floor = Floor(slippage_ticks=3)
    floor.book(bid=99.0, ask=100.0, ask_size=0.6)
    floor.limit(BUY, 101.0)
    assert fills(floor.wait()) == [("o1", 100.0, 0.6, False)]
    # and what is left rests, and is a maker at its own price
    assert fills(floor.trade(100.0, 0.3)) == [("o1", 101.0, 0.3, True)]
    assert fills(floor.quote(ask=100.5)) == [("o1", 101.0, 0.1, True)]


def test_a_resting_limit_waits_for_its_price() -> None:
    floor = Floor()
    floor.book(bid=99.0, ask=100.0)
    floor.limit(SELL, 102.0)
    floor.wait()
    assert venue.touch_levels(floor.state, floor.terms, 0) == (-math.inf, 102.0)
    assert floor.trade(101.5) == []
    assert floor.quote(bid=101.5, ask=102.0) == []
    assert fills(floor.trade(103.0, 0.4)) == [("o1", 102.0, 0.4, True)]
    assert fills(floor.quote(bid=102.0)) == [("o1", 102.0, 0.6, True)]


def test_without_quotes_the_first_trade_decides_whether_a_limit_is_marketable() -> None:
    floor = Floor()
    floor.limit(BUY, 101.0, 2.0)
    floor.wait()
    assert venue.touch_levels(floor.state, floor.terms, 0) == (math.inf, -math.inf)
    assert fills(floor.trade(99.0, 0.5)) == [("o1", 99.0, 0.5, False)]
    assert fills(floor.trade(99.0)) == [("o1", 101.0, 1.5, True)]


# --- the volume of a bar ----------------------------------------------------------------------------------------------


def test_all_orders_share_the_room_of_a_bar() -> None:
    floor = Floor(volume_share=0.1)
    floor.send(BUY, 1.0)
    floor.limit(SELL, 101.0, 1.0)
    floor.wait()
    assert fills(floor.open_bar(100.0, 12.0)) == [("o1", 100.0, 1.0, False)]
    assert fills(floor.range_bar(99.0, 102.0)) == [("o2", 101.0, 0.2, True)]
    assert fills(floor.open_bar(101.0, 4.0)) == [("o2", 101.0, 0.4, True)]
    assert fills(floor.open_bar(101.0, NAN)) == [("o2", 101.0, 0.4, True)]  # not known: not limited


def test_an_exit_ends_what_is_left_of_what_it_leaves_and_a_liquidation_needs_no_room() -> None:
    floor = Floor(volume_share=0.1)
    floor.send(BUY, 2.0)
    floor.wait()
    assert fills(floor.open_bar(100.0, 5.0)) == [("o1", 100.0, 0.5, False)]
    floor.send(SELL, 0.5, reduce_only=True, reason="liquidation")
    floor.wait()
    facts = floor.range_bar(90.0, 100.0)
    assert fills(facts) == [("o2", 90.0, 0.5, False)]
    assert OrderCanceled("o1", "its exit has traded") in facts


# --- stops ------------------------------------------------------------------------------------------------------------


def test_a_stop_fills_where_the_market_gaps_to() -> None:
    floor = Floor(slippage_ticks=1)
    floor.stop(SELL, 95.0)
    floor.wait()
    assert venue.touch_levels(floor.state, floor.terms, 0) == (95.0, math.inf)
    assert floor.quote(bid=90.0, ask=96.0) == []  # quotes do not wake it
    assert floor.trade(95.5) == []
    assert fills(floor.trade(92.0)) == [("o1", 89.5, 1.0, False)]  # the bid is worse than the trade


def test_trades_without_quotes_have_a_spread() -> None:
    # given two ticks of 0.5 from bid to ask: half of them is on each side of a trade
    floor = Floor(spread_ticks=2)
    floor.send(BUY)
    floor.limit(SELL, 101.0)
    floor.stop(SELL, 95.0)
    floor.wait()
    assert fills(floor.trade(100.0)) == [("o1", 100.5, 1.0, False)]
    assert venue.touch_levels(floor.state, floor.terms, 0)[0] >= 95.5
    assert floor.trade(101.0) == []  # the bid is half a point below it
    assert fills(floor.trade(101.5)) == [("o2", 101.0, 1.0, True)]
    assert fills(floor.trade(95.5)) == [("o3", 95.0, 1.0, False)]


def test_nothing_is_added_to_quotes_and_they_trigger_where_there_is_a_spread() -> None:
    floor = Floor(spread_ticks=2, recorded_side="bid")
    floor.quote(bid=99.0, ask=100.0)
    floor.stop(BUY, 101.0)
    floor.wait()
    assert floor.trade(101.0) == []
    assert fills(floor.quote(bid=100.0, ask=101.0)) == [("o1", 101.0, 1.0, False)]


def test_a_stop_of_a_mid_instrument_wakes_by_the_opposite_quote() -> None:
    floor = Floor(price_source=PriceSource.MID)
    floor.stop(BUY, 105.0)
    floor.wait()
    assert venue.touch_levels(floor.state, floor.terms, 0) == (-math.inf, 105.0)
    assert floor.trade(110.0) == []
    assert floor.quote(bid=104.0, ask=104.5) == []
    assert fills(floor.quote(bid=104.5, ask=106.0, ask_size=0.3)) == [("o1", 106.0, 0.3, False)]
    # what is left is a market order
    assert fills(floor.quote(ask=103.0)) == [("o1", 103.0, 0.7, False)]


def test_a_stop_that_arrives_beyond_its_trigger_trades_at_once() -> None:
    floor = Floor()
    floor.book(bid=94.0, ask=95.0)
    floor.market.last[0] = 94.5
    floor.stop(SELL, 95.0)
    assert fills(floor.wait()) == [("o1", 94.0, 1.0, False)]


# --- time in force ----------------------------------------------------------------------------------------------------


def test_ioc_cancels_what_its_first_opportunity_leaves() -> None:
    floor = Floor()
    floor.book(ask=100.0, ask_size=0.4)
    floor.limit(BUY, 100.0, time_in_force=TimeInForce.IOC)
    floor.limit(BUY, 99.5, time_in_force=TimeInForce.IOC)
    facts = floor.wait()
    assert fills(facts) == [("o1", 100.0, 0.4, False)]
    assert [f for f in facts if isinstance(f, OrderCanceled)] == [
        OrderCanceled("o1", "not filled at once"),
        OrderCanceled("o2", "not filled at once"),
    ]


def test_ioc_without_a_quote_has_its_opportunity_at_the_next_tick() -> None:
    floor = Floor()
    floor.limit(BUY, 100.0, time_in_force=TimeInForce.IOC)
    assert floor.wait() == [OrderAccepted("o1")]
    assert floor.trade(101.0) == [OrderCanceled("o1", "not filled at once")]


def test_an_ioc_stop_waits_for_its_trigger() -> None:
    floor = Floor()
    floor.book(bid=99.0, ask=100.0)
    floor.stop(BUY, 105.0, 2.0, time_in_force=TimeInForce.IOC)
    floor.wait()
    assert floor.trade(104.0) == []
    filled, canceled = floor.trade(105.0, 0.5)
    assert (filled.last_px, filled.last_qty, canceled.cl_ord_id) == (105.0, 0.5, "o1")


DAY_SESSION = Session(open="09:30", close="16:00")


def test_day_orders_end_with_the_session() -> None:
    floor = Floor(session=DAY_SESSION)
    floor.limit(BUY, 90.0, time_in_force=TimeInForce.DAY)
    floor.limit(BUY, 90.0)
    floor.wait()
    assert venue.due_ns(floor.state) == NOON_NS + 4 * 3600 * NS
    assert floor.wait(4 * 3600 * 1000) == [OrderExpired("o1", "end of the session")]
    # outside of the session nothing is filled, and day orders are not taken
    assert floor.trade(80.0) == []
    floor.send(time_in_force=TimeInForce.DAY)
    assert floor.wait() == [OrderRejected("o3", "a day order outside of the session")]
    # the next morning the other order still works
    floor.wait(18 * 3600 * 1000)
    assert fills(floor.trade(80.0)) == [("o2", 80.0, 1.0, False)]


def test_expiry_comes_before_what_arrives_at_the_same_moment() -> None:
    floor = Floor(session=DAY_SESSION)
    floor.limit(BUY, 90.0, time_in_force=TimeInForce.DAY)
    floor.wait()
    close_ms = 4 * 3600 * 1000 - 50
    floor.limit(BUY, 90.0, latency_ns=close_ms * MS)
    assert floor.wait(close_ms) == [OrderExpired("o1", "end of the session"), OrderAccepted("o2")]


# --- brackets and reducing orders -------------------------------------------------------------------------------------


def test_one_leg_of_a_bracket_cancels_the_other() -> None:
    floor = Floor().holding(3.0)
    floor.limit(SELL, 110.0, parent="entry", reduce_only=True)
    floor.stop(SELL, 90.0, parent="entry", reduce_only=True)
    floor.stop(SELL, 90.0, parent="another", reduce_only=True)
    floor.wait()
    floor.trade(100.0)
    assert fills(floor.trade(110.0, 0.4)) == [("o1", 110.0, 0.4, True)]
    *filled, canceled = floor.trade(110.0)
    assert fills(filled) == [("o1", 110.0, 0.6, True)]
    assert canceled == OrderCanceled("o2", "the other leg has filled")
    assert list(floor.state.working) == ["o3"]


def test_a_leg_on_its_way_is_canceled_too() -> None:
    floor = Floor().holding(3.0)
    floor.limit(SELL, 100.0, parent="entry", reduce_only=True)
    floor.wait(40.0)
    floor.stop(SELL, 90.0, parent="entry", reduce_only=True)
    floor.wait(10.0)
    assert OrderCanceled("o2", "the other leg has filled") in floor.trade(100.0)
    assert floor.wait() == []


def test_an_exit_ends_the_rest_of_its_entry() -> None:
    floor = Floor()
    floor.book(bid=100.0, ask=100.5, ask_size=0.4)
    entry = floor.limit(BUY, 100.5)
    floor.wait()
    floor.limit(SELL, 105.0, 1.0, parent=entry, reduce_only=True, latency_ns=0)
    floor.wait()
    # the exit is worth no more than what was bought
    filled, *canceled = floor.trade(105.0)
    assert fills([filled]) == [("o2", 105.0, 0.4, True)]
    assert canceled == [OrderCanceled("o1", "its exit has traded"), OrderCanceled("o2", "nothing left to reduce")]


def test_reduce_only_is_capped_by_the_position() -> None:
    floor = Floor().holding(0.7)
    floor.book(bid=100.0)
    floor.send(SELL, 1.0, reduce_only=True)
    facts = floor.wait()
    assert fills(facts) == [("o1", 100.0, 0.7, False)]
    assert facts[-1] == OrderCanceled("o1", "nothing left to reduce")
    assert floor.state.lots[0] == 0


@pytest.mark.parametrize("held", [0.0, -1.0])
def test_reduce_only_with_nothing_to_reduce_is_rejected(held: float) -> None:
    floor = Floor().holding(held)
    floor.send(SELL, 1.0, reduce_only=True)
    assert floor.wait() == [OrderRejected("o1", "nothing to reduce")]


def test_protection_ends_when_the_position_does() -> None:
    floor = Floor().holding(1.0)
    floor.stop(SELL, 90.0, parent="entry", reduce_only=True)
    floor.wait()
    floor.book(bid=100.0)
    floor.send(SELL, 1.5)
    facts = floor.wait()
    assert fills(facts) == [("o2", 100.0, 1.5, False)]
    assert facts[-1] == OrderCanceled("o1", "nothing left to reduce")


# --- money and state --------------------------------------------------------------------------------------------------


def test_makers_and_takers_pay_their_own_fee() -> None:
    floor = Floor(fees=Fees(maker_rate=-0.0001, taker_rate=0.0005, per_unit=0.01))
    floor.book(ask=100.0, ask_size=1.0)
    floor.limit(BUY, 100.0, 2.0)
    taker = next(f for f in floor.wait() if isinstance(f, OrderFilled))
    (maker,) = floor.trade(100.0)
    assert (taker.fee, maker.fee) == (6, 0)  # 5 + 1 cents, -1 + 1 cents


def test_the_state_survives_msgpack_in_the_middle_of_a_story() -> None:
    floor = Floor().holding(2.0)
    floor.book(bid=99.0, ask=100.0, ask_size=0.4)
    floor.send(BUY, 2.0)
    floor.limit(SELL, 105.0, parent="entry", reduce_only=True, time_in_force=TimeInForce.DAY)
    floor.wait()
    floor.stop(SELL, 90.0)
    floor.cancel("o1")
    again = msgspec.msgpack.decode(msgspec.msgpack.encode(floor.state), type=VenueState)
    assert again == floor.state


def known_order(status: OrdStatus, filled_lots: int = 0, **fields: Any) -> Order:
    defaults: dict[str, Any] = {"cl_ord_id": "k", "instrument": 0, "side": SELL, "quantity": 1.0}
    request = OrderRequested(**(defaults | {"ord_type": OrdType.MARKET, "time_in_force": TimeInForce.GTC} | fields))
    return Order(ordinal=1, parent=0, request=request, status=status, lots=10, filled_lots=filled_lots)


def test_a_new_venue_takes_over_what_the_ledger_knows() -> None:
    # given an order that had not arrived, it arrives
    floor = Floor()
    venue.adopt(floor.state, floor.terms, known_order(OrdStatus.PENDING_NEW), floor.market, floor.now_ns)
    assert floor.wait() == [OrderAccepted("k")]
    # given a resting limit with a part filled, the rest works on as a maker, until the end of its day
    floor = Floor(session=DAY_SESSION)
    limit = {"ord_type": OrdType.LIMIT, "price": 100.0, "time_in_force": TimeInForce.DAY}
    venue.adopt(
        floor.state, floor.terms, known_order(OrdStatus.PARTIALLY_FILLED, 4, **limit), floor.market, floor.now_ns
    )
    assert venue.due_ns(floor.state) == NOON_NS + 4 * 3600 * NS
    (filled,) = floor.trade(101.0)
    assert (filled.last_px, filled.last_qty, filled.cum_qty, filled.maker) == (100.0, 0.6, 1.0, True)


@pytest.mark.parametrize(("filled_lots", "wakes"), [(0, False), (4, True)])
def test_a_stop_that_has_traded_does_not_sleep_again(filled_lots: int, wakes: bool) -> None:
    floor = Floor()
    stop = {"ord_type": OrdType.STOP, "stop_px": 90.0}
    venue.adopt(floor.state, floor.terms, known_order(OrdStatus.NEW, filled_lots, **stop), floor.market, floor.now_ns)
    assert bool(floor.trade(95.0)) is wakes


def test_time_may_be_told_in_any_steps() -> None:
    def story(steps: list[float]) -> list[Any]:
        floor = Floor()
        floor.book(bid=99.0, ask=100.0, ask_size=0.4)
        floor.limit(BUY, 100.0, time_in_force=TimeInForce.IOC)
        floor.send(SELL, 3.0)
        floor.cancel("o2")
        floor.now_ns -= 1
        return [fact for step in steps for fact in floor.wait(step)]

    assert story([100.0]) == story([10.0] * 10) == story([20.0, 30.0, 0.0, 50.0])


# --- stop-limit orders ------------------------------------------------------------------------------------------------


def stop_limit(floor: Floor, side: Side, stop_px: float, price: float, **fields: Any) -> None:
    floor.send(side, ord_type=OrdType.STOP_LIMIT, stop_px=stop_px, price=price, **fields)


def test_a_stop_limit_sleeps_and_is_then_a_limit_order() -> None:
    floor = Floor(slippage_ticks=3)
    stop_limit(floor, Side.BUY, 101.0, 101.5)
    floor.wait()
    assert floor.trade(100.0) == []
    assert venue.touch_levels(floor.state, floor.terms, 0) == (-math.inf, 101.0)
    # when it wakes within its limit it trades at once, without slippage
    assert fills(floor.trade(101.0)) == [("o1", 101.0, 1.0, False)]


def test_a_stop_limit_that_wakes_beyond_its_limit_rests() -> None:
    floor = Floor()
    stop_limit(floor, Side.BUY, 101.0, 101.5)
    floor.wait()
    assert fills(floor.trade(102.0)) == []
    assert venue.touch_levels(floor.state, floor.terms, 0) == (101.5, math.inf)
    assert fills(floor.trade(101.0)) == [("o1", 101.5, 1.0, True)]


def test_a_stop_limit_that_arrives_beyond_its_trigger_is_awake() -> None:
    floor = Floor()
    floor.market.last[0] = 103.0
    floor.book(bid=102.5, ask=103.0)
    stop_limit(floor, Side.BUY, 101.0, 104.0)
    assert fills(floor.wait()) == [("o1", 103.0, 1.0, False)]


def test_an_immediate_stop_limit_ends_where_it_wakes() -> None:
    floor = Floor()
    stop_limit(floor, Side.BUY, 101.0, 101.5, time_in_force=TimeInForce.IOC)
    floor.wait()
    assert floor.trade(100.0) == []
    assert floor.trade(102.0) == [OrderCanceled("o1", "not filled at once")]


# --- stops that trail -------------------------------------------------------------------------------------------------


def trailing(floor: Floor, side: Side, stop_px: float, trail: float, **fields: Any) -> None:
    floor.send(side, ord_type=OrdType.TRAILING_STOP, stop_px=stop_px, trail=trail, reduce_only=True, **fields)
    floor.wait()


def test_a_trailing_stop_follows_and_never_goes_back() -> None:
    floor = Floor().holding(1.0)
    trailing(floor, Side.SELL, 98.0, 2.0)
    assert venue.touch_levels(floor.state, floor.terms, 0) == (98.0, 100.0)
    assert [floor.trade(price) for price in (101.0, 103.0, 101.5)] == [[], [], []]
    assert venue.touch_levels(floor.state, floor.terms, 0) == (101.0, 103.0)
    assert fills(floor.trade(101.0)) == [("o1", 101.0, 1.0, False)]


def test_one_that_buys_follows_downwards() -> None:
    floor = Floor().holding(-1.0)
    trailing(floor, Side.BUY, 102.0, 2.0)
    assert [floor.trade(price) for price in (99.0, 97.0, 98.5)] == [[], [], []]
    assert venue.touch_levels(floor.state, floor.terms, 0) == (97.0, 99.0)
    assert fills(floor.trade(99.5)) == [("o1", 99.5, 1.0, False)]


def test_where_prices_are_mids_it_follows_the_opposite_quote() -> None:
    floor = Floor(price_source=PriceSource.MID).holding(1.0)
    trailing(floor, Side.SELL, 95.0, 2.0)
    floor.trade(120.0)
    floor.quote(bid=100.0, ask=130.0)
    assert venue.touch_levels(floor.state, floor.terms, 0) == (98.0, 100.0)


def test_one_that_is_adopted_goes_on_from_where_it_was() -> None:
    floor = Floor()
    order = known_order(OrdStatus.NEW, ord_type=OrdType.TRAILING_STOP, stop_px=95.0, trail=2.0, side=Side.SELL)
    venue.lay(floor.state, floor.terms, order.request, floor.market, floor.now_ns)
    floor.trade(103.0)
    laid = floor.state.working.pop("k")
    venue.adopt(floor.state, floor.terms, order, floor.market, floor.now_ns, laid=laid)
    assert venue.touch_levels(floor.state, floor.terms, 0) == (101.0, 103.0)
