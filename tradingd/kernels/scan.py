"""The scan: one pass over a batch of ticks that returns to Python only at the next row that matters.

It keeps the market, closes bars, steps compiled strategies and watches prices. Everything it knows lives in the record
arrays declared here and in `slots`, so a snapshot is their bytes and a batch may be cut anywhere without changing what
comes out.

A row goes through six stages; a return to Python leaves `stage` at the one to go on with:

    BEGIN     take the row's position and core time
    GRACE     close the bars whose close + grace has passed          -> CHANGED
    TIMERS    orders arrive, days roll                               -> TIMER
    MARKET    write last, bid and ask; does a resting order care?    -> TOUCH
    WATCH     does the account still stand above its floors?         -> BREACH
    BARS      close bars by event time (`closing`), add the tick     -> CHANGED

A bar of a source without ticks is three rows: its open, all that happened within, its close. Much time lies between
them, so timers stop at their own time there and not at that of the row; what an open brings about is over before the
range is looked at. Equity is looked at once, with each position at the worst price of its bar.
"""

from typing import Any

import numpy as np
from numba import carray

from tradingd.columns import (
    BAR,
    BAR_CLOSE,
    BAR_OPEN,
    BAR_RANGE,
    F64,
    FRAME,
    I64,
    INELIGIBLE,
    QUOTE,
    TRADE,
    U8,
    U16,
    BarArray,
)
from tradingd.kernels.bars import WORK, bar_add, bar_start
from tradingd.kernels.calls import OUT, WISH
from tradingd.kernels.closing import NEVER, TIMEFRAME_COUNT, borders, close_bars, close_overdue
from tradingd.kernels.compile import kernel, lean_kernel
from tradingd.kernels.pointers import pointer_to
from tradingd.kernels.slots import SLOT
from tradingd.kernels.spread import quoted

Records = Any  # a NumPy record array

DONE, TIMER, TOUCH, BREACH, CHANGED, FULL = range(6)
BEGIN, GRACE, TIMERS, MARKET, WATCH, BARS = range(6)
BAR_OPENED, BAR_CLOSED = 1, 2  # from the open of a bar to its range; from its close to the next open
NO_PARENT = 255
MOMENT = 7  # kind of a row that only lets time pass, in the steps of its timers, as the rows of a bar do
ROUNDED_UNITS = 2.0

# where the scan stands
CURSOR = np.dtype(
    [
        ("seq", "i8"),  # of the row in hand
        ("n", "i8"),  # facts made so far at that seq
        ("core_ns", "i8"),  # running maximum of receive times
        ("late", "i8"),  # rows used in the output; core.turn reads the fields up to here by their order
        ("row", "i8"),
        ("stage", "i8"),
        ("bars", "i8"),  # rows used in the output
        ("bar_due_ns", "i8"),  # the earliest close + grace of all bars in progress, or earlier
        ("timer_ns", "i8"),  # the earliest timer of the Python side
        ("grace_ns", "i8"),
    ],
    align=True,
)
# what the scan keeps per instrument
INSTRUMENT = np.dtype(
    [
        ("by_mid", "u1"),  # price source: 1 = mid of quotes, 0 = trades
        ("base", "u1"),  # finest timeframe in use
        ("active", "u1", (TIMEFRAME_COUNT,)),  # timeframes in use
        ("parent", "u1", (TIMEFRAME_COUNT,)),  # the finer timeframe that feeds this one
        ("open_s", "i8"),
        ("length_s", "i8"),
        ("zone_start", "i8"),  # its transitions in the zone arrays
        ("zone_stop", "i8"),
        ("tick_num", "f8"),  # tick size as a fraction
        ("tick_den", "f8"),
        ("closed_ns", "i8"),  # ts_close of the newest closed bar
        ("touch_low", "f8"),
        ("touch_high", "f8"),
        ("account", "i8"),
        ("exposure", "f8"),  # money units per 1.0 of price: signed lots x lot size x multiplier x units
        ("maintenance", "f8"),  # rate
        ("mark", "f8"),
        ("waiting", "u1"),  # a decision waits until orders for an older one have ended
        ("traded", "u1"),  # something of the newest order of a decision
        ("refused", "i8"),  # orders that reduce, since the newest decision or fill
        ("retry_ns", "i8"),  # core time at which they are asked for again
        ("to_ask", "f8"),  # from a recorded price, in halves of a tick
        ("to_bid", "f8"),
        ("limited", "u1"),  # the venue looks at every open: the volume of the bar limits what is filled in it
        ("opened", "u1"),  # of a source without ticks: BAR_OPENED, BAR_CLOSED, or 0 in between and elsewhere
    ],
    align=True,
)
# estimates per account that say when Python has to look
WATCHED = np.dtype(
    [("equity", "f8"), ("required", "f8"), ("peak", "f8"), ("floor", "f8"), ("drawdown", "f8")], align=True
)
# of the arrays that outlive a batch, as `scan_rows` takes them
KINDS = (
    CURSOR, INSTRUMENT, WORK, WATCHED, SLOT, np.int64, np.int64, WISH, OUT, np.int64, BAR, OUT, *[np.int64] * 2,
    *[np.float64] * 6, *[np.int64] * 2, BAR, *[np.int64] * 3,
)  # fmt: skip


