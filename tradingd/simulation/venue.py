"""The simulated venue: orders in, the venue's reports out. Pure, in core time. docs/simulation.md has the rules.

`due_ns` and `touch_levels` tell the caller when something has to be looked at; `on_time` goes before `on_tick`.
"""

from collections.abc import Iterable

from tradingd.columns import BAR_CLOSE, BAR_KINDS, BAR_OPEN, BAR_RANGE, FRAME, INELIGIBLE
from tradingd.commands import Approved
from tradingd.events import (
    LIQUIDATION,
    AnyBody,
    OrderAccepted,
    OrderCanceled,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    OrderRequested,
    OrdStatus,
    OrdType,
    Side,
    TimeInForce,
)
from tradingd.kernels.market import Market
from tradingd.kernels.posting import checked, fee_units, notional_units
from tradingd.reducers.ledger import Order
from tradingd.simulation import offers
from tradingd.simulation.bars import bar_order, of_bar, of_range, room_of, tail_of
from tradingd.simulation.matching import crosses, follow, is_maker, price_of, reached, trigger_price
from tradingd.simulation.offers import Offer
from tradingd.simulation.state import NEVER_NS, Listing, Pending, Tail, Terms, Tick, VenueOrder, VenueState

MS_NS = 1_000_000
INFINITY = float("inf")
Facts = list[AnyBody]


def submit(state: VenueState, terms: Terms, approved: Approved, now_ns: int, *, latency_ns: int | None = None) -> None:
    """Sends an order: it arrives `latency_ns` later, by default the settings' latency, and never at the same moment."""
    latency = round(terms.settings.latency_ms * MS_NS) if latency_ns is None else latency_ns
    state.pending.append(Pending(now_ns + max(latency, 1), order=approved.order))


def cancel(state: VenueState, terms: Terms, cl_ord_id: str, now_ns: int, *, latency_ns: int | None = None) -> None:
    """Sends a cancel. Where it comes too late, the venue says nothing: the order's end has been told already."""
    latency = round(terms.settings.cancel_latency_ms * MS_NS) if latency_ns is None else latency_ns
    state.pending.append(Pending(now_ns + max(latency, 1), cancel=cl_ord_id))


def adopt(
    state: VenueState, terms: Terms, order: Order, market: Market, now_ns: int, *, laid: VenueOrder | None = None
) -> None:
    """Takes over an order that the ledger knows as open: one that had not arrived arrives, others work on. `laid` is
    what `lay` made of it: if that was triggered, or has traded, it sleeps no more; if it trails, it has come as far; it
    has had its first opportunity, and its day, when that had."""
    if order.status is OrdStatus.PENDING_NEW:
        state.pending.append(Pending(now_ns + 1, order=order.request))
        return
    listing = terms.listings[order.request.instrument]
    known = _order(order.request, listing)
    known.lots, known.triggered = order.leaves_lots, order.filled_lots > 0
    if laid is not None:
        known.stop_px, known.triggered = laid.stop_px, known.triggered or laid.triggered
        known.expires_ns, known.session_ns, known.waited = laid.expires_ns, laid.session_ns, laid.waited
    else:
        known.waited = not known.sleeps
        _begin_day(known, listing, market, now_ns - 1)
    state.working[known.cl_ord_id] = known


def lay(state: VenueState, terms: Terms, request: OrderRequested, market: Market, now_ns: int) -> None:
    """Takes an order at its arrival only to see what the market does to it: it has nothing to trade."""
    listing = terms.listings[request.instrument]
    known = _order(request, listing)
    known.lots = 0
    _begin_day(known, listing, market, now_ns)
    _come_after(state, known)
    known.triggered = _wakes(known, market, listing, now_ns)
    state.working[known.cl_ord_id] = known
    if listing.is_open(now_ns):
        offer = offers.of_book(state, terms, known.instrument, known.sign, market)
        if offer:
            _meet(state, terms, known, offer)


def due_ns(state: VenueState) -> int:
    """Core time of the next arrival or DAY expiry; NEVER_NS when there is none."""
    due = NEVER_NS
    for pending in state.pending:
        due = min(due, pending.due_ns)
    for order in state.working.values():
        due = min(due, order.expires_ns)
    return due


def on_time(state: VenueState, terms: Terms, market: Market, now_ns: int) -> Facts:
    """What falls due up to `now_ns`, in the order of its time: expiries, then arrivals against the book in `market`."""
    facts: Facts = []
    while (due := due_ns(state)) <= now_ns:
        over = [order.cl_ord_id for order in state.working.values() if order.expires_ns == due]
        facts += _expire(state, over) or _arrive(state, terms, market, due)
    return facts


