"""The replay of one instrument's depth and trades against one market maker: two books, two clocks, one pass.

The exchange's book moves at the times of the exchange, ours at the times at which events reached us. They meet in steps
alone: up to each step the exchange runs, with the requests that arrive there, then our book, then the step.
docs/depth.md has the rules. What the run knows lives in records, so it goes on where a room has ended.
"""

from typing import Any

import numpy as np

from tradingd.columns import F64
from tradingd.kernels.calls import address_of, call_step
from tradingd.kernels.compile import kernel
from tradingd.kernels.depth_book import ASK, BID, BUY_TRADE, SELL_TRADE, clear, is_plain, set_ask, set_bid
from tradingd.kernels.depth_fills import room_for
from tradingd.kernels.depth_quotes import act, hear, show
from tradingd.kernels.depth_records import BUY, SELL, request_at
from tradingd.kernels.depth_venue import accept, cancel, fill_reached, fill_traded, level_changed
from tradingd.kernels.posting import MONEY_LIMIT, REFUSED, notional_units
from tradingd.kernels.sizing import value_of

Records = Any  # a NumPy record array

DONE, FULL_FILLS, FULL_ORDERS, OVERFLOW, UNLAWFUL = range(5)  # why it came back
ORDERS_OF_A_STEP = 3  # at most: a bid, an ask, and what is taken

SAMPLE = np.dtype(
    [
        ("ts_ns", "i8"),
        ("position", "i8"),  # lots
        ("balance", "i8"),  # units
        ("equity", "i8"),  # units
        ("mark", "f8"),  # NaN before there was a bid and an ask
    ],
    align=True,
)
# of the next step and sample, and how many samples there are
CLOCK = np.dtype([("step_ns", "i8"), ("sample_ns", "i8"), ("samples", "i8")], align=True)


@kernel
def replay(
    tape: Records,
    theirs: Records,
    their_sizes: F64,
    ours: Records,
    our_sizes: F64,
    venues: Records,
    makers: Records,
    clocks: Records,
    samples: Records,
) -> int:
    """Replays from where the records are to the end.

    tape                 (n,) of EVENT, in order by both clocks
    theirs, ours         (1,) of BOOK: the exchange's and ours, with their sizes
    venues, makers, clocks   (1,) of VENUE, MAKER, CLOCK
    samples              (any,) of SAMPLE
    """
    there, here, venue, maker, clock = theirs[0], ours[0], venues[0], makers[0], clocks[0]
    terms = venue.terms
    while clock.step_ns < terms.end_ns:
        now_ns = clock.step_ns
        reason = run_exchange(tape, there, their_sizes, venue, now_ns)
        if reason != DONE:
            return reason
        if venue.free < ORDERS_OF_A_STEP:
            return FULL_ORDERS
        run_feed(tape, here, our_sizes, maker.known, terms.base, now_ns)
        hear(venue, maker, now_ns)
        show(venue, maker, here, our_sizes, now_ns)
        call_step(maker.step, maker.state, address_of(maker.seen), maker.params, address_of(maker.wanted))
        venue.counts.steps += 1
        if not act(venue, maker, now_ns):
            return UNLAWFUL
        if now_ns >= clock.sample_ns:
            sample(there, their_sizes, venue, clock, samples, now_ns)
            clock.sample_ns = after(clock.sample_ns, terms.sample_ns, now_ns)
        if venue.account.refused != 0:
            return OVERFLOW
        clock.step_ns = next_step(tape, here.row, terms, now_ns)
    reason = run_exchange(tape, there, their_sizes, venue, terms.end_ns)
    if reason != DONE:
        return reason
    sample(there, their_sizes, venue, clock, samples, terms.end_ns)
    return OVERFLOW if venue.account.refused != 0 else DONE


@kernel
def next_step(tape: Records, row: int, terms: Records, now_ns: int) -> int:
    if terms.interval_ns > 0:
        return int(now_ns + terms.interval_ns)
    return int(tape[row].ts_received_ns) if row < tape.size else int(terms.end_ns)


