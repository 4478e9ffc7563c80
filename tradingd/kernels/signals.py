"""One strategy and its exits over the bars of one instrument: what it says, and at which bars.

What a strategy wants depends on bars alone. So it is heard before any money, and once for many runs over it.
"""

from typing import Any

import numpy as np

from tradingd.columns import I64
from tradingd.kernels.calls import PRICES, address_of, call_step
from tradingd.kernels.compile import kernel
from tradingd.kernels.slots import weigh
from tradingd.kernels.walk import read_bar

Records = Any  # a NumPy record array

DONE, FULL, UNLAWFUL, FAILED = range(4)  # why it came back

# what a strategy says at the close of a bar
SIGNAL = np.dtype([("bar", "i8"), *((name, "f8") for name in ("target", "confidence", *PRICES))], align=True)


@kernel
def signal_bars(
    columns: Records,
    slots: Records,
    instruments: Records,
    steps: I64,
    wishes: Records,
    told: Records,
    signals: Records,
    cursor: I64,
) -> int:
    """Walks the strategy over the bars and writes a SIGNAL where it has something new to say.

    What it wants depends on bars alone, so this comes before any money. cursor (2,) is the next bar and the signals so
    far; columns, of walk.COLUMNS, slots, instruments, wishes and told are (1,). steps[0] is the strategy's walk, what
    comes after it are steps.
    """
    c, slot, s, wish = columns[0], slots[0], instruments[0], wishes[0]
    exits = steps[1:]
    while cursor[0] < c.size:
        if cursor[1] == signals.size:
            return FULL
        # a bar at a time where something else has a say too
        is_alone = exits.size == 0 and slot.warmup == 0
        c.next, c.stop = cursor[0], c.size if is_alone else cursor[0] + 1
        call_step(steps[0, 0], steps[0, 1], address_of(c), steps[0, 2], address_of(wish.own))
        bar = c.next - 1
        if c.failed != 0:
            cursor[0] = bar
            return FAILED
        if exits.size != 0:
            read_bar(c, bar, c.bar)  # who is alone has seen it
        if weigh(slot, address_of(c.bar), s, exits, wish, told[0]):
            say(signals[cursor[1]], bar, told[0])
            cursor[1] += 1
            if slot.unlawful != 0:
                return UNLAWFUL
        cursor[0] = c.next
    return DONE


@kernel
def say(signal: Records, bar: int, told: Records) -> None:
    signal.bar, signal.target, signal.confidence = bar, told.target, told.confidence
    signal.stop, signal.take_profit = told.stop, told.take_profit
    signal.limit, signal.trigger, signal.trail = told.limit, told.trigger, told.trail