def on_tick(state: VenueState, terms: Terms, instrument: int, tick: Tick, market: Market, now_ns: int) -> Facts:
    """Matches working orders against one row: a trade or quote in the order of their arrival, a bar's open or range as
    `bar_order` has it. Ineligible ticks and ticks outside of the session fill nothing. `market` may hold the tick
    already or not."""
    listing = terms.listings[instrument]
    if tick.kind in BAR_KINDS:
        return _meet_bar(state, terms, instrument, tick, now_ns)
    if tick.kind == FRAME or tick.flags & INELIGIBLE or not listing.is_open(now_ns):
        return []
    by_sign = offers.of_tick(state, terms, instrument, tick, market)
    facts: Facts = []
    for order in [order for order in state.working.values() if order.instrument == instrument]:
        offer = by_sign.get(order.sign)
        if offer and order.cl_ord_id in state.working:
            facts += _meet(state, terms, order, offer)
    return facts


def _meet_bar(state: VenueState, terms: Terms, instrument: int, tick: Tick, now_ns: int) -> Facts:
    """Nobody trades after the close. What protects rested before the bar came; an entry that is new has its first
    opportunity at the open."""
    facts: Facts = []
    if tick.kind == BAR_CLOSE:
        return facts
    has_entered = False
    if tick.kind == BAR_OPEN:
        _make_room(state, terms, instrument, tick)
        facts = _end_days(state, terms.listings[instrument], instrument, now_ns)
    for order in bar_order([order for order in state.working.values() if order.instrument == instrument]):
        offer = of_bar(order, tick, terms.listings[instrument])
        if offer and order.cl_ord_id in state.working:
            order.waited |= order.reduce_only
            met = _meet(state, terms, order, offer)
            facts += met
            if tick.kind == BAR_RANGE and not order.reduce_only:
                _note_tail(state, terms.listings[instrument], met, tick, now_ns)
                has_entered |= OrderFilled in map(type, met)
    if not has_entered:
        _follow_bar(state, terms.listings[instrument], instrument, tick)
    return facts


def _make_room(state: VenueState, terms: Terms, instrument: int, tick: Tick) -> None:
    room = room_of(tick, terms.settings.volume_share, terms.listings[instrument])
    if room is None:
        state.rooms.pop(instrument, None)
    else:
        state.rooms[instrument] = room


def expire(state: VenueState, orders: Iterable[Order], instrument: int) -> Facts:
    """Ends all that is open in an instrument, also what is still on its way."""
    ended = [order.request.cl_ord_id for order in orders if order.request.instrument == instrument]
    for cl_ord_id in ended:
        _cancel(state, cl_ord_id, "")
    return [OrderExpired(cl_ord_id, "the instrument has expired") for cl_ord_id in ended]


def settle(state: VenueState, terms: Terms, request: OrderRequested, price: float) -> OrderFilled:
    """Closes a position at `price`, on the tick grid or not, without a fee."""
    listing = terms.listings[request.instrument]
    state.lots[request.instrument] = 0
    state.trades += 1
    return OrderFilled(
        cl_ord_id=request.cl_ord_id,
        instrument=request.instrument,
        side=request.side,
        last_qty=request.quantity,
        last_px=price,
        cum_qty=request.quantity,
        leaves_qty=listing.lots.value(0),
        fee=0,
        trade_id=f"T{state.trades}",
    )


def _follow_bar(state: VenueState, listing: Listing, instrument: int, tick: Tick) -> None:
    """What trails comes after the open, and after the best of a range in which nothing was entered."""
    top = tick.ask_price if tick.kind == BAR_RANGE else tick.price
    for order in state.working.values():
        if order.instrument == instrument:
            follow(order, listing.quoted(order.sign, tick.price if order.sign > 0 else top), listing)


def _end_days(state: VenueState, listing: Listing, instrument: int, now_ns: int) -> Facts:
    """DAY orders on bars end before the first open of another session than that of the first open that they met."""
    ended = []
    for order in state.working.values():
        if order.instrument == instrument and order.time_in_force is TimeInForce.DAY:
            session_ns = listing.instrument.session.bounds(now_ns)[0]
            if order.session_ns == NEVER_NS:
                order.session_ns = session_ns
            elif order.session_ns != session_ns:
                ended.append(order.cl_ord_id)
    return _expire(state, ended)


def _note_tail(state: VenueState, listing: Listing, met: Facts, tick: Tick, now_ns: int) -> None:
    for filled in met:
        if isinstance(filled, OrderFilled):
            state.tails[filled.instrument] = tail_of(filled, tick, listing, now_ns)


