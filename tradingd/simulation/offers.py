"""What a tick or the book offers to our orders: a price and a number of lots."""

import math

from msgspec import Struct

from tradingd.columns import TRADE
from tradingd.kernels.market import Market
from tradingd.kernels.posting import LOTS_LIMIT
from tradingd.simulation.state import Taken, Terms, Tick, VenueState


class Offer(Struct, frozen=True, gc=False):
    """price, capacity   what can be traded, and how many lots of it at most
    quote            price of the opposite quote, which a market order does not beat; NaN = unknown
    triggers         whether it wakes stops
    taken            what our orders had of it so far
    kept_in          where that is remembered beyond this tick: quotes last, trades do not
    """

    price: float
    capacity: int
    quote: float
    triggers: bool
    taken: Taken
    kept_in: dict[int, Taken] | None = None

    @property
    def lots(self) -> int:
        return self.capacity - self.taken.lots

    def take(self, instrument: int, lots: int) -> None:
        self.taken.lots += lots
        if self.kept_in is not None:
            self.kept_in[instrument] = self.taken


def of_tick(state: VenueState, terms: Terms, index: int, tick: Tick, market: Market) -> dict[int, Offer]:
    """What a trade or a quote offers, by the sign of the orders it is for; both sides share the size of a trade."""
    if tick.kind == TRADE:
        return _of_trade(terms, index, tick, market)
    sides = {1: (tick.ask_price, tick.ask_size), -1: (tick.price, tick.size)}
    offers = {sign: _of_quote(state, terms, index, sign, *side) for sign, side in sides.items()}
    return {sign: offer for sign, offer in offers.items() if offer}


def of_book(state: VenueState, terms: Terms, index: int, sign: int, market: Market) -> Offer | None:
    """What the newest opposite quote offers; None where none is known or that side is empty."""
    price, size = (market.ask, market.ask_size) if sign > 0 else (market.bid, market.bid_size)
    return _of_quote(state, terms, index, sign, float(price[index]), float(size[index]))


def has_quotes(market: Market, index: int) -> bool:
    """Whether any quote was told yet; a bar tells both sides."""
    told = (market.bid[index], market.ask[index], market.bid_size[index], market.ask_size[index])
    return not all(math.isnan(value) for value in told)


def _of_trade(terms: Terms, index: int, tick: Tick, market: Market) -> dict[int, Offer]:
    """The price of the trade, or what the spread makes of it."""
    listing, capacity = terms.listings[index], _capacity(terms, index, tick.size)
    taken = Taken(tick.price, tick.size, 0)
    if listing.instrument.spread_ticks and not has_quotes(market, index):
        prices = {sign: listing.quoted(sign, tick.price) for sign in (1, -1)}
        return {sign: Offer(price, capacity, price, True, taken) for sign, price in prices.items()}
    quotes = {1: float(market.ask[index]), -1: float(market.bid[index])}
    triggers = not listing.triggers_by_quote
    return {sign: Offer(tick.price, capacity, quote, triggers, taken) for sign, quote in quotes.items()}


def _of_quote(state: VenueState, terms: Terms, index: int, sign: int, price: float, size: float) -> Offer | None:
    if math.isnan(price) or size == 0.0:
        return None
    kept_in = state.asks_taken if sign > 0 else state.bids_taken
    taken = kept_in.get(index)
    if taken is None or (taken.price, taken.size) != (price, size):
        taken = Taken(price, size, 0)
    triggers = terms.listings[index].triggers_by_quote
    return Offer(price, _capacity(terms, index, size), price, triggers, taken, kept_in)


def _capacity(terms: Terms, index: int, size: float) -> int:
    """Lots of a recorded size that our orders may take; an absent size is unlimited."""
    return LOTS_LIMIT if math.isnan(size) else terms.listings[index].lots.floor(size * terms.settings.fill_ratio)