def places_of(*arrays: Any) -> I64:
    """Where the arrays lie and how long they are: the scan is called again after every stop, and Python hands over
    arrays one by one. They have to outlive every use of it."""
    assert all(a.dtype == kind and a.flags.c_contiguous for a, kind in zip(arrays, KINDS, strict=True))
    return np.array([(a.ctypes.data, len(a)) for a in arrays], np.int64)


@kernel
def array_at(place: I64, kind: Any) -> Any:
    return carray(pointer_to(place[0]), (place[1],), kind)


@kernel
def rows_at(place: I64, columns: int, kind: Any) -> Any:
    return carray(pointer_to(place[0]), (place[1], columns), kind)


@kernel
def scan(
    places: I64,
    kind: U8,
    flags: U8,
    instrument: U16,
    ts_event_ns: I64,
    ts_received_ns: I64,
    price: F64,
    size: F64,
    ask_price: F64,
    ask_quantity: F64,
    first_seq: int,
) -> int:
    """Goes on from the cursor to the next row of a batch that matters; returns why it stopped. `places` is of all that
    outlives a batch, in the order of the arguments below."""
    return scan_rows(
        array_at(places[0], CURSOR), array_at(places[1], INSTRUMENT), rows_at(places[2], TIMEFRAME_COUNT, WORK),
        array_at(places[3], WATCHED), array_at(places[4], SLOT), array_at(places[5], np.int64),
        rows_at(places[6], 3, np.int64), array_at(places[7], WISH), array_at(places[8], OUT),
        array_at(places[9], np.int64), array_at(places[10], BAR), array_at(places[11], OUT),
        array_at(places[12], np.int64), array_at(places[13], np.int64), array_at(places[14], np.float64),
        array_at(places[15], np.float64), array_at(places[16], np.float64), array_at(places[17], np.float64),
        array_at(places[18], np.float64), array_at(places[19], np.float64), array_at(places[20], np.int64),
        array_at(places[21], np.int64), array_at(places[22], BAR), array_at(places[23], np.int64),
        array_at(places[24], np.int64), rows_at(places[25], 5, np.int64),
        kind, flags, instrument, ts_event_ns, ts_received_ns, price, size, ask_price, ask_quantity, first_seq,
    )  # fmt: skip


