"""The kernel engine: one strategy on the bars of one instrument, with the venue, sizing and money of the core.

A bar has three phases, docs/backtesting.md has their rules:

    HOLDING   what fell due since the close is paid, and after OPEN what falls due within the bar
    OPEN      resting protection meets the open, then the order of the decision before; a turn closes, then opens
    INTRABAR  protection meets low and high, the stop first, then an entry that rests, and its stop; margin is looked at
              where the bar was worst
    CLOSE     the mark moves to the close, and what the strategy says there is ordered

Money is whole units and quantities are whole lots, posted by `kernels.posting`; sizes are `kernels.sizing`'s. What the
run knows lives in the records declared here, so it goes on where the room for fills has ended.
"""

from typing import Any

import numpy as np

from tradingd.columns import F64, I64
from tradingd.kernels.compile import kernel
from tradingd.kernels.financing import BORROW, FUNDING, INTEREST, borrow_change, funding_change, interest_change
from tradingd.kernels.posting import LOTS_LIMIT, MONEY_LIMIT, REFUSED, fee_units, notional_units, post_fill
from tradingd.kernels.signals import DONE, FULL
from tradingd.kernels.sizing import ceil_count, floor_count, nearest_count, value_of, wanted_lots
from tradingd.kernels.slots import on_tick, same
from tradingd.kernels.spread import quoted, reach

Records = Any  # a NumPy record array

OVERFLOW = 3  # beside DONE and FULL
OPEN, INTRABAR = range(2)  # when a fill was; at the close nothing is filled
DECISION, STOP_LOSS, TAKE_PROFIT, LIQUIDATION, EXPIRY = range(5)  # why an order was there
POSTINGS_OF_AN_INSTANT = 3
GTC, DAY, IOC = range(3)
MARKET, TAKER, MAKER = range(3)  # as what an order traded: without a limit, or at its limit, at once or having rested
FILLS_OF_A_BAR = 8  # at most: expiry; of protection, a close, an entry and its protection at the open; the same within

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
        ("heard", "i8"),  # signals so far
        ("fills", "i8"),
        ("reached", "i8"),  # instants so far
        ("postings", "i8"),
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
        hold(b, t, instants, postings, fills, 0, close[i - 1])
        b.room = room_of(t, volume[i])
        at_open(b, t, s, fills, open_[i], days[i] if t.time_in_force == DAY else 0)
        hold(b, t, instants, postings, fills, 1, open_[i])
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


# --- holding ----------------------------------------------------------------------------------------------------------


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
def replace(b: Records, t: Records, mark: float) -> None:
    """An order of an older decision is gone just after the close, and only then the new one is sized."""
    if b.replacing != 0:
        b.replacing = 0
        place(b, t, mark)


@kernel
def settle(b: Records, t: Records, fills: Records, mark: float) -> None:
    """Nothing trades any more; what is held is closed at the mark, free of charge."""
    b.expired, b.order, b.turning, b.replacing = 1, 0, 0, 0
    if b.lots != 0:
        quantity = value_of(abs(b.lots), t.lot_num, t.lot_den)
        book(
            b,
            t,
            fills,
            -b.lots,
            mark,
            notional_units(mark, quantity, t.multiplier, t.units_per_one),
            0,
            EXPIRY,
            OPEN,
            MARKET,
        )


@kernel
def charge(b: Records, t: Records, at: Records, postings: Records, mark: float) -> None:
    """Interest is of what the others leave."""
    value = value_units(b, t, mark) if b.lots != 0 else 0
    if value == REFUSED:
        b.refused = 1
        return
    if at.is_midnight != 0 and b.lots < 0:
        post(b, t, postings, BORROW, borrow_change(value, t.borrow_rate))
    post(b, t, postings, FUNDING, funding_change(value, at.funding_rate))
    if at.is_midnight != 0:
        spent = b.cost if t.is_paid != 0 and b.lots > 0 else 0
        post(b, t, postings, INTEREST, interest_change(b.balance - spent, t.interest_rate, t.debit_rate))