def touch_levels(state: VenueState, terms: Terms, instrument: int) -> tuple[float, float]:
    """(low, high): a tick of which any price (of the trade, of the bid, of the ask) is <= low or >= high may matter.

    (inf, -inf): every tick does; (-inf, inf): none does.
    """
    low, high, listing = -INFINITY, INFINITY, terms.listings[instrument]
    for order in state.working.values():
        if order.instrument != instrument:
            continue
        if order.time_in_force is TimeInForce.DAY and order.expires_ns == NEVER_NS:
            return INFINITY, -INFINITY
        level = order.stop_px if order.sleeps else order.price if is_maker(order) else None
        if level is None:
            return INFINITY, -INFINITY
        reach = listing.reach(order.sign) if order.sleeps else 0.0  # a spread brings stops nearer, limits farther away
        if order.sleeps and order.trail is not None:  # it comes after what is farther away
            best = level - order.sign * order.trail
            low, high = (max(low, best), high) if order.sign > 0 else (low, min(high, best))
        if order.sleeps == (order.sign > 0):
            high = min(high, level - reach)
        else:
            low = max(low, level + reach)
    return low, high


def _expire(state: VenueState, expired: list[str]) -> Facts:
    for cl_ord_id in expired:
        del state.working[cl_ord_id]
    return [OrderExpired(cl_ord_id, "end of the session") for cl_ord_id in expired]


def _arrive(state: VenueState, terms: Terms, market: Market, due: int) -> Facts:
    pending = state.pending.pop([pending.due_ns for pending in state.pending].index(due))
    if pending.order is None:
        return _cancel(state, pending.cancel, "as requested")
    return _admit(state, terms, pending.order, market, due)


def _admit(state: VenueState, terms: Terms, request: OrderRequested, market: Market, due: int) -> Facts:
    listing = terms.listings[request.instrument]
    order = _order(request, listing)
    if order.time_in_force is TimeInForce.DAY:
        if not market.phase[order.instrument] and not listing.is_open(due):
            return [OrderRejected(order.cl_ord_id, "a day order outside of the session")]
        _begin_day(order, listing, market, due)
    if order.reduce_only and not state.reducible_lots(order):
        return [OrderRejected(order.cl_ord_id, "nothing to reduce")]
    _come_after(state, order)
    state.working[order.cl_ord_id] = order
    facts: Facts = [OrderAccepted(order.cl_ord_id)]
    if (tail := state.tails.get(order.instrument)) and tail.at_ns == due and request.parent:
        return facts + _meet_tail(state, terms, order, tail)
    order.triggered = _wakes(order, market, listing, due)
    if listing.is_open(due):
        offer = offers.of_book(state, terms, order.instrument, order.sign, market)
        facts += _meet(state, terms, order, offer) if offer else []
    return facts


def _come_after(state: VenueState, order: VenueOrder) -> None:
    """A stop that takes the place of another one that trails begins no farther away than that has come by now."""
    if order.trail is None or order.stop_px is None or not order.reduce_only:
        return
    for other in state.working.values():
        is_like = (other.instrument, other.sign, other.reduce_only) == (order.instrument, order.sign, True)
        if is_like and other.trail is not None and other.stop_px is not None and other.sleeps:
            order.stop_px = order.sign * min(order.sign * order.stop_px, order.sign * other.stop_px)


def _begin_day(order: VenueOrder, listing: Listing, market: Market, now_ns: int) -> None:
    """At its arrival; between two bars it waits for the first open."""
    if order.time_in_force is TimeInForce.DAY and market.phase[order.instrument] != BAR_CLOSE:
        _date(order, listing, market, now_ns)


def _date(order: VenueOrder, listing: Listing, market: Market, now_ns: int) -> None:
    """The day of a DAY order: on ticks until when, on bars since when."""
    opened_ns, closes_ns = listing.instrument.session.bounds(now_ns)
    if market.phase[order.instrument]:
        order.session_ns = opened_ns
    else:
        order.expires_ns = closes_ns


def _meet_tail(state: VenueState, terms: Terms, order: VenueOrder, tail: Tail) -> Facts:
    """What protects an entry within a bar: its stop may be reached in the same bar, its take profit is not."""
    offer = of_range(order, tail.low, tail.high) if order.sleeps else None
    return _meet(state, terms, order, offer) if offer else []


def _wakes(order: VenueOrder, market: Market, listing: Listing, due: int) -> bool:
    """Whether a stop that arrives is a market order at once."""
    return order.sleeps and listing.is_open(due) and reached(order, trigger_price(order, market, listing))


def _order(request: OrderRequested, listing: Listing) -> VenueOrder:
    lots = listing.lots.nearest(request.quantity)
    return VenueOrder(
        cl_ord_id=request.cl_ord_id,
        instrument=request.instrument,
        sign=request.side.sign,
        ord_type=request.ord_type,
        time_in_force=request.time_in_force,
        total_lots=lots,
        lots=lots,
        price=request.price,
        stop_px=request.stop_px,
        reduce_only=request.reduce_only,
        parent=request.parent,
        forced=request.reason == LIQUIDATION,
        trail=request.trail if request.ord_type is OrdType.TRAILING_STOP else None,
    )


