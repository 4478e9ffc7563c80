"""What the kernel engine knows while it runs: its records, and the money and prices of fills and charges."""

from typing import Any

import numpy as np

from tradingd.kernels.calls import code_generator
from tradingd.kernels.compile import constants, kernel
from tradingd.kernels.financing import (
    BORROW,
    FUNDING,
    INTEREST,
    POSTING,
    borrow_change,
    funding_change,
    interest_change,
)
from tradingd.kernels.pointers import record_at
from tradingd.kernels.posting import MONEY_LIMIT, REFUSED, fee_units, notional_units, post_fill
from tradingd.kernels.sizing import ceil_count, floor_count, value_of
from tradingd.kernels.spread import quoted

Records = Any  # a NumPy record array

OPEN, INTRABAR = range(2)  # when a fill was; at the close nothing is filled
GTC, DAY, IOC = range(3)
DECISION, STOP_LOSS, TAKE_PROFIT, LIQUIDATION, EXPIRY = constants(5)  # why an order was there
MARKET, TAKER, MAKER = constants(3)  # as what it traded: without a limit, or at its limit, at once or having rested


# what does not change
TERMS = np.dtype(
    [
        ("lot_num", "f8"),  # lot size as a fraction
        ("lot_den", "f8"),
        ("multiplier", "f8"),
        ("units_per_one", "i8"),
        ("maker_rate", "f8"),
        ("taker_rate", "f8"),
        ("per_unit", "f8"),
        ("minimum", "f8"),
        ("slippage_rate", "f8"),
        ("slippage_ticks", "f8"),
        ("negative_prices", "u1"),
        ("initial_rate", "f8"),
        ("maintenance_rate", "f8"),
        ("max_leverage", "f8"),
        ("risk_per_trade", "f8"),  # 0: size by target alone
        ("allocation", "f8"),
        ("volume_share", "f8"),  # 0: as much as is wanted
        ("borrow_rate", "f8"),
        ("interest_rate", "f8"),
        ("debit_rate", "f8"),
        ("is_paid", "u1"),  # a position is bought with cash
        ("time_in_force", "u1"),  # of entries
    ],
    align=True,
)
# what does; prices are NaN for none
BOOK = np.dtype(
    [
        ("bar", "i8"),  # the next one
        ("phase", "u1"),  # of it
        ("heard", "i8"),  # signals so far
        ("fills", "i8"),
        ("reached", "i8"),  # instants so far
        ("postings", "i8"),
        ("signals_at", "i8"),  # addresses of arrays, and how much there is in them or room for:
        ("signals_size", "i8"),
        ("fills_at", "i8"),
        ("fills_size", "i8"),
        ("instants_at", "i8"),
        ("instants_size", "i8"),
        ("postings_at", "i8"),
        ("equity_at", "i8"),
        ("days_at", "i8"),
        ("lots", "i8"),
        ("cost", "i8"),
        ("balance", "i8"),
        ("decided", "u1"),  # the newest decision:
        ("target", "f8"),
        ("price", "f8"),
        ("stop", "f8"),
        ("take_profit", "f8"),
        ("limit", "f8"),
        ("trigger", "f8"),
        ("trail", "f8"),
        ("room", "i8"),  # lots that the bar in hand may yet fill
        ("order", "i8"),  # signed lots that the next open fills, or that rest
        ("order_opens", "u1"),
        ("order_traded", "u1"),  # a part of it
        ("order_rests", "u1"),  # it has had its first opportunity
        ("order_limit", "f8"),
        ("replacing", "u1"),  # what waited is taken back, and then the decision's order is sized
        ("order_trigger", "f8"),  # while it sleeps
        ("order_stop", "f8"),  # what it brings with it
        ("order_take_profit", "f8"),
        ("order_trail", "f8"),
        ("order_day", "i8"),  # of the first open that it met
        ("traded", "u1"),  # something of the newest order
        ("turning", "u1"),  # what is closed at the next open is opened on the other side at once
        ("stop_px", "f8"),  # protection that rests:
        ("triggered", "u1"),  # the stop was reached, and what is left of it is a market order
        ("trails_by", "f8"),  # the stop, from the best price
        ("limit_px", "f8"),
        ("quantity", "f8"),  # of the position, signed
        ("margin_px", "f8"),  # before which margin can not be short
        ("expired", "u1"),
        ("refused", "u1"),  # an amount did not fit
    ],
    align=True,
)
FILL = np.dtype(
    [
        ("bar", "i8"),
        ("lots", "i8"),  # signed
        ("price", "f8"),
        ("fee", "i8"),  # units
        ("realized", "i8"),  # units, before the fee
        ("position", "i8"),  # lots after it
        ("balance", "i8"),  # units after it
        ("phase", "u1"),
        ("reason", "u1"),
        ("is_limit", "u1"),  # it traded as a limit order, which does not slip
    ],
    align=True,
)


@code_generator
def fill_at(_typing: Any, b: Any, number: Any) -> Any:
    """The FILL of a number."""
    return record_at("fills_at", FILL, b, number)


@code_generator
def posting_at(_typing: Any, b: Any, number: Any) -> Any:
    """The POSTING of a number."""
    return record_at("postings_at", POSTING, b, number)


