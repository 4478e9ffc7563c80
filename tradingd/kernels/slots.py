"""A strategy and its exits on a closed bar: stepped, put on the grid, and compared with what was last told."""

from typing import Any

import numpy as np

from tradingd.columns import I64, BarArray
from tradingd.kernels.calls import address_of, apply_exits, call_step, copy_out
from tradingd.kernels.compile import kernel

Records = Any  # a NumPy record array

CONFIDENCE_BUCKETS = 10

# one strategy on one instrument
SLOT = np.dtype(
    [
        ("instrument", "i8"),
        ("timeframe", "i8"),
        ("python", "i8"),  # 1: its own step runs in Python
        ("steps_start", "i8"),  # addresses of its step (where compiled) and its exits, as kernels.calls takes them
        ("steps_stop", "i8"),
        ("changed", "i8"),
        ("warmup", "i8"),  # bars still to be seen before what it wants counts
        ("unlawful", "i8"),  # it wanted a target or confidence that is not allowed
        ("bar", "i8"),  # output row of the newest bar
    ],
    align=True,
)


@kernel
def step(slot: Records, bar: Records, at: int, s: Records, steps: I64, wish: Records, told: Records) -> bool:
    """Steps one strategy and its exits on a closed bar; True where Python has to hear of it."""
    slot.bar = at
    if slot.python != 0:
        slot.changed = 1
        return True
    return settle(slot, bar, s, steps, wish, told)


@kernel
def settle(slot: Records, bar: Records, s: Records, steps: I64, wish: Records, told: Records) -> bool:
    """Runs what is compiled of a slot, puts prices on the grid and compares the outcome with what was last told."""
    rows = steps[slot.steps_start : slot.steps_stop]
    at = address_of(bar)
    if slot.python == 0:
        call_step(rows[0, 0], rows[0, 1], at, rows[0, 2], address_of(wish.own))
        rows = rows[1:]
    return weigh(slot, at, s, rows, wish, told)


@kernel
def weigh(slot: Records, bar: int, s: Records, exits: I64, wish: Records, told: Records) -> bool:
    """What comes after the strategy's own step; `bar` is an address."""
    is_warm = slot.warmup == 0
    if not is_warm:
        slot.warmup -= 1
        unwish(wish.own)
    lawful = apply_exits(exits, bar, wish)
    f = wish.final
    f.stop = on_tick(f.stop, s)
    f.take_profit = on_tick(f.take_profit, s)
    slot.unlawful = 0 if lawful else 1
    if lawful and (not is_warm or unchanged(f, told)):
        return False
    copy_out(f, told)
    slot.changed = 1
    return True


@kernel
def unwish(own: Records) -> None:
    """What was wanted too early is as if it had never been."""
    own.target, own.confidence, own.stop, own.take_profit = 0.0, 1.0, np.nan, np.nan


@kernel
def unchanged(wish: Records, told: Records) -> bool:
    """Whether target, stop, take profit and the bucket of the confidence are as they were told."""
    prices = same(wish.stop, told.stop) and same(wish.take_profit, told.take_profit)
    return prices and same(wish.target, told.target) and bucket(wish.confidence) == bucket(told.confidence)


@kernel
def settle_python(
    slot: int, bars: BarArray, instruments: Records, slots: Records, steps: I64, wishes: Records, told: Records
) -> bool:
    """The same for a slot whose own step has just run in Python."""
    entry = slots[slot]
    return settle(entry, bars[entry.bar], instruments[entry.instrument], steps, wishes[slot], told[slot])


@kernel
def on_tick(x: float, s: Records) -> float:
    """The nearest price on the grid: one correctly rounded division, so it equals the decimal's own double."""
    return float(np.rint(x * s.tick_den / s.tick_num) * s.tick_num / s.tick_den + 0.0)


@kernel
def same(a: float, b: float) -> bool:
    return a == b or (np.isnan(a) and np.isnan(b))


@kernel
def bucket(confidence: float) -> int:
    return int(confidence * CONFIDENCE_BUCKETS)
