"""How orders meet a bar, of which only four prices are known. docs/simulation.md has the rules."""

import math
from collections.abc import Iterable

from tradingd.columns import BAR_OPEN, BAR_RANGE
from tradingd.events import OrdType
from tradingd.kernels.posting import LOTS_LIMIT
from tradingd.simulation.matching import crosses, reached
from tradingd.simulation.offers import Offer
from tradingd.simulation.state import Listing, Taken, Tick, VenueOrder


def bar_order(orders: Iterable[VenueOrder]) -> list[VenueOrder]:
    """In which orders meet a bar, of which nobody knows what came first: stops, then limits, then what comes to the
    market with the bar; each in the order of arrival."""
    return sorted(orders, key=lambda order: (order.ord_type is not OrdType.STOP, order.ord_type is not OrdType.LIMIT))


def room_of(tick: Tick, share: float | None, listing: Listing) -> int | None:
    """Lots of a bar that our orders may fill together, which its open tells; None where there is no limit."""
    if share is None or math.isnan(tick.size):
        return None
    return max(min(listing.lots.floor(tick.size * share), LOTS_LIMIT), 0)


def of_bar(order: VenueOrder, tick: Tick, listing: Listing) -> Offer | None:
    """What a bar's open or range offers, as much as is wanted. A stop trades at its trigger, or at an open beyond it; a
    limit order at its limit; other orders at the open, or at the worst of a range. None where it is not reached."""
    top = tick.price if tick.kind == BAR_OPEN else tick.ask_price
    low, high = listing.quoted(order.sign, tick.price), listing.quoted(order.sign, top)
    worst, best = (high, low) if order.sign > 0 else (low, high)
    if order.sleeps and not reached(order, worst):
        return None
    price = best if order.price is not None else worst
    if order.sleeps and order.stop_px is not None and tick.kind == BAR_RANGE:
        price = order.stop_px
    if not crosses(order, price):
        return None
    return Offer(price, LOTS_LIMIT, price, triggers=True, taken=Taken(price, math.nan, 0))