@lean_kernel
def scan_rows(
    cursor: Records,
    instruments: Records,
    work: Records,
    watched: Records,
    slots: Records,
    slot_of: I64,
    steps: I64,
    wishes: Records,
    told: Records,
    leg_slots: I64,
    leg_bars: BarArray,
    leg_outs: Records,
    zone_from_ns: I64,
    zone_offset_s: I64,
    last: F64,
    last_size: F64,
    bid: F64,
    bid_size: F64,
    ask: F64,
    ask_size: F64,
    received_ns: I64,
    phase: I64,
    bars: BarArray,
    bar_seq: I64,
    bar_n: I64,
    late: I64,
    kind: U8,
    flags: U8,
    instrument: U16,
    ts_event_ns: I64,
    ts_received_ns: I64,
    price: F64,
    size: F64,
    ask_price: F64,
    ask_quantity: F64,
    first_seq: int,
) -> int:
    """The scan itself, by the arrays: those that outlive a batch, then the columns of the batch."""
    c = cursor[0]
    rows = kind.size
    room = bars.size - instruments.size * TIMEFRAME_COUNT - TIMEFRAME_COUNT
    while c.row < rows:
        i = c.row
        k = int(instrument[i])
        if c.stage == BEGIN:
            if c.bars > room or c.late >= len(late):
                return FULL
            c.seq = first_seq + i
            c.n = 0
            if kind[i] < BAR_OPEN or c.core_ns == 0:  # before the first row there is no time to pass
                c.core_ns = max(c.core_ns, ts_received_ns[i])
            c.stage = GRACE
        if c.stage == GRACE:
            c.stage = TIMERS
            if c.core_ns >= c.bar_due_ns:
                changed = close_overdue(
                    c, instruments, work, slots, slot_of, steps, wishes, told, leg_slots, leg_bars, leg_outs,
                    zone_from_ns, zone_offset_s, bars, bar_seq, bar_n,
                )  # fmt: skip
                if changed:
                    return CHANGED
        if c.stage == TIMERS:
            if kind[i] >= BAR_OPEN:  # what is due with a close comes after it: a day begins with its price
                before_ns = ts_received_ns[i] - 1 if kind[i] == BAR_CLOSE else ts_received_ns[i]
                c.core_ns = max(c.core_ns, min(before_ns, c.timer_ns))
            if c.core_ns >= c.timer_ns:
                return TIMER
            c.core_ns = max(c.core_ns, ts_received_ns[i])
            c.stage = MARKET
        if kind[i] == FRAME or kind[i] == MOMENT:
            c.row += 1
            c.stage = BEGIN
            continue
        s = instruments[k]
        if kind[i] >= BAR_OPEN:
            if c.stage == MARKET:
                received_ns[k], phase[k] = ts_received_ns[i], kind[i]
                low, high = tell_bar(kind[i], k, price[i], ask_price[i], s, last, bid, bid_size, ask, ask_size)
                c.stage = WATCH
                if low <= s.touch_low or high >= s.touch_high:
                    return TOUCH
            if c.stage == WATCH:
                c.stage = BARS
                if s.exposure != 0.0 and kind[i] == BAR_OPEN and not np.isnan(s.mark):
                    move_mark(s, watched, last[k])
                elif s.exposure != 0.0 and breached(s, watched, last[k]):
                    return BREACH
            c.row += 1
            c.stage = BEGIN
            base = work[k, s.base]
            made_of_bars = base.trades == 0 or base.ts_close == NEVER
            if kind[i] == BAR_OPEN and ts_event_ns[i] >= s.closed_ns and made_of_bars:
                bar_start(base, ts_event_ns[i], NEVER, price[i], 0.0)
            elif kind[i] == BAR_OPEN or base.trades == 0 or not made_of_bars:
                tell_late(c, late, k, s)
            elif kind[i] == BAR_RANGE:
                base.low, base.high = price[i], ask_price[i]
            else:
                base.ts_close, base.close, base.volume, base.notional = ts_event_ns[i], price[i], size[i], np.nan
                zone = zone_from_ns[s.zone_start : s.zone_stop]
                offsets = zone_offset_s[s.zone_start : s.zone_stop]
                if close_bars(
                    c, k, instruments, base.ts_close, work, slots, slot_of, steps, wishes, told, leg_slots, leg_bars,
                    leg_outs, zone, offsets, bars, bar_seq, bar_n,
                ):  # fmt: skip
                    return CHANGED
            continue
        eligible = flags[i] & INELIGIBLE == 0
        if c.stage == MARKET:
            low, high = np.inf, -np.inf
            received_ns[k] = ts_received_ns[i]
            if eligible and kind[i] == QUOTE:
                tell_side(bid, bid_size, k, price[i], size[i])
                tell_side(ask, ask_size, k, ask_price[i], ask_quantity[i])
                low = ask[k] if np.isnan(bid[k]) else bid[k]
                high = bid[k] if np.isnan(ask[k]) else ask[k]
                if s.by_mid == 1 and not np.isnan(bid[k] + ask[k]):
                    last[k] = (bid[k] + ask[k]) * 0.5
            elif eligible:
                low = high = price[i]
                last_size[k] = size[i]
                if s.by_mid == 0:
                    last[k] = price[i]
            c.stage = WATCH
            if low <= s.touch_low or high >= s.touch_high:
                return TOUCH
        x, z = price[i], size[i]
        counts = eligible and kind[i] == TRADE
        if s.by_mid == 1:
            x, z = last[k], 0.0
            counts = eligible and kind[i] == QUOTE and not np.isnan(bid[k] + ask[k])
        if c.stage == WATCH:
            c.stage = BARS
            if counts and s.exposure != 0.0 and x != s.mark and breached(s, watched, x):
                return BREACH
        # BARS
        c.row += 1
        c.stage = BEGIN
        if not counts:
            continue
        t = ts_event_ns[i]
        base = work[k, s.base]
        if base.trades > 0 and base.ts_open <= t < base.ts_close:
            bar_add(base, x, z)
            continue
        if t < s.closed_ns or (base.trades > 0 and t < base.ts_open):
            tell_late(c, late, k, s)
            continue
        zone = zone_from_ns[s.zone_start : s.zone_stop]
        offsets = zone_offset_s[s.zone_start : s.zone_stop]
        changed = close_bars(
            c, k, instruments, t, work, slots, slot_of, steps, wishes, told, leg_slots, leg_bars, leg_outs,
            zone, offsets, bars, bar_seq, bar_n,
        )  # fmt: skip
        opened, closes = borders(s, s.base, t, zone, offsets)
        if t < closes:  # else outside of a day's session
            bar_start(base, opened, closes, x, z)
            c.bar_due_ns = min(c.bar_due_ns, closes + c.grace_ns)
        if changed:
            return CHANGED
    return DONE


