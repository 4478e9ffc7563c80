"""A stop that follows the best close at a distance of so many average true ranges, and never goes back."""

from typing import Any

import numpy as np

from tradingd.kernels.indicators import atr_state, atr_step
from tradingd.strategies.contract import compiled


@compiled(
    params={"period": 14, "multiple": 3.0},
    bounds={"period": (1, 65_536), "multiple": (0.01, 1000.0)},
    state=lambda p: {"atr": atr_state(p["period"]), "side": 0.0, "stop": np.nan},
    warmup=lambda p: p["period"] + 1,
)
def trailing_atr(state: Any, bar: Any, params: Any, out: Any) -> None:
    """Sets `stop`; fires where a bar closes at or beyond the stop that stood before it.

    No stop until the average is warm. A tighter stop that the strategy set itself stays.
    """
    distance = params.multiple * atr_step(state.atr, bar.high, bar.low, bar.close)
    side = np.sign(out.target)
    if side != state.side:
        state.side = side
        state.stop = np.nan
    if side == 0.0:
        return
    if (bar.close - state.stop) * side <= 0.0:
        out.target = 0.0
        state.side = 0.0
        return
    if distance > 0.0:  # warm, and the price has moved at all
        stop = bar.close - side * distance
        if np.isnan(state.stop) or (stop - state.stop) * side > 0.0:
            state.stop = stop
    if np.isnan(out.stop) or (state.stop - out.stop) * side > 0.0:
        out.stop = state.stop
