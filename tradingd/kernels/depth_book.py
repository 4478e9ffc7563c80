"""One instrument's order book as sizes by tick, with its best bid and ask.

Sizes lie in one array over all ticks that the recording touches: cell `ticks - base`, and a guard cell of size 1 at
either end, which stops every search for the next level. A book is never crossed, so one array serves both sides: what
is at or below the best bid is bid for, what is at or above the best ask is offered. The best bid is the lower guard
(0) where there is none, the best ask the upper one.
"""

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types

from tradingd.columns import F64
from tradingd.kernels.calls import code_generator
from tradingd.kernels.compile import kernel

Records = Any  # a NumPy record array

# kinds of event: the size of a level, a trade by who took liquidity, and an empty book, before a snapshot
BID, ASK, BUY_TRADE, SELL_TRADE, CLEAR = range(5)
KIND_NAMES = ("bid", "ask", "buy_trade", "sell_trade", "clear")

# one event; the tape is an array of them
EVENT = np.dtype(
    [("ts_event_ns", "i8"), ("ts_received_ns", "i8"), ("ticks", "i8"), ("lots", "f8"), ("kind", "u1")], align=True
)
BOOK = np.dtype(
    [
        ("row", "i8"),  # the next event
        ("bid", "i8"),  # cells
        ("ask", "i8"),
        ("low", "i8"),  # cells that may hold a size lie from low to high
        ("high", "i8"),
    ],
    align=True,
)


@kernel
def is_plain(kind: int, cell: int, lots: float, bid: int, ask: int) -> bool:
    """Whether an event sets a level and leaves the best prices where they are: most do, so this has no branches."""
    outside = bid - cell if kind == BID else cell - ask
    return bool((kind <= ASK) & ((outside > 0) | ((outside == 0) & (lots > 0.0))))


@kernel
def set_bid(sizes: F64, cell: int, lots: float, bid: int, ask: int) -> tuple[int, int]:
    """The bid at `cell` becomes `lots`, 0 for none. Returns the best bid and ask.

    The newer side is believed: a bid at or above the best ask ends every ask that it reaches.
    """
    if lots > 0.0:
        if cell > bid:
            if cell >= ask:
                sizes[ask : cell + 1] = 0.0
                ask = next_above(sizes, cell + 1)
            bid = cell
        sizes[cell] = lots
    elif cell <= bid:
        sizes[cell] = 0.0
        if cell == bid:
            bid = next_below(sizes, cell - 1)
    return bid, ask


@kernel
def set_ask(sizes: F64, cell: int, lots: float, bid: int, ask: int) -> tuple[int, int]:
    """As `set_bid`, mirrored."""
    if lots > 0.0:
        if cell < ask:
            if cell <= bid:
                sizes[cell : bid + 1] = 0.0
                bid = next_below(sizes, cell - 1)
            ask = cell
        sizes[cell] = lots
    elif cell >= ask:
        sizes[cell] = 0.0
        if cell == ask:
            ask = next_above(sizes, cell + 1)
    return bid, ask


@kernel
def next_below(sizes: F64, cell: int) -> int:
    """The highest cell with a size at or below `cell`."""
    while sizes[cell] == 0.0:
        cell -= 1
    return cell


@kernel
def next_above(sizes: F64, cell: int) -> int:
    """The lowest cell with a size at or above `cell`."""
    while sizes[cell] == 0.0:
        cell += 1
    return cell


@kernel
def clear(sizes: F64, low: int, high: int) -> tuple[int, int]:
    """Empties the cells from low to high. Returns the best bid and ask, which are the guards."""
    sizes[low : high + 1] = 0.0
    return 0, sizes.size - 1


@kernel
def bid_size(view: Records, ticks: int) -> float:
    """Lots bid for at a price, in the book that a strategy sees."""
    cell = ticks - view.base
    return load_float(view.sizes, cell) if 0 < cell <= view.bid else 0.0


@kernel
def ask_size(view: Records, ticks: int) -> float:
    """Lots offered at a price, in the book that a strategy sees."""
    cell = ticks - view.base
    return load_float(view.sizes, cell) if view.ask <= cell < view.cells - 1 else 0.0


@code_generator
def load_float(_typing: Any, address: Any, index: Any) -> Any:
    """The float64 at `index` of an array that begins at `address`; the caller knows that it is inside."""

    def codegen(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        array = builder.inttoptr(args[0], ir.DoubleType().as_pointer())
        return builder.load(builder.gep(array, [args[1]]))

    return types.float64(types.int64, types.int64), codegen
