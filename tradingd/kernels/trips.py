"""Round trips: what each way from flat to flat earned, and how far it was ahead and behind on the way."""

from typing import Any

import numpy as np

from tradingd.kernels.book import OPEN
from tradingd.kernels.compile import kernel
from tradingd.kernels.pointers import float_at

Records = Any  # a NumPy record array

STILL_OPEN = -1
TRIP = np.dtype(
    [
        ("entry_bar", "i8"),
        ("exit_bar", "i8"),  # STILL_OPEN
        ("side", "i8"),
        ("lots", "i8"),  # opened, all together
        ("closed_lots", "i8"),
        ("entry_price", "f8"),  # mean by lots
        ("exit_price", "f8"),  # NaN while nothing was closed
        ("realized", "i8"),  # units
        ("fees", "i8"),
        ("lowest", "f8"),  # price while it was open
        ("highest", "f8"),
        ("entry_phase", "u1"),
        ("phase", "u1"),  # of the last fill
        ("reason", "u1"),
    ],
    align=True,
)


@kernel
def round_trips(fills: Records, columns: Records, trips: Records) -> int:
    """Writes a TRIP for each way from flat to flat, the last one perhaps open; returns how many. columns (1,) is of
    walk.COLUMNS.

    The bar of an entry at its open counts. Of one that holds the entry within it, or the exit, counts what they met: it
    is not known to have gone any further while there was a position.
    """
    c = columns[0]
    count = 0
    before = 0
    seen = 0  # bars of which highs and lows have counted
    for n in range(fills.size):
        f = fills[n]
        if before == 0:
            begin(trips[count], f)
            seen = f.bar if f.phase == OPEN else f.bar + 1
            count += 1
        trip = trips[count - 1]
        reach(trip, c, seen, f.bar)
        seen = max(seen, f.bar)
        add(trip, f)
        if f.position == 0:
            trip.exit_bar = f.bar
        before = f.position
    if before != 0:
        reach(trips[count - 1], c, seen, c.size)
    return count


@kernel
def begin(trip: Records, f: Records) -> None:
    trip.entry_bar, trip.exit_bar, trip.side = f.bar, STILL_OPEN, np.sign(f.lots)
    trip.lots = trip.closed_lots = trip.realized = trip.fees = 0
    trip.entry_price = 0.0
    trip.exit_price = np.nan
    trip.lowest = trip.highest = f.price
    trip.entry_phase = f.phase


@kernel
def reach(trip: Records, c: Records, first: int, stop: int) -> None:
    lowest, highest, low, high = trip.lowest, trip.highest, c.low, c.high
    for i in range(first, stop):
        lowest = min(lowest, float_at(low, i))
        highest = max(highest, float_at(high, i))
    trip.lowest, trip.highest = lowest, highest


@kernel
def add(trip: Records, f: Records) -> None:
    size = abs(f.lots)
    if np.sign(f.lots) == trip.side:
        trip.lots += size
        trip.entry_price += (f.price - trip.entry_price) * (size / trip.lots)
    else:
        before = trip.exit_price if trip.closed_lots > 0 else f.price
        trip.closed_lots += size
        trip.exit_price = before + (f.price - before) * (size / trip.closed_lots)
    trip.realized += f.realized
    trip.fees += f.fee
    trip.lowest = min(trip.lowest, f.price)
    trip.highest = max(trip.highest, f.price)
    trip.phase, trip.reason = f.phase, f.reason