@kernel
def post(b: Records, t: Records, postings: Records, kind: int, change: int) -> None:
    """Changes the balance without a fill."""
    if change == 0:
        return
    if change == REFUSED or abs(b.balance + change) >= MONEY_LIMIT:
        b.refused = 1
        return
    b.balance += change
    b.margin_px = margin_price(b, t)
    p = postings[b.postings]
    p.bar, p.kind, p.change = b.bar, kind, change
    b.postings += 1


# --- phases -----------------------------------------------------------------------------------------------------------


@kernel
def room_of(t: Records, volume: float) -> int:
    """Lots of a bar that our orders may fill together."""
    if t.volume_share == 0.0:
        return MONEY_LIMIT
    count = floor_count(volume * t.volume_share, t.lot_num, t.lot_den)
    return int(max(min(count, float(LOTS_LIMIT)), 0.0))


@kernel
def at_open(b: Records, t: Records, s: Records, fills: Records, price: float, day: int) -> None:
    """Protection was there first. A turn opens when what it closes is closed."""
    meet_open(b, t, s, fills, price, True)
    follow(b, t, s, met(price, -b.lots, s))
    if b.order_rests != 0 and b.order_day != day:
        b.order = 0
    if b.order != 0 and b.order_opens != 0:
        enter_at_open(b, t, s, fills, price, day)
    elif b.order != 0:
        reduce_at_open(b, t, s, fills, price)
    if b.turning != 0 and b.order == 0:
        b.turning = 0
        turn(b, t, s, fills, price, day)


@kernel
def reduce_at_open(b: Records, t: Records, s: Records, fills: Records, price: float) -> None:
    """As far as there is room; the rest waits for the next open, and ends with what there is to reduce."""
    order = reducible(b.lots, b.order)
    part = at_most(order, b.room)
    b.order = order - part
    if part != 0:
        b.traded = 1
        fill(b, t, s, fills, part, taken(met(price, part, s), part, t, s), DECISION, OPEN, MARKET)


@kernel
def turn(b: Records, t: Records, s: Records, fills: Records, price: float, day: int) -> None:
    """The other half: sized anew, by the decision's price and the equity after what was closed."""
    b.order = wanted(b, t, price) - b.lots
    b.order_opens = 1
    if b.order != 0:
        equip(b)
        enter_at_open(b, t, s, fills, price, day)


@kernel
def enter_at_open(b: Records, t: Records, s: Records, fills: Records, price: float, day: int) -> None:
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
        enter(b, t, s, fills, taken(asked, b.order, t, s), OPEN, MARKET)
    elif (asked - b.order_limit) * side > 0.0:
        rest(b, t)
    elif b.order_rests != 0:
        enter(b, t, s, fills, b.order_limit, OPEN, MAKER)
    else:
        enter(b, t, s, fills, on_grid(asked, b.order, t, s, 0.0), OPEN, TAKER)
    if begins and b.order_traded != 0:
        meet_open(b, t, s, fills, price, False)


@kernel
def rest(b: Records, t: Records) -> None:
    """After its first opportunity."""
    b.order_rests = 1
    if t.time_in_force == IOC:
        b.order = 0


@kernel
def enter(b: Records, t: Records, s: Records, fills: Records, price: float, phase: int, how: int) -> None:
    """As far as there is room. The first fill brings the newest decision's protection, and what that does not have as
    the order has it."""
    part, begins = at_most(b.order, b.room), b.order_traded == 0
    b.order -= part
    rest(b, t)
    if part == 0:
        return
    b.traded = b.order_traded = 1
    fill(b, t, s, fills, part, price, DECISION, phase, how)
    if begins:
        stop, take_profit = or_else(b.stop, b.order_stop), or_else(b.take_profit, b.order_take_profit)
        protect(b, t, s, stop, take_profit, or_else(b.trail, b.order_trail), price)


