"""Ticks to bars of several timeframes in one pass, and the three steps that every maker of bars shares.

Order of summation, the same here and in the scan, so that both give equal bits: a bar of the finest timeframe adds up
volume and notional (price x size) tick by tick, left to right; a coarser bar adds up the sums of the closed finer bars
that fill it, in order. vwap is notional / volume, once, when the bar closes; NaN where nothing was traded.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from tradingd.columns import BAR, DAY_TIMEFRAME, F64, I64, TIMEFRAME_NS, TIMEFRAMES, BarArray
from tradingd.instruments import NS, Session
from tradingd.kernels.compile import kernel
from tradingd.kernels.sessions import session_bounds

# A bar in progress; there is none where trades == 0.
WORK = np.dtype(
    [
        ("ts_open", "<i8"),
        ("ts_close", "<i8"),
        ("open", "<f8"),
        ("high", "<f8"),
        ("low", "<f8"),
        ("close", "<f8"),
        ("volume", "<f8"),
        ("notional", "<f8"),
        ("trades", "<i8"),
    ],
    align=True,
)


@kernel
def bar_start(work: Any, ts_open: int, ts_close: int, price: float, size: float) -> None:
    """The first tick of a bar."""
    work.ts_open = ts_open
    work.ts_close = ts_close
    work.open = price
    work.high = price
    work.low = price
    work.close = price
    work.volume = size
    work.notional = price * size
    work.trades = 1


@kernel
def bar_add(work: Any, price: float, size: float) -> None:
    """A further tick of a bar."""
    work.high = max(work.high, price)
    work.low = min(work.low, price)
    work.close = price
    work.volume += size
    work.notional += price * size
    work.trades += 1


@kernel
def bar_merge(coarser: Any, finer: Any) -> None:
    """A closed finer bar goes into the coarser one in progress."""
    coarser.high = max(coarser.high, finer.high)
    coarser.low = min(coarser.low, finer.low)
    coarser.close = finer.close
    coarser.volume += finer.volume
    coarser.notional += finer.notional
    coarser.trades += finer.trades
