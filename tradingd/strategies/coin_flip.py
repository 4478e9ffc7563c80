"""A coin: the baseline that every strategy has to beat, after costs."""

from typing import Any

import numpy as np

from tradingd.kernels.random import splitmix64, uniform
from tradingd.strategies.contract import compiled


@compiled(
    params={"seed": 1, "hold_bars": 10, "long_only": False},
    bounds={"hold_bars": (1, 1_000_000)},
    state=lambda p: {"random": np.uint64(p["seed"] % 2**64), "held": 0},
)
def coin_flip(state: Any, bar: Any, params: Any, out: Any) -> None:
    """Every `hold_bars` bars heads is long, tails short (flat if long_only). The seed decides, never the price."""
    if state.held % params.hold_bars == 0:
        state.held = 0
        state.random, bits = splitmix64(state.random)
        out.target = 1.0 if uniform(bits) < 0.5 else (0.0 if params.long_only else -1.0)
    state.held += 1
