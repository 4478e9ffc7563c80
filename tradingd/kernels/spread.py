"""Bid and ask of a recorded price, where no quotes are recorded beside it. docs/backtesting.md has the rule."""

from tradingd.kernels.compile import kernel
from tradingd.kernels.sizing import ceil_count, floor_count, value_of


@kernel
def quoted(price: float, sign: int, half_ticks: float, tick_num: float, tick_den: float) -> float:
    """The ask for a buy (sign 1), the bid for a sell (-1): `half_ticks` halves of a tick away, on their grid."""
    if half_ticks == 0.0:
        return price
    if sign > 0:
        count = ceil_count(price, tick_num, 2.0 * tick_den) + half_ticks
    else:
        count = floor_count(price, tick_num, 2.0 * tick_den) - half_ticks
    return float(value_of(count, tick_num, 2.0 * tick_den) + 0.0)


@kernel
def reach(half_ticks: float, tick_num: float, tick_den: float) -> float:
    """How far from its recorded price a bid or an ask is at most."""
    return float((half_ticks / 2.0 + 1.0) * tick_num / tick_den) if half_ticks > 0.0 else 0.0


def load() -> None:
    """Compiles what Python calls, or takes it from the cache."""
    quoted(1.0, 1, 1.0, 1.0, 1.0)
