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

from tradingd.kernels.book import DAY, EXPIRY, MARKET, OPEN, book, charge, equity_units
from tradingd.kernels.calls import code_generator
from tradingd.kernels.compile import constants, kernel
from tradingd.kernels.financing import INSTANT
from tradingd.kernels.orders import decide, replace
from tradingd.kernels.phases import at_open, within
from tradingd.kernels.pointers import float_at, int_at, record_at, set_float
from tradingd.kernels.posting import LOTS_LIMIT, MONEY_LIMIT, notional_units
from tradingd.kernels.signals import DONE, FULL, SIGNAL
from tradingd.kernels.sizing import floor_count, value_of
from tradingd.kernels.spread import reach

Records = Any  # a NumPy record array

OVERFLOW = 3  # beside DONE and FULL
POSTINGS_OF_AN_INSTANT = 3
FILLS_OF_A_BAR = 8  # at most: expiry; of protection, a close, an entry and its protection at the open; the same within
BEFORE, WITHIN = constants(2)  # when in a bar something falls due


@kernel
def trade_bars(columns: Records, instruments: Records, terms: Records, books: Records) -> int:
    """Trades what the signals say, from `books[0].bar` on; after each bar writes equity in whole money.

    All are (1,); columns is of walk.COLUMNS. The arrays of which the book has the addresses: signals, instants, room
    for POSTINGS_OF_AN_INSTANT of each and for fills, equity, and days, of the bars' opens, where entries end with them.
    """
    c, b, t, s = columns[0], books[0], terms[0], instruments[0]
    while b.bar < c.size:
        if b.fills + FILLS_OF_A_BAR > b.fills_size:
            return FULL
        stop = min(next_signal(b, c.size), next_instant(b, c.size))
        b.bar = uneventful(b, t, s, c, b.bar, stop)
        i = b.bar
        if i == c.size:
            break
        # what is not to be done is not called: these are too large to be inlined, and most bars need none of them
        falls_due = b.replacing != 0 or next_instant(b, c.size) == i
        if falls_due:
            hold(b, t, BEFORE, float_at(c.close, max(i - 1, 0)))
        b.room = room_of(t, c, i)
        at_open(b, t, s, float_at(c.open, i), int_at(b.days_at, i) if t.time_in_force == DAY else 0)
        if falls_due:
            hold(b, t, WITHIN, float_at(c.open, i))
        if b.lots != 0 or b.order != 0:
            within(b, t, s, float_at(c.low, i), float_at(c.high, i))
        close = float_at(c.close, i)
        set_float(b.equity_at, i, equity_units(b, t, close) / t.units_per_one)
        if next_signal(b, c.size) == i:
            if b.expired == 0:
                decide(b, t, s, signal_at(b, b.heard), close)
            b.heard += 1
        if b.refused != 0:
            return OVERFLOW
        b.bar = i + 1
    return DONE


@code_generator
def signal_at(_typing: Any, b: Any, number: Any) -> Any:
    """The SIGNAL of a number."""
    return record_at("signals_at", SIGNAL, b, number)


@code_generator
def instant_at(_typing: Any, b: Any, number: Any) -> Any:
    """The INSTANT of a number."""
    return record_at("instants_at", INSTANT, b, number)


@kernel
def next_signal(b: Records, none: int) -> int:
    return int(signal_at(b, b.heard).bar) if b.heard < b.signals_size else none


@kernel
def next_instant(b: Records, none: int) -> int:
    return int(instant_at(b, b.reached).bar) if b.reached < b.instants_size else none


@kernel
def uneventful(b: Records, t: Records, s: Records, c: Records, first: int, stop: int) -> int:
    """Marks the bars from `first` on in which nothing can happen; the first in which something may, `stop` at most."""
    if b.triggered != 0 or b.replacing != 0 or is_due(b, t):
        return first
    down, up = levels(b, s)
    quantity, multiplier, units_per_one = b.quantity, t.multiplier, t.units_per_one
    money = b.balance - b.cost
    open_, high, low, close, equity = c.open, c.high, c.low, c.close, b.equity_at
    for i in range(first, stop):
        opened = float_at(open_, i)
        if min(float_at(low, i), opened) <= down or max(float_at(high, i), opened) >= up:
            return i
        value = np.rint(float_at(close, i) * quantity * multiplier * units_per_one)
        if abs(value) >= MONEY_LIMIT:
            return i
        set_float(equity, i, (money + value) / units_per_one)
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
def hold(b: Records, t: Records, within: int, mark: float) -> None:
    """What falls due BEFORE the open of the bar, of which there is nothing at the first, or WITHIN it."""
    while next_instant(b, -1) == b.bar and instant_at(b, b.reached).within == within:
        due = instant_at(b, b.reached)
        if due.at_close == 0:
            replace(b, t, mark)
        if due.expires != 0:
            settle(b, t, mark)
        else:
            charge(b, t, due, mark)
        b.reached += 1
    replace(b, t, mark)


@kernel
def settle(b: Records, t: Records, mark: float) -> None:
    """Nothing trades any more; what is held is closed at the mark, free of charge."""
    b.expired, b.order, b.turning, b.replacing = 1, 0, 0, 0
    if b.lots != 0:
        quantity = value_of(abs(b.lots), t.lot_num, t.lot_den)
        notional = notional_units(mark, quantity, t.multiplier, t.units_per_one)
        b.phase = OPEN
        book(b, t, -b.lots, mark, notional, 0, EXPIRY, MARKET)


@kernel
def room_of(t: Records, c: Records, bar: int) -> int:
    """Lots of a bar that our orders may fill together."""
    if t.volume_share == 0.0:
        return MONEY_LIMIT
    count = floor_count(float_at(c.volume, bar) * t.volume_share, t.lot_num, t.lot_den)
    return int(max(min(count, float(LOTS_LIMIT)), 0.0))