@lean_kernel
def tell_bar(
    kind: int,
    k: int,
    price: float,
    high: float,
    s: Records,
    last: F64,
    bid: F64,
    bid_size: F64,
    ask: F64,
    ask_size: F64,
) -> tuple[float, float]:
    """The market at a row of a bar; the lowest and highest price at which resting orders may trade.

    All can be had at the open. Then each position stands at its worst, and nobody trades after the close.
    """
    s.opened = BAR_OPENED if kind == BAR_OPEN else BAR_CLOSED if kind == BAR_CLOSE else 0
    last[k] = price
    if kind == BAR_CLOSE:
        bid[k], bid_size[k], ask[k], ask_size[k] = np.nan, 0.0, np.nan, 0.0
        return np.inf, -np.inf
    top = price if kind == BAR_OPEN else high
    is_told = kind == BAR_OPEN and s.limited == 1
    if s.exposure < 0.0:
        last[k] = top
    bid[k], bid_size[k] = quoted(price, -1, s.to_bid, s.tick_num, s.tick_den), np.nan
    ask[k], ask_size[k] = quoted(top, 1, s.to_ask, s.tick_num, s.tick_den), np.nan
    return (-np.inf, np.inf) if is_told else (price, top)


@lean_kernel
def tell_late(c: Records, late: I64, k: int, s: Records) -> None:
    """A row that is older than the newest closed bar becomes a fact of its own."""
    c.n += 1
    row = late[c.late]
    row[0], row[1], row[2], row[3], row[4] = c.seq, c.n, c.core_ns, k, s.closed_ns
    c.late += 1


@lean_kernel
def tell_side(prices: F64, sizes: F64, k: int, price: float, size: float) -> None:
    """One side of a quote: absent means unchanged, a size of 0 means empty."""
    if not np.isnan(price) or size == 0.0:
        prices[k] = price if size != 0.0 else np.nan
        sizes[k] = size


@lean_kernel
def breached(s: Records, watched: Records, price: float) -> bool:
    """Moves the account's estimates to the new mark; True where a floor is crossed, as far as estimates tell: margin is
    counted in whole units then, and may be short by what they round. True too where there was no mark to move from."""
    if np.isnan(s.mark):
        return True
    move_mark(s, watched, price)
    w = watched[s.account]
    w.peak = max(w.peak, w.equity)
    return bool(w.equity < w.required + ROUNDED_UNITS or w.equity <= w.floor or w.equity <= w.peak * (1.0 - w.drawdown))


@lean_kernel
def move_mark(s: Records, watched: Records, price: float) -> None:
    """All that is held is worth what it is at the new mark, which may be another instrument's row to look at."""
    w = watched[s.account]
    w.equity += s.exposure * (price - s.mark)
    w.required += abs(s.exposure) * s.maintenance * (abs(price) - abs(s.mark))
    s.mark = price
