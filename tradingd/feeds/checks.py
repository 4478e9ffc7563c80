"""What no tick may say, whatever feed it came from."""

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from tradingd.columns import QUOTE, TRADE
from tradingd.feeds.rows import Columns
from tradingd.instruments import Instrument

ABSURD = 1e12  # no price and no size is as large; money would not fit its integers
Mask = npt.NDArray[np.bool_]


def price_floors(instruments: Sequence[Instrument]) -> npt.NDArray[np.float64]:
    """By instrument, what a price must lie above: 0, or nothing where prices may be negative."""
    return np.array([-np.inf if instrument.negative_prices else 0.0 for instrument in instruments])


def faults_of(columns: Columns, floors: npt.NDArray[np.float64]) -> dict[int, str]:
    """The first fault of each faulty trade or quote, by row. Crossed quotes are facts of the market, not faults."""
    faults: dict[int, str] = {}
    with np.errstate(invalid="ignore"):
        for reason, mask in _rules(columns, floors):
            for row in np.flatnonzero(mask).tolist():
                faults.setdefault(row, reason)
    return faults


def _rules(columns: Columns, floors: npt.NDArray[np.float64]) -> Iterator[tuple[str, Mask]]:
    trade, quote = columns["kind"] == TRADE, columns["kind"] == QUOTE
    floor = floors[columns["instrument"]]
    price, size = columns["price"], columns["size"]
    ask_price, ask_size = columns["ask_price"], columns["ask_size"]
    yield "trade without a price", trade & np.isnan(price)
    yield "trade at price zero", trade & (price == 0)
    yield "trade of size zero", trade & (size == 0)
    yield "quote with neither side", quote & np.isnan(price) & np.isnan(ask_price)
    for value in (price, size, ask_price, ask_size):
        yield "not a finite number", np.isinf(value) & (trade | quote)
        yield f"absurd: {ABSURD:g} or more", (abs(value) >= ABSURD) & (trade | quote)
    for value in (price, ask_price):
        yield "price not above zero", (value <= floor) & (trade | quote)
    for value in (size, ask_size):
        yield "negative size", (value < 0) & (trade | quote)