@kernel
def at_most(lots: int, room: int) -> int:
    return max(min(lots, room), -room)


@kernel
def meet_open(b: Records, t: Records, s: Records, fills: Records, price: float, rested: bool) -> None:
    """A gap beyond the stop fills at the open; beyond a take profit that rested there at its own price, beyond one that
    came with the open at the open."""
    side = np.sign(b.lots)
    price = met(price, -b.lots, s)
    if side != 0 and (b.triggered != 0 or (price - b.stop_px) * side <= 0.0):
        b.triggered = 1
        leave(b, t, s, fills, taken(price, -b.lots, t, s), STOP_LOSS, OPEN, MARKET)
    elif side != 0 and (price - b.limit_px) * side >= 0.0:
        limit = b.limit_px if rested else on_grid(price, -b.lots, t, s, 0.0)
        leave(b, t, s, fills, limit, TAKE_PROFIT, OPEN, MAKER if rested else TAKER)


@kernel
def within(b: Records, t: Records, s: Records, fills: Records, low: float, high: float) -> None:
    """What protects, then what enters, then margin. What trails comes after the best price where nothing is entered."""
    if b.lots != 0:
        protected_within(b, t, s, fills, low, high)
    if b.order == 0 or b.order_opens == 0 or not enter_within(b, t, s, fills, low, high):
        follow(b, t, s, met(high if b.lots > 0 else low, -b.lots, s))
    if b.lots != 0:
        liquidated_within(b, t, s, fills, low if b.lots > 0 else high)


@kernel
def protected_within(b: Records, t: Records, s: Records, fills: Records, low: float, high: float) -> None:
    """Where stop and take profit are both inside the bar, the stop was first."""
    worst, best = (low, high) if b.lots > 0 else (high, low)
    side = np.sign(b.lots)
    if (met(worst, -b.lots, s) - b.stop_px) * side <= 0.0:
        b.triggered = 1
        leave(b, t, s, fills, taken(b.stop_px, -b.lots, t, s), STOP_LOSS, INTRABAR, MARKET)
    elif (met(best, -b.lots, s) - b.limit_px) * side >= 0.0:
        leave(b, t, s, fills, b.limit_px, TAKE_PROFIT, INTRABAR, MAKER)


@kernel
def leave(b: Records, t: Records, s: Records, fills: Records, price: float, reason: int, phase: int, how: int) -> None:
    """Protection closes what there is room for."""
    lots = at_most(-b.lots, b.room)
    if lots != 0:
        end_entry(b)
        fill(b, t, s, fills, lots, price, reason, phase, how)


@kernel
def end_entry(b: Records) -> None:
    """The exit has begun: what is left of an order that opened the position does not open it again."""
    if b.order_opens != 0 and b.order_traded != 0:
        b.order = 0


@kernel
def enter_within(b: Records, t: Records, s: Records, fills: Records, low: float, high: float) -> bool:
    """Whether it did. A stop with a limit trades at its trigger where the limit allows that; else it rests."""
    order, trigger, limit, before = b.order, b.order_trigger, b.order_limit, b.fills
    side, begins = np.sign(order), b.order_traded == 0
    worst, best = met(high if order > 0 else low, order, s), met(low if order > 0 else high, order, s)
    if np.isnan(trigger):
        if (best - limit) * side <= 0.0:
            enter(b, t, s, fills, limit, INTRABAR, MAKER)
    elif (worst - trigger) * side >= 0.0:
        b.order_trigger = np.nan
        if np.isnan(limit):
            enter(b, t, s, fills, taken(trigger, order, t, s), INTRABAR, MARKET)
        elif (trigger - limit) * side <= 0.0:
            enter(b, t, s, fills, on_grid(trigger, order, t, s, 0.0), INTRABAR, TAKER)
        else:
            rest(b, t)
    if b.fills == before:
        return False
    if begins:
        stop_what_entered(b, t, s, fills, low, high)
    return True


