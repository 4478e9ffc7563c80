"""The stop and the take profit that stood at each bar, from what the strategy said and when it was in the market."""

import numpy as np
from numpy.typing import NDArray

from tradingd.backtesting.engine import Executed
from tradingd.columns import F64
from tradingd.kernels.trips import STILL_OPEN


def protection(executed: Executed) -> dict[str, F64]:
    """(n,) prices by name; NaN where there was none. docs/backtesting.md has the rules, see CLOSE. Stops that trail are
    moved by prices, and not known from what was said: of a strategy that has any, no stop is told."""
    first, side = _held(executed)
    signals = executed.signals[executed.signals["bar"] + 1 < len(side)]
    since = signals["bar"] + 1  # what is said at a close stands from the next bar on
    meant = np.sign(signals["target"]) == side[since]
    prices = {name: _standing(since[meant], signals[name][meant], first, side != 0) for name in ("stop", "take_profit")}
    if not np.isnan(signals["trail"]).all():
        prices["stop"][:] = np.nan
    return prices


def _held(executed: Executed) -> tuple[NDArray[np.bool_], NDArray[np.int8]]:
    """(n,) each: whether a trip begins there, and its side until the bar that ends it; of two in one bar the later."""
    count, trips = len(executed.equity), executed.trips
    first, side = np.zeros(count, np.bool_), np.zeros(count, np.int8)
    first[trips["entry_bar"]] = True
    ends = np.where(trips["exit_bar"] == STILL_OPEN, count - 1, trips["exit_bar"])
    change = np.zeros(count + 1, np.int64)
    np.add.at(change, trips["entry_bar"], 1)
    np.add.at(change, ends + 1, -1)
    held = np.cumsum(change[:-1]) > 0
    newest = np.cumsum(np.bincount(trips["entry_bar"], minlength=count)) - 1
    side[held] = trips["side"][newest[held]]
    return first, side


def _standing(since: NDArray[np.int64], prices: F64, first: NDArray[np.bool_], held: NDArray[np.bool_]) -> F64:
    """Each price until the next one, or until the trip ends."""
    said = np.full(len(held), np.nan)
    said[since] = prices
    latest = np.maximum.accumulate(np.where(first | ~np.isnan(said), np.arange(len(said)), 0))
    return np.where(held, said[latest], np.nan)
