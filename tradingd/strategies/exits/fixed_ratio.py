"""A fixed ratio of reward to risk: a stop at a fixed distance from the entry and a take profit at a multiple of it."""

from typing import Any

import numpy as np

from tradingd.kernels.indicators import atr_state, atr_step
from tradingd.strategies.contract import compiled


@compiled(
    params={"period": 14, "multiple": 2.0, "fraction": 0.0, "ratio": 2.0},
    bounds={"period": (1, 65_536), "multiple": (0.01, 1000.0), "fraction": (0.0, 1.0), "ratio": (0.01, 1000.0)},
    state=lambda p: {"atr": atr_state(p["period"]), "side": 0.0, "stop": np.nan, "take_profit": np.nan},
    warmup=lambda p: 1 if p["fraction"] > 0.0 else p["period"] + 1,
)
def fixed_ratio(state: Any, bar: Any, params: Any, out: Any) -> None:
    """Sets `stop` and `take_profit` once, at the close of the bar on which the strategy takes its side.

    The risk is `fraction` of that close where fraction > 0, else `multiple` average true ranges of `period` bars; the
    take profit stands `ratio` risks away. Fires where a bar closes at or beyond either. While there is no
    such distance yet there is neither, and both are set at the first close where there is.
    """
    average = atr_step(state.atr, bar.high, bar.low, bar.close)
    side = np.sign(out.target)
    if side != state.side:
        state.side = side
        state.stop = np.nan
        state.take_profit = np.nan
    if side == 0.0:
        return
    if (bar.close - state.stop) * side <= 0.0 or (bar.close - state.take_profit) * side >= 0.0:
        out.target = 0.0
        state.side = 0.0
        return
    if np.isnan(state.stop):
        risk = abs(bar.close) * params.fraction if params.fraction > 0.0 else params.multiple * average
        if risk > 0.0:  # warm, and the price has moved at all
            state.stop = bar.close - side * risk
            state.take_profit = bar.close + side * params.ratio * risk
    out.stop = state.stop
    out.take_profit = state.take_profit