@kernel
def stop_what_entered(b: Records, t: Records, s: Records, fills: Records, low: float, high: float) -> None:
    """Of the range, what lies beyond the entry may have come after it; what it meets there is on the other side of the
    spread."""
    side = np.sign(b.lots)
    spread = side * (s.to_ask + s.to_bid) / 2.0
    entered = value_of(nearest_count(fills[b.fills - 1].price, s.tick_num, s.tick_den) - spread, s.tick_num, s.tick_den)
    bottom, top = met(low, -b.lots, s), met(high, -b.lots, s)
    if ((bottom if side > 0 else top) - b.stop_px) * side <= 0.0:
        b.triggered = 1
        price = min(b.stop_px, entered, top) if side > 0 else max(b.stop_px, entered, bottom)
        leave(b, t, s, fills, taken(price, -b.lots, t, s), STOP_LOSS, INTRABAR, MARKET)


@kernel
def follow(b: Records, t: Records, s: Records, best: float) -> None:
    """A stop that trails comes after the best price, and never goes back."""
    if b.lots != 0 and b.triggered == 0 and not np.isnan(b.trails_by):
        b.stop_px = tighter(b.stop_px, behind(best, b, t, s), b.lots)


@kernel
def behind(price: float, b: Records, t: Records, s: Records) -> float:
    """Where a stop that trails is, from a price; at least a tick where prices have to be."""
    level = on_tick(price - np.sign(b.lots) * b.trails_by, s)
    return level if t.negative_prices != 0 else max(level, value_of(1.0, s.tick_num, s.tick_den))


@kernel
def tighter(level: float, other: float, lots: int) -> float:
    """NaN is none."""
    return float(np.fmax(level, other) if lots > 0 else np.fmin(level, other))


@kernel
def liquidated_within(b: Records, t: Records, s: Records, fills: Records, worst: float) -> None:
    is_near = (worst - b.margin_px) * np.sign(b.lots) <= 0.0
    if is_near and equity_units(b, t, worst) < maintenance_units(b, t, worst):
        liquidate(b, t, s, fills, worst)


@kernel
def liquidate(b: Records, t: Records, s: Records, fills: Records, price: float) -> None:
    """All that no order closes already, whatever the room."""
    closing = reducible(b.lots, b.order) if b.order_opens == 0 else 0
    lots = -b.lots - closing
    if lots != 0:
        end_entry(b)
        fill(b, t, s, fills, lots, taken(met(price, lots, s), lots, t, s), LIQUIDATION, INTRABAR, MARKET)


@kernel
def decide(b: Records, t: Records, s: Records, told: Records, price: float) -> None:
    """What the strategy now wants becomes a decision where it says something new, as `strategies.combine` has it."""
    target = 0.0
    if told.confidence > 0.0:
        target = told.confidence * (told.target * t.allocation) / told.confidence + 0.0
    stop, take_profit, trail = told.stop, told.take_profit, told.trail
    limit, trigger = told.limit, told.trigger
    if target == 0.0:
        stop = take_profit = trail = limit = trigger = np.nan
    if b.decided == 0 and target == 0.0:
        return
    anew = b.decided == 0 or target != b.target
    is_repriced = not same(limit, b.limit) or not same(trigger, b.trigger)
    is_moved = not same(stop, b.stop) or not same(take_profit, b.take_profit) or not same(trail, b.trail)
    if not anew and not is_repriced and not is_moved:
        return
    b.decided, b.target, b.price, b.stop, b.take_profit = 1, target, price, stop, take_profit
    b.limit, b.trigger, b.trail = limit, trigger, trail
    if anew:
        b.traded = 0
    if b.order != 0 and (anew or (is_repriced and b.order_opens != 0)):
        b.order, b.turning, b.replacing = 0, 0, 1
    elif b.order == 0 and (anew or (is_repriced and b.traded == 0)):
        place(b, t, price)
    if b.lots * target > 0.0:
        protect(b, t, s, b.stop, b.take_profit, b.trail, price)


