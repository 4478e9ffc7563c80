"""What a market maker sees and wants, and how what it wants becomes orders and cancels.

A step is called through its address with four pointers, as those of strategies are (`kernels.calls`): its state, a
VIEW, its parameters and WANTED. What it is shown is what had reached us by then.
"""

from typing import Any

import numpy as np

from tradingd.columns import F64
from tradingd.kernels.compile import kernel
from tradingd.kernels.depth_fills import release
from tradingd.kernels.depth_records import (
    BUY,
    IMMEDIATE_OR_CANCEL,
    LIMIT,
    MARKET,
    NEVER_NS,
    NEW,
    PARTIALLY_FILLED,
    PENDING_NEW,
    POST_ONLY,
    SELL,
    fill_at,
    order_at,
    request_at,
)

Records = Any  # a NumPy record array

NO_ORDER = -1
BEYOND = 2**52  # lots and ticks are smaller

# an order of ours as we know it
OWN = np.dtype(
    [
        ("state", "i8"),  # of depth_records, or NO_ORDER; an end is shown once
        ("ticks", "i8"),
        ("lots", "i8"),
        ("left", "i8"),
    ],
    align=True,
)
# What a step sees. Of a side of size 0 the ticks mean nothing. `depth_book.bid_size` and `ask_size` read other levels.
VIEW = np.dtype(
    [
        ("ts_ns", "i8"),  # local time
        ("bid_ticks", "i8"),
        ("bid_lots", "f8"),
        ("ask_ticks", "i8"),
        ("ask_lots", "f8"),
        ("bought", "f8"),  # lots that buyers took since the step before
        ("sold", "f8"),  # and sellers
        ("position", "i8"),  # lots, as far as we have heard
        ("own_bid", OWN),
        ("own_ask", OWN),
        ("base", "i8"),  # the book, for depth_book
        ("cells", "i8"),
        ("bid", "i8"),
        ("ask", "i8"),
        ("sizes", "i8"),
    ],
    align=True,
)
# What it wants. It persists from step to step, but for what is taken.
WANTED = np.dtype(
    [
        ("bid_ticks", "i8"),
        ("bid_lots", "i8"),  # 0: no bid
        ("ask_ticks", "i8"),
        ("ask_lots", "i8"),
        ("post_only", "u1"),  # quotes expire where they would take
        ("requote", "u1"),  # orders are sent anew even where nothing differs
        ("take_lots", "i8"),  # once, at once: to buy, or to sell where it is negative
        ("take_ticks", "i8"),  # at this price or better
        ("take_market", "u1"),  # at any price
    ],
    align=True,
)
# what we know
KNOWN = np.dtype(
    [
        ("position", "i8"),
        ("bought", "f8"),
        ("sold", "f8"),
        ("fill", "i8"),  # the next one to hear of
        ("slot", "i8", 2),  # of the order that stands for the quote, by side, or NO_ORDER
        ("left", "i8", 2),
        ("orders", "i8"),
    ],
    align=True,
)


MAKER = np.dtype(
    [
        ("seen", VIEW),
        ("wanted", WANTED),
        ("known", KNOWN),
        ("step", "i8"),  # addresses
        ("state", "i8"),
        ("params", "i8"),
    ],
    align=True,
)


@kernel
def hear(venue: Records, maker: Records, now_ns: int) -> None:
    """Fills of which the response is here."""
    known, said_ns = maker.known, now_ns - venue.terms.response_latency_ns
    while known.fill < venue.counts.fills and fill_at(venue, known.fill).ts_ns <= said_ns:
        f = fill_at(venue, known.fill)
        known.position += f.lots
        slot = known.slot[f.side]
        if slot != NO_ORDER and order_at(venue, slot).id == f.order:
            known.left[f.side] -= abs(f.lots)
        known.fill += 1


@kernel
def show(venue: Records, maker: Records, book: Records, sizes: F64, now_ns: int) -> None:
    view, known, base = maker.seen, maker.known, venue.terms.base
    view.ts_ns, view.position = now_ns, known.position
    view.bought, view.sold = known.bought, known.sold
    known.bought = known.sold = 0.0
    view.bid, view.ask = book.bid, book.ask
    view.bid_ticks, view.ask_ticks = base + book.bid, base + book.ask
    view.bid_lots = sizes[book.bid] if book.bid > 0 else 0.0
    view.ask_lots = sizes[book.ask] if book.ask < sizes.size - 1 else 0.0
    show_own(venue, known, BUY, view.own_bid, now_ns)
    show_own(venue, known, SELL, view.own_ask, now_ns)


