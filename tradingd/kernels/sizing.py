"""From a target exposure to lots, the same function for risk and for every kernel."""

import numpy as np

from tradingd.kernels.compile import kernel


@kernel
def wanted_lots(
    equity_units: int,
    units_per_one: int,
    target: float,
    price: float,
    price_at_risk: float,
    mark: float,
    risk_per_trade: float,
    max_leverage: float,
    gross: float,
    margin: float,
    initial_rate: float,
    multiplier: float,
    lot_num: float,
    lot_den: float,
) -> float:
    """Signed count of lots that a target stands for, floored towards zero. `risk.sizing.target_lots` has the rule.

    price_at_risk   what one unit loses at the stop; 0 where the size does not depend on it
    gross, margin   exposure and initial margin of everything else in the account, in whole money
    lot_num, lot_den   the lot size as a fraction
    """
    equity = max(equity_units, 0) / units_per_one
    stake = equity * abs(target)
    dearest = np.fmax(abs(price), abs(mark))  # the gate will look at the mark
    if price == 0.0:
        wanted = 0.0
    elif price_at_risk > 0.0:
        wanted = stake * risk_per_trade / price_at_risk
    else:
        wanted = stake / abs(price)
    affordable = max(min(max_leverage * equity - gross, (equity - margin) / initial_rate), 0.0)
    quantity = min(wanted, affordable / dearest if dearest > 0.0 else 0.0)
    lots = floor_count(quantity / multiplier, lot_num, lot_den)
    return lots if target > 0.0 else 0.0 - lots


@kernel
def nearest_count(value: float, num: float, den: float) -> float:
    """The count of steps nearest to `value`; ties go to the even count."""
    return float(np.rint(value * den / num))


@kernel
def value_of(count: float, num: float, den: float) -> float:
    """The canonical float of `count` steps, as `grid.Grid.value` gives it."""
    return count * num / den


@kernel
def floor_count(value: float, num: float, den: float) -> float:
    """The largest count whose value is not above `value`."""
    count = nearest_count(value, num, den)
    return count - 1.0 if value_of(count, num, den) > value else count


@kernel
def ceil_count(value: float, num: float, den: float) -> float:
    """The smallest count whose value is not below `value`."""
    count = nearest_count(value, num, den)
    return count + 1.0 if value_of(count, num, den) < value else count


def load() -> None:
    """Compiles what Python calls, or takes it from the cache."""
    wanted_lots(1, 1, 1.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0)
