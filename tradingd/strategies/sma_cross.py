"""Moving-average cross: long while the fast average is above the slow one, short (or flat) while it is below."""

from typing import Any

from tradingd.kernels.indicators import sma, sma_state, sma_step
from tradingd.strategies.contract import compiled


@compiled(
    params={"fast": 10, "slow": 50, "long_only": False},
    bounds={"fast": (1, 65_536), "slow": (2, 65_536)},
    check=lambda p: None if p["fast"] < p["slow"] else f"fast={p['fast']} has to be below slow={p['slow']}",
    state=lambda p: {"fast": sma_state(p["fast"]), "slow": sma_state(p["slow"])},
    warmup=lambda p: p["slow"],
    lines=lambda p, bars: {f"SMA {p[name]}": sma(bars.close, p[name]) for name in ("fast", "slow")},
)
def sma_cross(state: Any, bar: Any, params: Any, out: Any) -> None:
    """A tie changes nothing: only an average that is strictly above or below the other one moves the target."""
    fast = sma_step(state.fast, bar.close)
    slow = sma_step(state.slow, bar.close)
    if fast > slow:
        out.target = 1.0
    elif fast < slow:
        out.target = 0.0 if params.long_only else -1.0