@kernel
def place(b: Records, t: Records, price: float) -> None:
    """The next order to the target; a turn to the other side closes first."""
    size = wanted(b, t, price)
    goal = 0 if size * np.sign(b.lots) < 0 else size
    b.order = goal - b.lots
    b.order_opens = 1 if abs(goal) > abs(b.lots) else 0
    b.turning = 1 if b.order != 0 and b.target * b.lots < 0.0 else 0
    if b.order != 0:
        equip(b)


@kernel
def equip(b: Records) -> None:
    """A new order as the newest decision has it."""
    b.traded = b.order_traded = b.order_rests = 0
    b.order_limit, b.order_trigger = b.limit, b.trigger
    b.order_stop, b.order_take_profit, b.order_trail = b.stop, b.take_profit, b.trail


# --- orders and money -------------------------------------------------------------------------------------------------


@kernel
def wanted(b: Records, t: Records, mark: float) -> int:
    price = or_else(b.limit, or_else(b.trigger, b.price))
    at_risk = or_else(abs(price - b.stop), or_else(b.trail, 0.0)) if t.risk_per_trade > 0.0 else 0.0
    count = wanted_lots(
        equity_units(b, t, mark), t.units_per_one, b.target, price, at_risk, mark, t.risk_per_trade, t.max_leverage,
        0.0, 0.0, t.initial_rate, t.multiplier, t.lot_num, t.lot_den,
    )  # fmt: skip
    if not abs(count) < LOTS_LIMIT:
        b.refused = 1
        return 0
    return int(count)


@kernel
def protect(b: Records, t: Records, s: Records, stop: float, take_profit: float, trail: float, price: float) -> None:
    """The whole position; NaN leaves what rests, and nothing moves a stop that was reached. Another trail begins at the
    price, and loosens nothing."""
    if b.lots == 0:
        return
    b.limit_px = or_else(take_profit, b.limit_px)
    if b.triggered != 0:
        return
    level = b.stop_px if not np.isnan(b.trails_by) else np.nan
    b.stop_px = or_else(stop, b.stop_px)
    if not np.isnan(level):
        b.stop_px = tighter(b.stop_px, level, b.lots)
    if not np.isnan(trail) and trail != b.trails_by:
        b.trails_by = trail
        follow(b, t, s, price)


@kernel
def or_else(price: float, other: float) -> float:
    return other if np.isnan(price) else price


@kernel
def reducible(lots: int, order: int) -> int:
    """What of an order brings the position nearer to zero."""
    if lots > 0 > order:
        return max(order, -lots)
    if lots < 0 < order:
        return min(order, -lots)
    return 0


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
    fills: Records,
    order: int,
    price: float,
    reason: int,
    phase: int,
    how: int,
) -> None:
    """A fill at the venue's commission."""
    quantity = value_of(abs(order), t.lot_num, t.lot_den)
    notional = notional_units(price, quantity, t.multiplier, t.units_per_one)
    rate = t.maker_rate if how == MAKER else t.taker_rate
    fee = fee_units(notional, quantity, rate, t.per_unit, t.minimum, t.units_per_one)
    book(b, t, fills, order, price, notional, fee, reason, phase, how)


@kernel
def book(
    b: Records,
    t: Records,
    fills: Records,
    order: int,
    price: float,
    notional: int,
    fee: int,
    reason: int,
    phase: int,
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
    f = fills[b.fills]
    f.bar, f.lots, f.price, f.fee, f.realized = b.bar, order, price, fee, realized
    f.position, f.balance, f.phase, f.reason = lots, b.balance, phase, reason
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
