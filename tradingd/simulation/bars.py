"""How orders meet a bar, of which only four prices are known. docs/simulation.md has the rules."""

import math
from collections.abc import Sequence

from tradingd.columns import BAR_OPEN
from tradingd.events import OrderFilled
from tradingd.kernels.posting import LOTS_LIMIT
from tradingd.simulation.matching import reached
from tradingd.simulation.offers import Offer
from tradingd.simulation.state import Listing, Tail, Taken, Tick, VenueOrder


def bar_order(orders: Sequence[VenueOrder]) -> Sequence[VenueOrder]:
    """In which orders meet a bar, of which nobody knows what came first: what protects (stops, then limits), then other
    stops, other limits, and what comes to the market with the bar; each in the order of arrival."""
    return sorted(orders, key=_rank) if len(orders) > 1 else orders


def _rank(order: VenueOrder) -> tuple[bool, bool, bool, bool]:
    has_price = order.stop_px is not None or order.price is not None
    return not has_price, not order.reduce_only, order.stop_px is None, order.price is None


def room_of(tick: Tick, share: float | None, listing: Listing) -> int | None:
    """Lots of a bar that our orders may fill together, which its open tells; None where there is no limit."""
    if share is None or math.isnan(tick.size):
        return None
    return max(min(listing.lots.floor(tick.size * share), LOTS_LIMIT), 0)


def of_bar(order: VenueOrder, tick: Tick, listing: Listing) -> Offer | None:
    """What a bar's open or range offers, as much as is wanted. None to a stop that is not reached."""
    low = listing.quoted(order.sign, tick.price)
    if tick.kind == BAR_OPEN:
        return _offer(low) if not order.sleeps or reached(order, low) else None
    return of_range(order, low, listing.quoted(order.sign, tick.ask_price))


def of_range(order: VenueOrder, low: float, high: float) -> Offer | None:
    """A stop is offered its trigger, or the end of the range where that is beyond it; a limit order the best price,
    others the worst. low and high are what such an order meets."""
    worst, best = (high, low) if order.sign > 0 else (low, high)
    if not order.sleeps:
        return _offer(worst if order.price is None else best)
    if order.stop_px is None or not reached(order, worst):
        return None
    return _offer(min(max(order.stop_px, low), high))


def tail_of(filled: OrderFilled, tick: Tick, listing: Listing, now_ns: int) -> Tail:
    """After an entry within a bar, of what its exit meets: below a purchase, or above a sale."""
    sign, ticks = filled.side.sign, listing.ticks
    low, high = (listing.quoted(-sign, price) for price in (tick.price, tick.ask_price))
    entered = ticks.value(ticks.nearest(filled.last_px) - sign * listing.instrument.spread_ticks)
    return Tail(now_ns + 1, low, min(high, entered)) if sign > 0 else Tail(now_ns + 1, max(low, entered), high)


def _offer(price: float) -> Offer:
    return Offer(price, LOTS_LIMIT, price, True, Taken(price, math.nan, 0))
