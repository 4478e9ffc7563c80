"""How the orders of the kernel engine meet a bar: its open, and what happened within it."""

from typing import Any

import numpy as np

from tradingd.kernels.book import (
    DECISION,
    INTRABAR,
    IOC,
    LIQUIDATION,
    MAKER,
    MARKET,
    OPEN,
    STOP_LOSS,
    TAKE_PROFIT,
    TAKER,
    equity_units,
    fill,
    fill_at,
    maintenance_units,
    met,
    on_grid,
    taken,
)
from tradingd.kernels.compile import kernel
from tradingd.kernels.orders import equip, follow, or_else, protect, reducible, wanted
from tradingd.kernels.sizing import nearest_count, value_of

Records = Any  # a NumPy record array


@kernel
def at_open(b: Records, t: Records, s: Records, price: float, day: int) -> None:
    """Protection was there first. A turn opens when what it closes is closed."""
    b.phase = OPEN
    if b.lots != 0:
        meet_open(b, t, s, price, MAKER)
    if b.lots != 0 and not np.isnan(b.trails_by):
        follow(b, t, s, met(price, -b.lots, s))
    if b.order_rests != 0 and b.order_day != day:
        b.order = 0
    if b.order != 0 and b.order_opens != 0:
        enter_at_open(b, t, s, price, day)
    elif b.order != 0:
        reduce_at_open(b, t, s, price)
    if b.turning != 0 and b.order == 0:
        b.turning = 0
        turn(b, t, s, price, day)


@kernel
def reduce_at_open(b: Records, t: Records, s: Records, price: float) -> None:
    """As far as there is room; the rest waits for the next open, and ends with what there is to reduce."""
    order = reducible(b.lots, b.order)
    part = at_most(order, b.room)
    b.order = order - part
    if part != 0:
        b.traded = 1
        fill(b, t, s, part, taken(met(price, part, s), part, t, s), DECISION, MARKET)


@kernel
def turn(b: Records, t: Records, s: Records, price: float, day: int) -> None:
    """The other half: sized anew, by the decision's price and the equity after what was closed."""
    b.order = wanted(b, t, price) - b.lots
    b.order_opens = 1
    if b.order != 0:
        equip(b)
        enter_at_open(b, t, s, price, day)


@kernel
def enter_at_open(b: Records, t: Records, s: Records, price: float, day: int) -> None:
    """What opens or adds meets the open, perhaps as its first opportunity, and its protection then meets it too."""
    side, asked = np.sign(b.order), met(price, b.order, s)
    b.order_day = day
    if (asked - b.order_trigger) * side < 0.0:
        b.order_rests = 1
        return
    if not np.isnan(b.order_trigger):
        b.order_trigger, b.order_rests = np.nan, 0
    begins = b.order_traded == 0
    if np.isnan(b.order_limit):
        enter(b, t, s, taken(asked, b.order, t, s), MARKET)
    elif (asked - b.order_limit) * side > 0.0:
        rest(b, t)
    elif b.order_rests != 0:
        enter(b, t, s, b.order_limit, MAKER)
    else:
        enter(b, t, s, on_grid(asked, b.order, t, s, 0.0), TAKER)
    if begins and b.order_traded != 0:
        meet_open(b, t, s, price, TAKER)


@kernel
def rest(b: Records, t: Records) -> None:
    """After its first opportunity."""
    b.order_rests = 1
    if t.time_in_force == IOC:
        b.order = 0


@kernel
def enter(b: Records, t: Records, s: Records, price: float, how: int) -> None:
    """As far as there is room. The first fill brings the newest decision's protection, and what that does not have as
    the order has it."""
    part, begins = at_most(b.order, b.room), b.order_traded == 0
    b.order -= part
    rest(b, t)
    if part == 0:
        return
    b.traded = b.order_traded = 1
    fill(b, t, s, part, price, DECISION, how)
    if begins:
        stop, take_profit = or_else(b.stop, b.order_stop), or_else(b.take_profit, b.order_take_profit)
        protect(b, t, s, stop, take_profit, or_else(b.trail, b.order_trail), price)


@kernel
def at_most(lots: int, room: int) -> int:
    return max(min(lots, room), -room)


@kernel
def meet_open(b: Records, t: Records, s: Records, price: float, how: int) -> None:
    """A gap beyond the stop fills at the open; beyond a take profit that rested there (MAKER) at its own price, beyond
    one that came with the open (TAKER) at the open."""
    side = np.sign(b.lots)
    price = met(price, -b.lots, s)
    if side != 0 and (b.triggered != 0 or (price - b.stop_px) * side <= 0.0):
        b.triggered = 1
        leave(b, t, s, taken(price, -b.lots, t, s), STOP_LOSS, MARKET)
    elif side != 0 and (price - b.limit_px) * side >= 0.0:
        limit = b.limit_px if how == MAKER else on_grid(price, -b.lots, t, s, 0.0)
        leave(b, t, s, limit, TAKE_PROFIT, how)


