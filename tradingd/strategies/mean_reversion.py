"""Mean reversion: sell what stands far above its moving average, buy what stands far below, leave at the average."""

from typing import Any

from tradingd.kernels.indicators import bollinger, bollinger_state, bollinger_step
from tradingd.strategies.contract import compiled


@compiled(
    params={"period": 20, "entry": 2.0, "leave": 0.0, "long_only": False},
    bounds={"period": (2, 65_536), "entry": (0.0, 100.0), "leave": (0.0, 100.0)},
    check=lambda p: None if p["leave"] < p["entry"] else f"leave={p['leave']} has to be below entry={p['entry']}",
    state=lambda p: {"bands": bollinger_state(p["period"])},
    warmup=lambda p: p["period"],
    lines=lambda p, bars: dict(
        zip(("upper band", "mean", "lower band"), bollinger(bars.close, p["period"], p["entry"]), strict=True)
    ),
)
def mean_reversion(state: Any, bar: Any, params: Any, out: Any) -> None:
    """Enters where the close is more than `entry` deviations from the mean, leaves where it is within `leave` of it.

    Ties: a close exactly on the entry band does not enter, one exactly on the leave band leaves. Prices that stand
    still have no deviation, so nothing is entered and everything is left. Confidence is 1.
    """
    mean, deviation = bollinger_step(state.bands, bar.close)
    distance = bar.close - mean
    reach = params.entry * deviation
    band = params.leave * deviation
    if distance < -reach:
        out.target = 1.0
    elif distance > reach:
        out.target = 0.0 if params.long_only else -1.0
    elif (out.target > 0.0 and distance >= -band) or (out.target < 0.0 and distance <= band):
        out.target = 0.0
