"""Which orders rest, how they end, and the money of each fill, posted by `kernels.posting`."""

from typing import Any

import numpy as np

from tradingd.kernels.compile import kernel
from tradingd.kernels.depth_records import (
    BUY,
    CANCELED,
    FILLED,
    NO_CELL,
    NO_SLOT,
    PARTIALLY_FILLED,
    REJECTED,
    fill_at,
    order_at,
)
from tradingd.kernels.posting import MONEY_LIMIT, REFUSED, fee_units, notional_units, post_fill
from tradingd.kernels.sizing import value_of

Records = Any  # a NumPy record array


@kernel
def room_for(venue: Records, fills: int) -> bool:
    return bool(venue.counts.fills + fills <= venue.fills_room)


@kernel
def rest(venue: Records, slot: int) -> None:
    """Behind the others of its side."""
    order = order_at(venue, slot)
    order.next = NO_SLOT
    link(venue, order.side, before(venue, order.side, NO_SLOT), slot)
    venue.resting[order.side] += 1
    bound(venue, order.side)


@kernel
def leave(venue: Records, slot: int) -> None:
    order = order_at(venue, slot)
    link(venue, order.side, before(venue, order.side, slot), order.next)
    venue.resting[order.side] -= 1
    bound(venue, order.side)


@kernel
def before(venue: Records, side: int, slot: int) -> int:
    """The slot that `slot` follows, NO_SLOT before the first; the last one where `slot` is NO_SLOT."""
    previous, found = NO_SLOT, venue.first_slot[side]
    while found != slot:
        previous, found = found, order_at(venue, found).next
    return previous


@kernel
def link(venue: Records, side: int, previous: int, slot: int) -> None:
    """`slot` follows `previous`, or is the first where that is NO_SLOT."""
    if previous == NO_SLOT:
        venue.first_slot[side] = slot
    else:
        order_at(venue, previous).next = slot


@kernel
def bound(venue: Records, side: int) -> None:
    """The cells between which orders of that side rest, so that most events need not look at orders at all."""
    low, high, slot = NO_CELL, -NO_CELL, venue.first_slot[side]
    while slot != NO_SLOT:
        order = order_at(venue, slot)
        low, high, slot = min(low, order.cell), max(high, order.cell), order.next
    venue.lowest[side], venue.highest[side] = low, high


@kernel
def end(venue: Records, slot: int, state: int, ts_ns: int) -> None:
    order, counts = order_at(venue, slot), venue.counts
    order.state, order.ended_ns = state, ts_ns
    if state == FILLED:
        counts.filled += 1
    elif state == CANCELED:
        counts.canceled += 1
    elif state == REJECTED:
        counts.rejected += 1
    else:
        counts.expired += 1
    release(venue, slot)


@kernel
def release(venue: Records, slot: int) -> None:
    """One holder less; a slot that nobody holds is free."""
    order = order_at(venue, slot)
    order.holds -= 1
    if order.holds == 0:
        order.next, venue.free_slot = venue.free_slot, slot
        venue.free += 1


@kernel
def fill(venue: Records, slot: int, size: int, ticks: int, ts_ns: int, maker: bool) -> None:
    """Posts a fill of `size` lots; an order that is filled leaves."""
    order, account, terms, counts = order_at(venue, slot), venue.account, venue.terms, venue.counts
    lots = size if order.side == BUY else -size
    price = value_of(float(ticks), terms.tick_num, terms.tick_den)
    quantity = value_of(float(size), terms.lot_num, terms.lot_den)
    notional = notional_units(price, quantity, terms.multiplier, terms.units_per_one)
    rate = terms.maker_rate if maker else terms.taker_rate
    fee = fee_units(notional, quantity, rate, terms.per_unit, terms.minimum, terms.units_per_one)
    after, cost, realized = post_fill(account.lots, account.cost, lots, notional)
    if REFUSED in (notional, fee, realized) or abs(account.balance + realized - fee) >= MONEY_LIMIT:
        account.refused = 1
        fee = realized = 0
    if np.isnan(account.mark):
        account.mark = price
    account.lots, account.cost = after, cost
    account.balance += realized - fee
    f = fill_at(venue, counts.fills)
    counts.fills += 1
    f.ts_ns, f.order, f.side, f.ticks, f.price, f.lots = ts_ns, order.id, order.side, ticks, price, lots
    f.fee, f.realized, f.position, f.balance = fee, realized, after, account.balance
    f.maker, f.queue = maker, order.queue
    used(venue, slot, size, ts_ns, maker)


@kernel
def used(venue: Records, slot: int, size: int, ts_ns: int, rests: bool) -> None:
    order = order_at(venue, slot)
    order.left -= size
    order.state = PARTIALLY_FILLED
    order.ahead = max(order.ahead, 0.0)
    if order.left == 0:
        if rests:
            leave(venue, slot)
        end(venue, slot, FILLED, ts_ns)
