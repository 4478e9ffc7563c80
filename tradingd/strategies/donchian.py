"""Donchian breakout: a stop order at the end of the channel that is nearer, and a stop that trails."""

from typing import Any

import numpy as np

from tradingd.columns import F64
from tradingd.kernels.compile import kernel
from tradingd.kernels.indicators import atr_state, atr_step
from tradingd.strategies.contract import compiled


def channel(high: F64, low: F64, length: int) -> tuple[F64, F64]:
    """(n,) highest highs and (n,) lowest lows of `length` bars, NaN until there are so many."""
    upper, lower = np.full(len(high), np.nan), np.full(len(low), np.nan)
    if len(high) >= length:
        upper[length - 1 :] = np.lib.stride_tricks.sliding_window_view(high, length).max(axis=1)
        lower[length - 1 :] = np.lib.stride_tricks.sliding_window_view(low, length).min(axis=1)
    return upper, lower


@kernel
def takes_side(bar: Any, out: Any) -> float:
    """1.0 or -1.0 where the bar has reached the trigger that is asked for, else 0.0."""
    if out.target > 0.0 and bar.high >= out.trigger:
        return 1.0
    return -1.0 if out.target < 0.0 and bar.low <= out.trigger else 0.0


@compiled(
    params={"length": 20, "period": 14, "multiple": 3.0, "long_only": False},
    bounds={"length": (2, 1000), "period": (1, 65_536), "multiple": (0.01, 1000.0)},
    state=lambda p: {
        "atr": atr_state(p["period"]),
        "highs": np.full(p["length"], np.nan),
        "lows": np.full(p["length"], np.nan),
        "bars": 0,
        "side": 0.0,
        "level": 0.0,
    },
    warmup=lambda p: max(p["length"], p["period"] + 1),
    lines=lambda p, bars: dict(zip(("upper", "lower"), channel(bars.high, bars.low, p["length"]), strict=True)),
)
def donchian(state: Any, bar: Any, params: Any, out: Any) -> None:
    """Waits for the highest high or the lowest low of `length` bars, on the side of the middle where the close is.

    What it entered is left at the trailing stop, `multiple` average true ranges of `period` bars (as they were before
    the entry) from the best price. At the close of the bar that reaches it the target is 0; the next bar waits again.
    With `long_only` it waits above alone.
    """
    at = state.bars % params.length
    state.bars += 1
    state.highs[at], state.lows[at] = bar.high, bar.low
    distance = params.multiple * atr_step(state.atr, bar.high, bar.low, bar.close)
    best = bar.high if state.side > 0.0 else bar.low
    if state.side == 0.0:
        best = out.trigger
        state.side = takes_side(bar, out)
        state.level = best - state.side * out.trail
    if state.side != 0.0:
        worst, level = bar.low if state.side > 0.0 else bar.high, best - state.side * out.trail
        if (worst - state.level) * state.side <= 0.0:
            state.side = out.target = 0.0
        elif (level - state.level) * state.side > 0.0:
            state.level = level
        return
    upper, lower = state.highs.max(), state.lows.min()
    if upper > lower and distance > 0.0:
        is_above = params.long_only or bar.close - lower >= upper - bar.close
        out.target, out.trigger = (1.0, upper) if is_above else (-1.0, lower)
        out.trail = distance
