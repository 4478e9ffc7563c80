"""Indicators as causal steps over named state records, and the same steps over whole arrays.

A state is a record that a strategy nests into its own (`sma_state(10)`); its step takes the record and the next value
and returns the indicator, NaN until it is warm. Seeds are those of TA-Lib. Sums over a window do not drift: each
running sum is replaced, once per window, by one that was added up afresh beside it.
"""

from typing import Any

import numpy as np

from tradingd.kernels.compile import kernel

Record = np.ndarray[Any, Any]  # () of a structured dtype


def ring_capacity(period: int) -> int:
    """The power of two that holds `period` values: so another period seldom has to be compiled."""
    return max(8, 1 << (period - 1).bit_length())


def sma_state(period: int) -> Record:
    ring = ("ring", "<f8", (ring_capacity(period),))
    dtype = np.dtype(
        [("period", "<i8"), ("seen", "<i8"), ("in_window", "<i8"), ("total", "<f8"), ("fresh", "<f8"), ring], align=True
    )
    state = np.zeros((), dtype)
    state["period"] = period
    return state


@kernel
def sma_step(state: Any, value: float) -> float:
    """Simple moving average of the last `period` values."""
    ring, mask, period = state.ring, state.ring.size - 1, state.period
    state.total += value - ring[(state.seen - period) & mask] if state.seen >= period else value
    ring[state.seen & mask] = value
    state.seen += 1
    state.fresh += value
    state.in_window += 1
    if state.in_window == period:
        state.total = state.fresh
        state.fresh = 0.0
        state.in_window = 0
    return state.total / period if state.seen >= period else np.nan
