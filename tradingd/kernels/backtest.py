"""The kernel engine: one strategy on the bars of one instrument, with the venue, sizing and money of the core.

A bar has three phases, docs/backtesting.md has their rules:

    HOLDING   what fell due since the close is paid, and after OPEN what falls due within the bar
    OPEN      resting protection meets the open, then the order of the decision before; a turn closes, then opens
    INTRABAR  protection meets low and high, the stop first, then an entry that rests, and its stop; margin is looked at
              where the bar was worst
    CLOSE     the mark moves to the close, and what the strategy says there is ordered

Money is whole units and quantities are whole lots, posted by `kernels.posting`; sizes are `kernels.sizing`'s. What the
run knows lives in the records of `kernels.book`, so it goes on where the room for fills has ended.
"""

from typing import Any

import numpy as np

from tradingd.columns import F64, I64
from tradingd.kernels.book import DAY, EXPIRY, MARKET, OPEN, book, charge, equity_units
from tradingd.kernels.compile import kernel
from tradingd.kernels.orders import decide, replace
from tradingd.kernels.phases import at_open, within
from tradingd.kernels.posting import LOTS_LIMIT, MONEY_LIMIT, notional_units
from tradingd.kernels.signals import DONE, FULL
from tradingd.kernels.sizing import floor_count, value_of
from tradingd.kernels.spread import reach

Records = Any  # a NumPy record array

OVERFLOW = 3  # beside DONE and FULL
POSTINGS_OF_AN_INSTANT = 3
FILLS_OF_A_BAR = 8  # at most: expiry; of protection, a close, an entry and its protection at the open; the same within


@kernel
def trade_bars(
    open_: F64,
    high: F64,
    low: F64,
    close: F64,
    volume: F64,
    days: I64,
    signals: Records,
    instruments: Records,
    terms: Records,
    books: Records,
    equity: F64,
    instants: Records,
    postings: Records,
    fills: Records,
) -> int:
    """Trades what the signals say, from `books[0].bar` on; after each bar writes equity in whole money.

    instruments, terms and books are (1,); postings has room for POSTINGS_OF_AN_INSTANT each; days, of the bars' opens,
    are looked at where entries end with them.
    """
    b, t, s = books[0], terms[0], instruments[0]
    while b.bar < close.size:
        if b.fills + FILLS_OF_A_BAR > fills.size:
            return FULL
        stop = min(next_signal(b, signals, close.size), next_instant(b, instants, close.size))
        b.bar = uneventful(b, t, s, b.bar, stop, open_, high, low, close, equity)
        i = b.bar
        if i == close.size:
            break
        # what is not to be done is not called: these are too large to be inlined, and most bars need none of them
        falls_due = b.replacing != 0 or next_instant(b, instants, close.size) == i
        if falls_due:
            hold(b, t, instants, postings, fills, 0, close[i - 1])
        b.room = room_of(t, volume[i])
        at_open(b, t, s, fills, open_[i], days[i] if t.time_in_force == DAY else 0)
        if falls_due:
            hold(b, t, instants, postings, fills, 1, open_[i])
        if b.lots != 0 or b.order != 0:
            within(b, t, s, fills, low[i], high[i])
        equity[i] = equity_units(b, t, close[i]) / t.units_per_one
        if next_signal(b, signals, close.size) == i:
            if b.expired == 0:
                decide(b, t, s, signals[b.heard], close[i])
            b.heard += 1
        if b.refused != 0:
            return OVERFLOW
        b.bar = i + 1
    return DONE


@kernel
def next_signal(b: Records, signals: Records, none: int) -> int:
    return int(signals[b.heard].bar) if b.heard < signals.size else none


@kernel
def next_instant(b: Records, instants: Records, none: int) -> int:
    return int(instants[b.reached].bar) if b.reached < instants.size else none


@kernel
def uneventful(
    b: Records, t: Records, s: Records, first: int, stop: int, open_: F64, high: F64, low: F64, close: F64, equity: F64
) -> int:
    """Marks the bars from `first` on in which nothing can happen; the first in which something may, `stop` at most."""
    if b.triggered != 0 or b.replacing != 0 or is_due(b, t):
        return first
    down, up = levels(b, s)
    quantity, multiplier, units_per_one = b.quantity, t.multiplier, t.units_per_one
    money = b.balance - b.cost
    for i in range(first, stop):
        if min(low[i], open_[i]) <= down or max(high[i], open_[i]) >= up:
            return i
        value = np.rint(close[i] * quantity * multiplier * units_per_one)
        if abs(value) >= MONEY_LIMIT:
            return i
        equity[i] = (money + value) / units_per_one
    return stop


@kernel
def is_due(b: Records, t: Records) -> bool:
    """Whether an order may do something at the next open, wherever that is: be filled or be over."""
    has_price = not np.isnan(b.order_limit) or not np.isnan(b.order_trigger)
    return bool(b.order != 0 and (b.order_rests == 0 or t.time_in_force == DAY or not has_price))


@kernel
def levels(b: Records, s: Records) -> tuple[float, float]:
    """At or beyond which recorded prices protection, margin or an entry that rests may matter, or a stop comes after: a
    spread brings stops nearer."""
    ask, bid = reach(s.to_ask, s.tick_num, s.tick_den), reach(s.to_bid, s.tick_num, s.tick_den)
    near, far = np.fmax(b.stop_px + bid, b.margin_px), np.fmin(b.limit_px, b.stop_px + b.trails_by)
    if b.lots < 0:
        near, far = np.fmax(b.limit_px, b.stop_px - b.trails_by), np.fmin(b.stop_px - ask, b.margin_px)
    if b.lots == 0 or np.isnan(near):
        near = -np.inf
    if b.lots == 0 or np.isnan(far):
        far = np.inf
    if b.order != 0:
        sleeps = not np.isnan(b.order_trigger)
        if sleeps == (b.order > 0):
            far = min(far, b.order_trigger - ask if sleeps else b.order_limit)
        else:
            near = max(near, b.order_trigger + bid if sleeps else b.order_limit)
    return near, far


@kernel
def hold(
    b: Records, t: Records, instants: Records, postings: Records, fills: Records, within: int, mark: float
) -> None:
    """What falls due before the open of the bar, of which there is nothing at the first, or within it."""
    while b.reached < instants.size and instants[b.reached].bar == b.bar and instants[b.reached].within == within:
        if instants[b.reached].at_close == 0:
            replace(b, t, mark)
        if instants[b.reached].expires != 0:
            settle(b, t, fills, mark)
        else:
            charge(b, t, instants[b.reached], postings, mark)
        b.reached += 1
    replace(b, t, mark)


@kernel
def settle(b: Records, t: Records, fills: Records, mark: float) -> None:
    """Nothing trades any more; what is held is closed at the mark, free of charge."""
    b.expired, b.order, b.turning, b.replacing = 1, 0, 0, 0
    if b.lots != 0:
        quantity = value_of(abs(b.lots), t.lot_num, t.lot_den)
        notional = notional_units(mark, quantity, t.multiplier, t.units_per_one)
        book(b, t, fills, -b.lots, mark, notional, 0, EXPIRY, OPEN, MARKET)


@kernel
def room_of(t: Records, volume: float) -> int:
    """Lots of a bar that our orders may fill together."""
    if t.volume_share == 0.0:
        return MONEY_LIMIT
    count = floor_count(volume * t.volume_share, t.lot_num, t.lot_den)
    return int(max(min(count, float(LOTS_LIMIT)), 0.0))