def _meet(state: VenueState, terms: Terms, order: VenueOrder, offer: Offer) -> Facts:
    """One opportunity to trade."""
    if order.sleeps:
        order.triggered = offer.triggers and reached(order, offer.price)
        if not order.triggered:
            if offer.triggers:
                follow(order, offer.price, terms.listings[order.instrument])
            return []
    facts: Facts = []
    wanted = min(order.lots, state.reducible_lots(order)) if order.reduce_only else order.lots
    lots = min(wanted, offer.lots, state.room(order))
    if lots > 0 and crosses(order, offer.price):
        facts = _fill(state, terms, order, offer, lots)
    order.waited = True
    if order.time_in_force is TimeInForce.IOC:
        facts += _cancel(state, order.cl_ord_id, "not filled at once")
    return facts


def _fill(state: VenueState, terms: Terms, order: VenueOrder, offer: Offer, lots: int) -> Facts:
    listing = terms.listings[order.instrument]
    price = price_of(order, offer, listing, terms.settings)
    offer.take(order.instrument, lots)
    state.use_room(order, lots)
    order.lots -= lots
    state.lots[order.instrument] = state.lots.get(order.instrument, 0) + order.sign * lots
    state.trades += 1
    if order.lots == 0:
        del state.working[order.cl_ord_id]
    quantity = listing.lots.value(lots)
    filled = OrderFilled(
        cl_ord_id=order.cl_ord_id,
        instrument=order.instrument,
        side=Side.BUY if order.sign > 0 else Side.SELL,
        last_qty=quantity,
        last_px=price,
        cum_qty=listing.lots.value(order.total_lots - order.lots),
        leaves_qty=listing.lots.value(order.lots),
        fee=_fee(listing, price, quantity, is_maker(order)),
        trade_id=f"T{state.trades}",
        maker=is_maker(order),
    )
    return [filled, *_consequences(state, terms, order)]


def _fee(listing: Listing, price: float, quantity: float, maker: bool) -> int:
    fees, unit = listing.instrument.fees, listing.units_per_one
    notional = checked(notional_units(price, quantity, listing.instrument.multiplier, unit))
    rate = fees.maker_rate if maker else fees.taker_rate
    return checked(fee_units(notional, quantity, rate, fees.per_unit, fees.minimum, unit))


def _consequences(state: VenueState, terms: Terms, filled: VenueOrder) -> Facts:
    """What a fill ends: the rest of the entry that it exits, the other leg, and what has nothing left to reduce."""
    facts: Facts = []
    if filled.parent and not _is_leg(state, filled.parent):
        facts += _cancel(state, filled.parent, "its exit has traded")
    if terms.settings.volume_share is not None and (filled.parent or filled.forced):
        facts += _end_entries(state, filled)
    if filled.parent and filled.lots == 0:
        for leg in _legs(state, filled.parent):
            facts += _cancel(state, leg, "the other leg has filled")
    useless = [
        order.cl_ord_id
        for order in state.working.values()
        if order.instrument == filled.instrument and order.reduce_only and not state.reducible_lots(order)
    ]
    for cl_ord_id in useless:
        facts += _cancel(state, cl_ord_id, "nothing left to reduce")
    return facts


def _end_entries(state: VenueState, filled: VenueOrder) -> Facts:
    """Bars fill in part over hours: what opened the position that is left does not open it again."""
    begun = [
        order.cl_ord_id
        for order in state.working.values()
        if (order.instrument, order.sign) == (filled.instrument, -filled.sign)
        and not order.reduce_only
        and order.lots < order.total_lots
    ]
    return [fact for cl_ord_id in begun for fact in _cancel(state, cl_ord_id, "its exit has traded")]


def _is_leg(state: VenueState, cl_ord_id: str) -> bool:
    """A bracket that was placed later than its entry has the id of its first leg as parent."""
    working = state.working.get(cl_ord_id)
    arriving = (pending.order for pending in state.pending if pending.order)
    return (working is not None and working.reduce_only) or any(
        order.cl_ord_id == cl_ord_id and order.reduce_only for order in arriving
    )


def _legs(state: VenueState, parent: str) -> list[str]:
    working = [order.cl_ord_id for order in state.working.values() if order.parent == parent]
    arriving = [pending.order for pending in state.pending if pending.order]
    return working + [order.cl_ord_id for order in arriving if order.parent == parent]


def _cancel(state: VenueState, cl_ord_id: str, text: str) -> Facts:
    """Ends an order that works or is still on its way; says nothing where there is no such order."""
    arriving = [pending for pending in state.pending if pending.order and pending.order.cl_ord_id == cl_ord_id]
    if state.working.pop(cl_ord_id, None) is None and not arriving:
        return []
    state.pending = [pending for pending in state.pending if pending not in arriving]
    return [OrderCanceled(cl_ord_id, text)]