@kernel
def within(b: Records, t: Records, s: Records, low: float, high: float) -> None:
    """What protects, then what enters, then margin. What trails comes after the best price where nothing is entered."""
    b.phase = INTRABAR
    if b.lots != 0:
        protected_within(b, t, s, low, high)
    has_entered = b.order != 0 and b.order_opens != 0 and enter_within(b, t, s, low, high)
    if not has_entered and not np.isnan(b.trails_by):
        follow(b, t, s, met(high if b.lots > 0 else low, -b.lots, s))
    if b.lots != 0:
        liquidated_within(b, t, s, low if b.lots > 0 else high)


@kernel
def protected_within(b: Records, t: Records, s: Records, low: float, high: float) -> None:
    """Where stop and take profit are both inside the bar, the stop was first."""
    worst, best = (low, high) if b.lots > 0 else (high, low)
    side = np.sign(b.lots)
    if (met(worst, -b.lots, s) - b.stop_px) * side <= 0.0:
        b.triggered = 1
        leave(b, t, s, taken(b.stop_px, -b.lots, t, s), STOP_LOSS, MARKET)
    elif (met(best, -b.lots, s) - b.limit_px) * side >= 0.0:
        leave(b, t, s, b.limit_px, TAKE_PROFIT, MAKER)


@kernel
def leave(b: Records, t: Records, s: Records, price: float, reason: int, how: int) -> None:
    """Protection closes what there is room for."""
    lots = at_most(-b.lots, b.room)
    if lots != 0:
        end_entry(b)
        fill(b, t, s, lots, price, reason, how)


@kernel
def end_entry(b: Records) -> None:
    """The exit has begun: what is left of an order that opened the position does not open it again."""
    if b.order_opens != 0 and b.order_traded != 0:
        b.order = 0


@kernel
def enter_within(b: Records, t: Records, s: Records, low: float, high: float) -> bool:
    """Whether it did. A stop with a limit trades at its trigger where the limit allows that; else it rests."""
    order, trigger, limit, before = b.order, b.order_trigger, b.order_limit, b.fills
    side, begins = np.sign(order), b.order_traded == 0
    worst, best = met(high if order > 0 else low, order, s), met(low if order > 0 else high, order, s)
    if np.isnan(trigger):
        if (best - limit) * side <= 0.0:
            enter(b, t, s, limit, MAKER)
    elif (worst - trigger) * side >= 0.0:
        b.order_trigger = np.nan
        if np.isnan(limit):
            enter(b, t, s, taken(trigger, order, t, s), MARKET)
        elif (trigger - limit) * side <= 0.0:
            enter(b, t, s, on_grid(trigger, order, t, s, 0.0), TAKER)
        else:
            rest(b, t)
    if b.fills == before:
        return False
    if begins:
        stop_what_entered(b, t, s, low, high)
    return True


@kernel
def stop_what_entered(b: Records, t: Records, s: Records, low: float, high: float) -> None:
    """Of the range, what lies beyond the entry may have come after it; what it meets there is on the other side of the
    spread."""
    side = np.sign(b.lots)
    spread = side * (s.to_ask + s.to_bid) / 2.0
    paid = nearest_count(fill_at(b, b.fills - 1).price, s.tick_num, s.tick_den)
    entered = value_of(paid - spread, s.tick_num, s.tick_den)
    bottom, top = met(low, -b.lots, s), met(high, -b.lots, s)
    if ((bottom if side > 0 else top) - b.stop_px) * side <= 0.0:
        b.triggered = 1
        price = min(b.stop_px, entered, top) if side > 0 else max(b.stop_px, entered, bottom)
        leave(b, t, s, taken(price, -b.lots, t, s), STOP_LOSS, MARKET)


@kernel
def liquidated_within(b: Records, t: Records, s: Records, worst: float) -> None:
    is_near = (worst - b.margin_px) * np.sign(b.lots) <= 0.0
    if is_near and equity_units(b, t, worst) < maintenance_units(b, t, worst):
        liquidate(b, t, s, worst)


@kernel
def liquidate(b: Records, t: Records, s: Records, price: float) -> None:
    """All that no order closes already, whatever the room."""
    closing = reducible(b.lots, b.order) if b.order_opens == 0 else 0
    lots = -b.lots - closing
    if lots != 0:
        end_entry(b)
        fill(b, t, s, lots, taken(met(price, lots, s), lots, t, s), LIQUIDATION, MARKET)
