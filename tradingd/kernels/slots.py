"""A strategy and its exits on a closed bar: stepped, put on the grid, and compared with what was last told.

A strategy of several instruments has a slot for each, its legs. It is stepped once all of them have a bar of the same
close; bars without such partners it never sees.
"""

from typing import Any

import numpy as np

from tradingd.columns import I64, BarArray
from tradingd.kernels.calls import FAILED, address_of, apply_exits, call_step, copy_out
from tradingd.kernels.compile import lean_kernel

Records = Any  # a NumPy record array

CONFIDENCE_BUCKETS = 10

# one strategy on one instrument
SLOT = np.dtype(
    [
        ("instrument", "i8"),
        ("timeframe", "i8"),
        ("python", "i8"),  # 1: its own step runs in Python
        ("steps_start", "i8"),  # addresses of its step (where compiled) and its exits, as kernels.calls takes them
        ("exits_start", "i8"),
        ("steps_stop", "i8"),
        ("legs", "i8"),  # instruments of its strategy
        ("first_leg", "i8"),  # row of the first of them in the legs; of one instrument there is none
        ("leg", "i8"),  # its own
        ("changed", "i8"),
        ("warmup", "i8"),  # bars still to be seen before what it wants counts
        ("unlawful", "i8"),  # a step failed, or it wanted a target or confidence that is not allowed
        ("bar", "i8"),  # output row of the newest bar
    ],
    align=True,
)


@lean_kernel
def step(slot: Records, bar: Records, at: int, s: Records, steps: I64, wish: Records, told: Records) -> bool:
    """Steps one strategy and its exits on a closed bar; True where Python has to hear of it."""
    slot.bar = at
    if slot.python != 0:
        slot.changed = 1
        return True
    return settle(slot, bar, s, steps, wish, told)


@lean_kernel
def step_legs(
    slot: Records,
    bar: Records,
    at: int,
    instruments: Records,
    slots: Records,
    steps: I64,
    wishes: Records,
    told: Records,
    leg_slots: I64,
    leg_bars: BarArray,
    leg_outs: Records,
) -> bool:
    """The same for a strategy of several instruments, of which one has a closed bar: it is stepped with the last."""
    slot.bar = at
    leg_bars[slot.leg] = bar
    first, stop = slot.first_leg, slot.first_leg + slot.legs
    for leg in range(first, stop):
        if leg_bars[leg].ts_close != bar.ts_close:
            return False
    row = steps[slots[leg_slots[first]].steps_start]
    call_step(row[0], row[1], address_of(leg_bars[first]), row[2], address_of(leg_outs[first]))
    changed = False
    for leg in range(first, stop):
        entry, wish = slots[leg_slots[leg]], wishes[leg_slots[leg]]
        copy_out(leg_outs[leg], wish.own)
        exits = steps[entry.exits_start : entry.steps_stop]
        s = instruments[entry.instrument]
        changed |= weigh(entry, address_of(leg_bars[leg]), s, exits, wish, told[leg_slots[leg]])
        copy_out(wish.own, leg_outs[leg])  # what was wanted too early is not held
    return changed


@lean_kernel
def settle(slot: Records, bar: Records, s: Records, steps: I64, wish: Records, told: Records) -> bool:
    """Runs what is compiled of a slot, puts prices on the grid and compares the outcome with what was last told."""
    at = address_of(bar)
    if slot.python == 0:
        row = steps[slot.steps_start]
        call_step(row[0], row[1], at, row[2], address_of(wish.own))
    return weigh(slot, at, s, steps[slot.exits_start : slot.steps_stop], wish, told)


@lean_kernel
def weigh(slot: Records, bar: int, s: Records, exits: I64, wish: Records, told: Records) -> bool:
    """What comes after the strategy's own step; `bar` is an address."""
    is_warm = slot.warmup == 0
    if not is_warm:
        slot.warmup -= 1
        if wish.own.target != FAILED:
            unwish(wish.own)
    lawful = apply_exits(exits, bar, wish)
    f = wish.final
    f.stop = on_tick(f.stop, s)
    f.take_profit = on_tick(f.take_profit, s)
    f.limit = on_tick(f.limit, s)
    f.trigger = on_tick(f.trigger, s)
    if not np.isnan(f.trail):
        f.trail = max(on_tick(f.trail, s), s.tick_num / s.tick_den)
    slot.unlawful = 0 if lawful else 1
    if lawful and (not is_warm or unchanged(f, told)):
        return False
    copy_out(f, told)
    slot.changed = 1
    return True


@lean_kernel
def unwish(own: Records) -> None:
    """What was wanted too early is as if it had never been."""
    own.target, own.confidence = 0.0, 1.0
    own.stop = own.take_profit = own.limit = own.trigger = own.trail = np.nan


@lean_kernel
def unchanged(wish: Records, told: Records) -> bool:
    """Whether the target, all prices and the bucket of the confidence are as they were told."""
    prices = same(wish.stop, told.stop) and same(wish.take_profit, told.take_profit)
    prices = prices and same(wish.limit, told.limit) and same(wish.trigger, told.trigger)
    prices = prices and same(wish.trail, told.trail)
    return prices and same(wish.target, told.target) and bucket(wish.confidence) == bucket(told.confidence)


@lean_kernel
def settle_python(
    slot: int, bars: BarArray, instruments: Records, slots: Records, steps: I64, wishes: Records, told: Records
) -> bool:
    """The same for a slot whose own step has just run in Python."""
    entry = slots[slot]
    return settle(entry, bars[entry.bar], instruments[entry.instrument], steps, wishes[slot], told[slot])


@lean_kernel
def on_tick(x: float, s: Records) -> float:
    """The nearest price on the grid: one correctly rounded division, so it equals the decimal's own double."""
    return float(np.rint(x * s.tick_den / s.tick_num) * s.tick_num / s.tick_den + 0.0)


@lean_kernel
def same(a: float, b: float) -> bool:
    return a == b or (np.isnan(a) and np.isnan(b))


@lean_kernel
def bucket(confidence: float) -> int:
    return int(confidence * CONFIDENCE_BUCKETS)