@kernel
def show_own(venue: Records, known: Records, side: int, own: Records, now_ns: int) -> None:
    slot = known.slot[side]
    if slot == NO_ORDER:
        own.state, own.ticks, own.lots, own.left = NO_ORDER, 0, 0, 0
        return
    order = order_at(venue, slot)
    own.state = known_state(order, known.left[side], now_ns - venue.terms.response_latency_ns)
    own.ticks, own.lots, own.left = order.ticks, order.lots, known.left[side]


@kernel
def known_state(order: Records, left: int, said_ns: int) -> int:
    """What the exchange had said by `said_ns`, its time."""
    if order.ended_ns <= said_ns:
        return int(order.state)
    if left < order.lots:
        return PARTIALLY_FILLED
    return NEW if order.accepted_ns <= said_ns else PENDING_NEW


@kernel
def act(venue: Records, maker: Records, now_ns: int) -> bool:
    """Turns what is wanted into requests. False where that is not allowed."""
    wanted, known, view = maker.wanted, maker.known, maker.seen
    if not lawful(wanted):
        return False
    kind = POST_ONLY if wanted.post_only != 0 else LIMIT
    quote(venue, known, view.own_bid.state, BUY, wanted.bid_ticks, wanted.bid_lots, kind, wanted.requote, now_ns)
    quote(venue, known, view.own_ask.state, SELL, wanted.ask_ticks, wanted.ask_lots, kind, wanted.requote, now_ns)
    if wanted.take_lots != 0:
        side = BUY if wanted.take_lots > 0 else SELL
        kind = MARKET if wanted.take_market != 0 else IMMEDIATE_OR_CANCEL
        send(venue, known, side, kind, wanted.take_ticks, abs(wanted.take_lots), now_ns)
        wanted.take_lots = 0
    return True


@kernel
def lawful(wanted: Records) -> bool:
    """No size that is none, no price beyond all prices, no bid that would trade with our own ask."""
    sizes = (0 <= wanted.bid_lots < BEYOND) & (0 <= wanted.ask_lots < BEYOND) & (-BEYOND < wanted.take_lots < BEYOND)
    prices = (-BEYOND < wanted.bid_ticks < BEYOND) & (-BEYOND < wanted.ask_ticks < BEYOND)
    both = (wanted.bid_lots > 0) & (wanted.ask_lots > 0)
    crossed = both & (wanted.bid_ticks >= wanted.ask_ticks)
    return bool(sizes & prices & (-BEYOND < wanted.take_ticks < BEYOND) & (not crossed))


@kernel
def quote(
    venue: Records, known: Records, state: int, side: int, ticks: int, lots: int, kind: int, requote: int, now_ns: int
) -> None:
    """One side: the order that stands for it stays where its price and size are wanted, else another replaces it."""
    slot = known.slot[side]
    if slot != NO_ORDER and state > PARTIALLY_FILLED:
        known.slot[side] = NO_ORDER
        release(venue, slot)
    elif slot != NO_ORDER:
        order = order_at(venue, slot)
        if order.ticks == ticks and order.lots == lots and requote == 0:
            return
        request(venue, slot, 1, now_ns)
        venue.counts.cancels += 1
        known.slot[side] = NO_ORDER  # its hold is now the cancel's
    if lots > 0:
        known.slot[side] = send(venue, known, side, kind, ticks, lots, now_ns)
        known.left[side] = lots
        order_at(venue, known.slot[side]).holds += 1


@kernel
def send(venue: Records, known: Records, side: int, kind: int, ticks: int, lots: int, now_ns: int) -> int:
    slot = venue.free_slot
    order = order_at(venue, slot)
    venue.free_slot = order.next
    venue.free -= 1
    order.id, order.side, order.kind, order.state = known.orders, side, kind, PENDING_NEW
    order.ticks, order.cell = ticks, ticks - venue.terms.base
    order.lots = order.left = lots
    order.queue = order.ahead = order.traded = 0.0
    order.accepted_ns = order.ended_ns = NEVER_NS
    order.holds = 1
    known.orders += 1
    venue.counts.orders += 1
    request(venue, slot, 0, now_ns)
    return int(slot)


@kernel
def request(venue: Records, slot: int, cancels: int, now_ns: int) -> None:
    """Requests arrive in the order in which they were sent."""
    r = request_at(venue, venue.next_request & (venue.requests_room - 1))
    r.ts_ns, r.slot, r.cancels = now_ns + venue.terms.entry_latency_ns, slot, cancels
    venue.next_request += 1
