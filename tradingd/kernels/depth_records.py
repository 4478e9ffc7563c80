"""The records of the exchange of a replay: what it is told once, orders, requests, fills, money and counts."""

from typing import Any

import numpy as np

from tradingd.kernels.calls import code_generator
from tradingd.kernels.pointers import record_at

Records = Any  # a NumPy record array

BUY, SELL = range(2)
POST_ONLY, LIMIT, IMMEDIATE_OR_CANCEL, MARKET = range(4)  # types of order
PENDING_NEW, NEW, PARTIALLY_FILLED, FILLED, CANCELED, REJECTED, EXPIRED = range(7)  # states, in FIX words
NEVER_NS = 2**63 - 1
NO_CELL = 2**62  # beyond every cell
NO_SLOT = -1

# what does not change
TERMS = np.dtype(
    [
        ("tick_num", "f8"),  # tick and lot size as fractions
        ("tick_den", "f8"),
        ("lot_num", "f8"),
        ("lot_den", "f8"),
        ("multiplier", "f8"),
        ("units_per_one", "i8"),
        ("maker_rate", "f8"),
        ("taker_rate", "f8"),
        ("per_unit", "f8"),
        ("minimum", "f8"),
        ("negative_prices", "u1"),
        ("partial_fills", "u1"),
        ("power", "i8"),  # of the queue model; 0 is risk averse
        ("entry_latency_ns", "i8"),  # from us to the exchange
        ("response_latency_ns", "i8"),  # and back
        ("interval_ns", "i8"),  # between steps; 0: a step per message of the feed
        ("sample_ns", "i8"),
        ("base", "i8"),  # ticks of cell 0
        ("start_ns", "i8"),
        ("end_ns", "i8"),
    ],
    align=True,
)
ORDER = np.dtype(
    [
        ("id", "i8"),
        ("side", "i8"),
        ("kind", "i8"),
        ("state", "i8"),  # at the exchange
        ("ticks", "i8"),
        ("cell", "i8"),
        ("lots", "i8"),
        ("left", "i8"),
        ("queue", "f8"),  # lots before it when it joined
        ("ahead", "f8"),  # and now
        ("traded", "f8"),  # at its price since the level last changed
        ("accepted_ns", "i8"),  # exchange time; NEVER_NS before
        ("ended_ns", "i8"),
        ("holds", "i8"),  # who still needs this record: the exchange, the quote it stands for, a cancel on its way
        ("next", "i8"),  # slot of the next one that rests on its side, or of the next free one; NO_SLOT after the last
    ],
    align=True,
)
REQUEST = np.dtype([("ts_ns", "i8"), ("slot", "i8"), ("cancels", "i8")], align=True)
ACCOUNT = np.dtype(
    [
        ("lots", "i8"),
        ("cost", "i8"),
        ("balance", "i8"),
        ("mark", "f8"),
        ("refused", "u1"),  # an amount did not fit
    ],
    align=True,
)
COUNTS = np.dtype(
    [
        (name, "i8")
        for name in ("steps", "orders", "cancels", "canceled", "too_late", "expired", "rejected", "filled", "fills")
    ],
    align=True,
)
FILL = np.dtype(
    [
        ("ts_ns", "i8"),  # at the exchange
        ("order", "i8"),
        ("side", "i8"),
        ("ticks", "i8"),
        ("price", "f8"),
        ("lots", "i8"),  # signed
        ("fee", "i8"),  # units
        ("realized", "i8"),  # units, before the fee
        ("position", "i8"),  # lots after it
        ("balance", "i8"),  # units after it
        ("maker", "u1"),
        ("queue", "f8"),  # lots before the order when it joined
    ],
    align=True,
)
# All of the exchange. Orders, requests and fills lie in arrays of their own, of which this has the addresses, so that a
# call passes one pointer; whoever calls the kernel keeps them alive.
VENUE = np.dtype(
    [
        ("terms", TERMS),
        ("account", ACCOUNT),
        ("counts", COUNTS),
        ("orders", "i8"),  # address of the ORDERs
        ("free", "i8"),  # slots of orders that nothing needs
        ("free_slot", "i8"),  # the first of them
        ("first_slot", "i8", 2),  # of the orders that rest, by side, in the order of their arrival
        ("resting", "i8", 2),  # how many
        ("lowest", "i8", 2),  # cell of a resting order, NO_CELL without one
        ("highest", "i8", 2),  # -NO_CELL without one
        ("requests", "i8"),  # address of the ring of REQUESTs
        ("requests_room", "i8"),  # a power of two
        ("first_request", "i8"),  # numbers; a request lies at its number modulo the room
        ("next_request", "i8"),
        ("fills", "i8"),  # address of the FILLs
        ("fills_room", "i8"),
    ],
    align=True,
)


@code_generator
def order_at(_typing: Any, venue: Any, slot: Any) -> Any:
    """The ORDER in a slot."""
    return record_at("orders", ORDER, venue, slot)


@code_generator
def request_at(_typing: Any, venue: Any, place: Any) -> Any:
    """The REQUEST at a place of the ring."""
    return record_at("requests", REQUEST, venue, place)


@code_generator
def fill_at(_typing: Any, venue: Any, number: Any) -> Any:
    """The FILL of a number."""
    return record_at("fills", FILL, venue, number)
