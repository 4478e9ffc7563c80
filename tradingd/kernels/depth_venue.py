"""The exchange of a replay: what fills orders that rest there, and what becomes of those that arrive.

docs/depth.md has the rules. The recorded book is never changed by our orders.
"""

from typing import Any

from tradingd.columns import F64
from tradingd.kernels.compile import kernel
from tradingd.kernels.depth_fills import end, fill, leave, release, rest, room_for
from tradingd.kernels.depth_queue import change_level, join, pass_trade
from tradingd.kernels.depth_records import (
    BUY,
    CANCELED,
    EXPIRED,
    IMMEDIATE_OR_CANCEL,
    LIMIT,
    MARKET,
    NEVER_NS,
    NEW,
    NO_SLOT,
    PARTIALLY_FILLED,
    POST_ONLY,
    REJECTED,
    order_at,
)

Records = Any  # a NumPy record array


@kernel
def level_changed(venue: Records, side: int, cell: int, before: float, after: float) -> None:
    slot = venue.first_slot[side]
    while slot != NO_SLOT:
        order = order_at(venue, slot)
        if order.cell == cell:
            change_level(order, venue.terms.power, before, after)
        slot = order.next


@kernel
def fill_reached(venue: Records, side: int, cell: int, ts_ns: int) -> None:
    """The other side's best price is at `cell` now: orders that it reaches are filled at their own price."""
    slot = venue.first_slot[side]
    while slot != NO_SLOT:
        order = order_at(venue, slot)
        following = order.next
        if reaches(side, order.cell, cell):
            fill(venue, slot, order.left, order.ticks, ts_ns, True)
        slot = following


@kernel
def fill_traded(venue: Records, side: int, cell: int, lots: float, ts_ns: int) -> None:
    """A trade against that side: orders better than its price are filled, those at it when their turn has come."""
    slot = venue.first_slot[side]
    while slot != NO_SLOT:
        order = order_at(venue, slot)
        following, passed = order.next, 0
        if order.cell == cell:
            passed = pass_trade(order, lots)
        elif reaches(side, order.cell, cell):
            passed = order.left
        if passed > 0:
            size = min(passed, order.left) if venue.terms.partial_fills != 0 else order.left
            fill(venue, slot, size, order.ticks, ts_ns, True)
        slot = following


@kernel
def reaches(side: int, own: int, other: int) -> bool:
    """Whether an order at `own` meets a price of the other side."""
    return own >= other if side == BUY else own <= other


@kernel
def cancel(venue: Records, slot: int, ts_ns: int) -> None:
    order = order_at(venue, slot)
    if order.ended_ns == NEVER_NS:
        leave(venue, slot)
        end(venue, slot, CANCELED, ts_ns)
    else:
        venue.counts.too_late += 1
    release(venue, slot)


@kernel
def accept(venue: Records, slot: int, sizes: F64, bid: int, ask: int, ts_ns: int) -> bool:
    """A new order arrives. False, and nothing has happened, where there is no room for its fills."""
    order, terms = order_at(venue, slot), venue.terms
    best = ask if order.side == BUY else bid
    is_there = 0 < best < sizes.size - 1
    if order.kind == MARKET:
        order.cell = best
    crosses = is_there and reaches(order.side, order.cell, best)
    too_low = order.ticks < 1 and terms.negative_prices == 0
    refused = not is_there if order.kind == MARKET else too_low
    if refused:
        end(venue, slot, REJECTED, ts_ns)
    elif crosses and order.kind == POST_ONLY:
        end(venue, slot, EXPIRED, ts_ns)
    elif crosses:
        return take(venue, slot, sizes, best, ts_ns)
    elif order.kind == IMMEDIATE_OR_CANCEL:
        end(venue, slot, EXPIRED, ts_ns)
    else:
        enter(venue, slot, sizes, ts_ns)
    return True


@kernel
def enter(venue: Records, slot: int, sizes: F64, ts_ns: int) -> None:
    """Nothing of the other side is at its price, so what is there is its own side's."""
    order = order_at(venue, slot)
    order.accepted_ns = ts_ns
    order.state = NEW if order.left == order.lots else PARTIALLY_FILLED
    join(order, sizes[order.cell] if 0 < order.cell < sizes.size - 1 else 0.0)
    rest(venue, slot)


@kernel
def take(venue: Records, slot: int, sizes: F64, best: int, ts_ns: int) -> bool:
    """All at the best price; with partial fills, what each level holds in whole lots, and the rest rests or expires."""
    order, terms = order_at(venue, slot), venue.terms
    if terms.partial_fills == 0:
        if not room_for(venue, 1):
            return False
        fill(venue, slot, order.left, terms.base + best, ts_ns, False)
        return True
    if not room_for(venue, levels_taken(order, sizes, best)):
        return False
    step, cell = (1 if order.side == BUY else -1), best
    while order.left > 0 and is_in_reach(order, sizes, cell):
        lots = min(int(sizes[cell]), order.left)
        if lots > 0:
            fill(venue, slot, lots, terms.base + cell, ts_ns, False)
        cell += step
    if order.left > 0 and order.kind == LIMIT:
        enter(venue, slot, sizes, ts_ns)
        order.queue = order.ahead = 0.0
    elif order.left > 0:
        end(venue, slot, EXPIRED, ts_ns)
    return True


@kernel
def levels_taken(order: Records, sizes: F64, best: int) -> int:
    """How many fills it will be."""
    step, cell, left, count = (1 if order.side == BUY else -1), best, order.left, 0
    while left > 0 and is_in_reach(order, sizes, cell):
        lots = int(sizes[cell])
        left -= lots
        count += 1 if lots > 0 else 0
        cell += step
    return count


@kernel
def is_in_reach(order: Records, sizes: F64, cell: int) -> bool:
    if not 0 < cell < sizes.size - 1:
        return False
    return bool(order.kind == MARKET or reaches(order.side, order.cell, cell))
