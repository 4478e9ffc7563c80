"""Pair reversion: sell the first of two and buy the second where their ratio stands far above its moving average."""

from typing import Any

from tradingd.kernels.indicators import bollinger_state, bollinger_step
from tradingd.strategies.contract import compiled


@compiled(
    params={"period": 60, "entry": 2.0, "leave": 0.0},
    bounds={"period": (2, 65_536), "entry": (0.0, 100.0), "leave": (0.0, 100.0)},
    check=lambda p: None if p["leave"] < p["entry"] else f"leave={p['leave']} has to be below entry={p['entry']}",
    state=lambda p: {"bands": bollinger_state(p["period"])},
    warmup=lambda p: p["period"],
    legs=2,
)
def pair_reversion(state: Any, bars: Any, params: Any, outs: Any) -> None:
    """Half of the equity on each side: in where the ratio of the closes is more than `entry` deviations from its
    average, out where it is within `leave` of it.

    Ties are those of mean_reversion. A close of 0 in the second changes nothing. Confidence is 1.
    """
    if bars.leg[1].close == 0.0:
        return
    ratio = bars.leg[0].close / bars.leg[1].close
    mean, deviation = bollinger_step(state.bands, ratio)
    distance = ratio - mean
    reach = params.entry * deviation
    band = params.leave * deviation
    held = outs.leg[0].target
    if distance < -reach:
        held = 0.5
    elif distance > reach:
        held = -0.5
    elif (held > 0.0 and distance >= -band) or (held < 0.0 and distance <= band):
        held = 0.0
    outs.leg[0].target = held
    outs.leg[1].target = 0.0 - held