@kernel
def charge(b: Records, t: Records, at: Records, mark: float) -> None:
    """Interest is of what the others leave."""
    value = value_units(b, t, mark) if b.lots != 0 else 0
    if value == REFUSED:
        b.refused = 1
        return
    if at.is_midnight != 0 and b.lots < 0:
        post(b, t, BORROW, borrow_change(value, t.borrow_rate))
    post(b, t, FUNDING, funding_change(value, at.funding_rate))
    if at.is_midnight != 0:
        spent = b.cost if t.is_paid != 0 and b.lots > 0 else 0
        post(b, t, INTEREST, interest_change(b.balance - spent, t.interest_rate, t.debit_rate))


@kernel
def post(b: Records, t: Records, kind: int, change: int) -> None:
    """Changes the balance without a fill."""
    if change == 0:
        return
    if change == REFUSED or abs(b.balance + change) >= MONEY_LIMIT:
        b.refused = 1
        return
    b.balance += change
    b.margin_px = margin_price(b, t)
    p = posting_at(b, b.postings)
    p.bar, p.kind, p.change = b.bar, kind, change
    b.postings += 1


@kernel
def met(price: float, order: int, s: Records) -> float:
    """What an order meets at a recorded price: a buy the ask, a sell the bid."""
    half_ticks = s.to_ask if order > 0 else s.to_bid
    return float(quoted(price, order, half_ticks, s.tick_num, s.tick_den))


@kernel
def taken(price: float, order: int, t: Records, s: Records) -> float:
    """What a market order pays."""
    return on_grid(price + np.sign(order) * (t.slippage_rate * abs(price)), order, t, s, t.slippage_ticks)


@kernel
def on_grid(price: float, order: int, t: Records, s: Records, slippage_ticks: float) -> float:
    """On the tick grid, rounded against the order, and slippage on top."""
    if order > 0:
        count = ceil_count(price, s.tick_num, s.tick_den) + slippage_ticks
    else:
        count = floor_count(price, s.tick_num, s.tick_den) - slippage_ticks
    if t.negative_prices == 0 and count < 1.0:
        count = 1.0
    return float(value_of(count, s.tick_num, s.tick_den) + 0.0)


@kernel
def fill(
    b: Records,
    t: Records,
    s: Records,
    order: int,
    price: float,
    reason: int,
    how: int,
) -> None:
    """A fill at the venue's commission."""
    quantity = value_of(abs(order), t.lot_num, t.lot_den)
    notional = notional_units(price, quantity, t.multiplier, t.units_per_one)
    rate = t.maker_rate if how == MAKER else t.taker_rate
    fee = fee_units(notional, quantity, rate, t.per_unit, t.minimum, t.units_per_one)
    book(b, t, order, price, notional, fee, reason, how)


@kernel
def book(
    b: Records,
    t: Records,
    order: int,
    price: float,
    notional: int,
    fee: int,
    reason: int,
    how: int,
) -> None:
    """Posts a fill; protection ends with the position that it was for."""
    lots, cost, realized = post_fill(b.lots, b.cost, order, notional)
    if REFUSED in (notional, fee, realized) or abs(b.balance + realized - fee) >= MONEY_LIMIT:
        b.refused = 1
        return
    if lots == 0 or (lots > 0) != (b.lots > 0):
        b.stop_px = b.limit_px = b.trails_by = np.nan
        b.triggered = 0
    if t.volume_share > 0.0 and reason != LIQUIDATION:
        b.room -= abs(order)
    b.lots, b.cost = lots, cost
    b.balance += realized - fee
    b.quantity = value_of(lots, t.lot_num, t.lot_den)
    b.margin_px = margin_price(b, t)
    f = fill_at(b, b.fills)
    f.bar, f.lots, f.price, f.fee, f.realized = b.bar, order, price, fee, realized
    f.position, f.balance, f.phase, f.reason = lots, b.balance, b.phase, reason
    f.is_limit = 1 if how != MARKET else 0
    b.fills += 1


@kernel
def margin_price(b: Records, t: Records) -> float:
    """Where equity meets maintenance, nearer to the market by a millionth and a unit; beyond it units are counted."""
    per_price = b.quantity * t.multiplier * t.units_per_one
    worth_nothing = (b.cost - b.balance) / per_price  # the price at which equity is 0
    rate = t.maintenance_rate if per_price * worth_nothing > 0.0 else -t.maintenance_rate
    price = worth_nothing / (1.0 - rate) if worth_nothing != 0.0 else 0.0
    near = (abs(price) + abs(b.cost / per_price)) * 1e-6 + 1.0 / abs(per_price)
    return float(price + near if per_price > 0.0 else price - near)


@kernel
def value_units(b: Records, t: Records, price: float) -> int:
    """Of the position, signed as it is."""
    return notional_units(price, b.quantity, t.multiplier, t.units_per_one)


@kernel
def equity_units(b: Records, t: Records, mark: float) -> int:
    if b.lots == 0:
        return int(b.balance)
    value = value_units(b, t, mark)
    if value == REFUSED:
        b.refused = 1
        return 0
    return int(b.balance + value - b.cost)


@kernel
def maintenance_units(b: Records, t: Records, mark: float) -> int:
    """Rounded up, as the core does."""
    value = value_units(b, t, mark)
    return int(np.ceil(abs(value) * t.maintenance_rate)) if value != REFUSED else 0
