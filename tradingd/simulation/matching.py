"""At which price an order trades with an offer. Pure: nothing is filled here."""

from tradingd.kernels.market import Market
from tradingd.simulation.offers import Offer, has_quotes
from tradingd.simulation.settings import SimulationSettings
from tradingd.simulation.state import Listing, VenueOrder


def reached(order: VenueOrder, price: float) -> bool:
    """Whether `price` is at or beyond the trigger of a stop; an unknown price is not."""
    return order.stop_px is not None and order.sign * price >= order.sign * order.stop_px


def follow(order: VenueOrder, price: float, listing: Listing) -> None:
    """A trailing stop that sleeps comes after a price that is better than all before; it never goes back."""
    if order.trail is None or order.stop_px is None or not order.sleeps:
        return
    level = listing.ticks.value(listing.ticks.nearest(price + order.sign * order.trail))
    if order.sign * level < order.sign * order.stop_px:
        order.stop_px = level


def trigger_price(order: VenueOrder, market: Market, listing: Listing) -> float:
    """What wakes the order's stop on arrival: the last trade, or the opposite quote where those are what triggers.
    Between two bars, when both sides are empty, nothing does."""
    index, last = order.instrument, float(market.last[order.instrument])
    is_closed = market.bid_size[index] == 0.0 and market.ask_size[index] == 0.0
    if not is_closed and not listing.triggers_by_quote:
        return last
    if listing.instrument.spread_ticks and not has_quotes(market, index):
        return listing.quoted(order.sign, last)
    return float((market.ask if order.sign > 0 else market.bid)[index])


def crosses(order: VenueOrder, price: float) -> bool:
    """Whether the order would trade at `price`: within the limit, or without one."""
    return order.price is None or order.sign * price <= order.sign * order.price


def is_maker(order: VenueOrder) -> bool:
    """A limit order rests after its first opportunity."""
    return order.price is not None and order.waited


def price_of(order: VenueOrder, offer: Offer, listing: Listing, settings: SimulationSettings) -> float:
    """Makers trade at their own limit, marketable limits at the better price, all others at the worse of the offer and
    the opposite quote, plus slippage. On the tick grid, rounded against the order."""
    if order.price is not None:
        return order.price if order.waited else _on_grid(order, offer.price, listing, 0)
    worse = offer.quote if order.sign * offer.quote > order.sign * offer.price else offer.price
    slipped = worse + order.sign * (settings.slippage_rate * abs(worse))
    return _on_grid(order, slipped, listing, settings.slippage_ticks)


def _on_grid(order: VenueOrder, price: float, listing: Listing, slippage_ticks: int) -> float:
    grid = listing.ticks
    ticks = grid.ceil(price) + slippage_ticks if order.sign > 0 else grid.floor(price) - slippage_ticks
    return grid.value(ticks if listing.instrument.negative_prices else max(ticks, 1))