@kernel
def after(first_ns: int, interval_ns: int, now_ns: int) -> int:
    """The first of the times `first_ns` + k `interval_ns` that is after now."""
    return first_ns + ((now_ns - first_ns) // interval_ns + 1) * interval_ns


# --- the exchange -----------------------------------------------------------------------------------------------------


@kernel
def run_exchange(tape: Records, book: Records, sizes: F64, venue: Records, until_ns: int) -> int:
    """Events up to and at `until_ns`, and requests at their times, after the events of the same time."""
    while venue.first_request < venue.next_request:
        r = request_at(venue, venue.first_request & (venue.requests_room - 1))
        if r.ts_ns > until_ns:
            break
        if not play(tape, book, sizes, venue, r.ts_ns):
            return FULL_FILLS
        if r.cancels != 0:
            cancel(venue, r.slot, r.ts_ns)
        elif not accept(venue, r.slot, sizes, book.bid, book.ask, r.ts_ns):
            return FULL_FILLS
        venue.first_request += 1
    return DONE if play(tape, book, sizes, venue, until_ns) else FULL_FILLS


@kernel
def play(tape: Records, book: Records, sizes: F64, venue: Records, until_ns: int) -> bool:
    """Events on the exchange's book and our resting orders. False before an event whose fills have no room."""
    row, bid, ask, low, high, base = book.row, book.bid, book.ask, book.low, book.high, venue.terms.base
    has_room = room_for(venue, venue.resting[BUY] + venue.resting[SELL])
    while row < tape.size and tape[row].ts_event_ns <= until_ns and has_room:
        event = tape[row]
        kind, cell, size = event.kind, event.ticks - base, event.lots
        if is_plain(kind, cell, size, bid, ask):
            if venue.lowest[kind] <= cell <= venue.highest[kind]:
                level_changed(venue, kind, cell, sizes[cell], size)
            sizes[cell] = size
            low, high = min(low, cell), max(high, cell)
        elif kind <= ASK:
            low, high = min(low, cell), max(high, cell)
            bid, ask = set_best(sizes, venue, kind, cell, size, bid, ask, event.ts_event_ns)
            has_room = room_for(venue, venue.resting[BUY] + venue.resting[SELL])
        elif kind == BUY_TRADE:
            if venue.lowest[SELL] <= cell:
                fill_traded(venue, SELL, cell, size, event.ts_event_ns)
                has_room = room_for(venue, venue.resting[BUY] + venue.resting[SELL])
        elif kind == SELL_TRADE:
            if venue.highest[BUY] >= cell:
                fill_traded(venue, BUY, cell, size, event.ts_event_ns)
                has_room = room_for(venue, venue.resting[BUY] + venue.resting[SELL])
        else:
            bid, ask = clear(sizes, low, high)
            low, high = sizes.size - 1, 0
        row += 1
    book.row, book.bid, book.ask, book.low, book.high = row, bid, ask, low, high
    return has_room


@kernel
def set_best(
    sizes: F64, venue: Records, kind: int, cell: int, lots: float, bid: int, ask: int, ts_ns: int
) -> tuple[int, int]:
    """A level at or inside of the best price, or none: the book, then the queue there, then whom a new best reaches."""
    old_bid, old_ask = bid, ask
    is_there = cell <= bid if kind == BID else cell >= ask
    before = sizes[cell] if is_there else 0.0
    if kind == BID:
        bid, ask = set_bid(sizes, cell, lots, bid, ask)
    else:
        bid, ask = set_ask(sizes, cell, lots, bid, ask)
    if venue.lowest[kind] <= cell <= venue.highest[kind]:
        level_changed(venue, kind, cell, before, lots)
    if bid > old_bid and venue.lowest[SELL] <= bid:
        fill_reached(venue, SELL, bid, ts_ns)
    if ask < old_ask and venue.highest[BUY] >= ask:
        fill_reached(venue, BUY, ask, ts_ns)
    return bid, ask


# --- our side ---------------------------------------------------------------------------------------------------------


@kernel
def run_feed(tape: Records, book: Records, sizes: F64, known: Records, base: int, now_ns: int) -> None:
    """Events that have reached us up to and at `now_ns`, on our book."""
    row, bid, ask, low, high = book.row, book.bid, book.ask, book.low, book.high
    while row < tape.size and tape[row].ts_received_ns <= now_ns:
        event = tape[row]
        kind, cell, size = event.kind, event.ticks - base, event.lots
        if is_plain(kind, cell, size, bid, ask):
            sizes[cell] = size
            low, high = min(low, cell), max(high, cell)
        elif kind == BID:
            bid, ask = set_bid(sizes, cell, size, bid, ask)
            low, high = min(low, cell), max(high, cell)
        elif kind == ASK:
            bid, ask = set_ask(sizes, cell, size, bid, ask)
            low, high = min(low, cell), max(high, cell)
        elif kind == BUY_TRADE:
            known.bought += size
        elif kind == SELL_TRADE:
            known.sold += size
        else:
            bid, ask = clear(sizes, low, high)
            low, high = sizes.size - 1, 0
        row += 1
    book.row, book.bid, book.ask, book.low, book.high = row, bid, ask, low, high


@kernel
def sample(book: Records, sizes: F64, venue: Records, clock: Records, samples: Records, now_ns: int) -> None:
    """Equity with the position at the middle of the exchange's best bid and ask, or at the last one that there was."""
    account, terms = venue.account, venue.terms
    if book.bid > 0 and book.ask < sizes.size - 1:
        middle = 0.5 * ((terms.base + book.bid) + (terms.base + book.ask))
        account.mark = value_of(middle, terms.tick_num, terms.tick_den)
    s = samples[clock.samples]
    clock.samples += 1
    s.ts_ns, s.position, s.balance, s.mark = now_ns, account.lots, account.balance, account.mark
    s.equity = account.balance
    if account.lots != 0:
        quantity = value_of(float(account.lots), terms.lot_num, terms.lot_den)
        value = notional_units(account.mark, quantity, terms.multiplier, terms.units_per_one)
        s.equity = account.balance + value - account.cost
        if value == REFUSED or abs(s.equity) >= MONEY_LIMIT:
            account.refused = 1
