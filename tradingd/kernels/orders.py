"""What a decision makes of the order and the protection of the kernel engine."""

from typing import Any

import numpy as np

from tradingd.kernels.book import equity_units
from tradingd.kernels.compile import kernel
from tradingd.kernels.posting import LOTS_LIMIT
from tradingd.kernels.sizing import value_of, wanted_lots
from tradingd.kernels.slots import on_tick, same

Records = Any  # a NumPy record array


@kernel
def replace(b: Records, t: Records, mark: float) -> None:
    """An order of an older decision is gone just after the close, and only then the new one is sized."""
    if b.replacing != 0:
        b.replacing = 0
        place(b, t, mark)


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
