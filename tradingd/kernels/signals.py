"""One strategy and its exits over the bars of one instrument: what it says, and at which bars.

What a strategy wants depends on bars alone. So it is heard before any money, and once for many runs over it.
"""

from typing import Any

import numpy as np

from tradingd.columns import F64, I64, BarArray
from tradingd.kernels.calls import PRICES, address_of, call_step
from tradingd.kernels.compile import kernel
from tradingd.kernels.slots import same, weigh

Records = Any  # a NumPy record array

DONE, FULL, UNLAWFUL = range(3)  # why it came back

# what a strategy says at the close of a bar
SIGNAL = np.dtype([("bar", "i8"), *((name, "f8") for name in ("target", "confidence", *PRICES))], align=True)


@kernel
def signal_bars(
    ts_open: I64,
    ts_close: I64,
    open_: F64,
    high: F64,
    low: F64,
    close: F64,
    volume: F64,
    bars: BarArray,
    slots: Records,
    instruments: Records,
    steps: I64,
    wishes: Records,
    told: Records,
    signals: Records,
    cursor: I64,
) -> int:
    """Steps the strategy over the bars and writes a SIGNAL where it has something new to say.

    What it wants depends on bars alone, so this comes before any money. cursor (2,) is the next bar and the signals so
    far; bars (1,) of BAR is scratch; slots, instruments, wishes and told are (1,) too.
    """
    slot, s, bar, wish = slots[0], instruments[0], bars[0], wishes[0]
    own, at = wish.own, address_of(bar)
    address, state, params, out = steps[0, 0], steps[0, 1], steps[0, 2], address_of(own)
    exits = steps[1:]
    alone = exits.size == 0  # then nothing else decides what is wanted
    count = cursor[1]
    quiet = False
    target, confidence, stop, take_profit = own.target, own.confidence, own.stop, own.take_profit
    limit, trigger, trail = own.limit, own.trigger, own.trail
    for i in range(cursor[0], close.size):
        if count == signals.size:
            cursor[0], cursor[1] = i, count
            return FULL
        bar.ts_open, bar.ts_close = ts_open[i], ts_close[i]
        bar.open, bar.high, bar.low, bar.close, bar.volume = open_[i], high[i], low[i], close[i], volume[i]
        call_step(address, state, at, params, out)
        if quiet and is_still(own, target, confidence, stop, take_profit, limit, trigger, trail):
            continue
        if weigh(slot, at, s, exits, wish, told[0]):
            say(signals[count], i, told[0])
            count += 1
            if slot.unlawful != 0:
                cursor[0], cursor[1] = i, count
                return UNLAWFUL
        quiet = alone and slot.warmup == 0
        target, confidence, stop, take_profit = own.target, own.confidence, own.stop, own.take_profit
        limit, trigger, trail = own.limit, own.trigger, own.trail
    cursor[0], cursor[1] = close.size, count
    return DONE


@kernel
def is_still(
    own: Records,
    target: float,
    confidence: float,
    stop: float,
    take_profit: float,
    limit: float,
    trigger: float,
    trail: float,
) -> bool:
    prices = same(own.stop, stop) and same(own.take_profit, take_profit)
    prices = prices and same(own.limit, limit) and same(own.trigger, trigger) and same(own.trail, trail)
    return bool(prices and own.target == target and own.confidence == confidence)


@kernel
def say(signal: Records, bar: int, told: Records) -> None:
    signal.bar, signal.target, signal.confidence = bar, told.target, told.confidence
    signal.stop, signal.take_profit = told.stop, told.take_profit
    signal.limit, signal.trigger, signal.trail = told.limit, told.trigger, told.trail
