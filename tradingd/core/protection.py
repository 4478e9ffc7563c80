"""The one stop and the one take profit of a position."""

import math
from typing import NamedTuple

import msgspec

from tradingd.core.requests import cancel, request
from tradingd.core.turn import Turn
from tradingd.events import (
    CancelRequested,
    Decision,
    OrderFilled,
    OrderRequested,
    OrdStatus,
    OrdType,
    Side,
    TimeInForce,
)
from tradingd.grid import grid_of
from tradingd.instruments import Instrument
from tradingd.reducers.ledger import Order
from tradingd.risk.bracket import STOP_LOSS, TAKE_PROFIT, bracket_orders
from tradingd.risk.context import working

MS_NS = 1_000_000


class _Protection(NamedTuple):
    """What a position is to have; None leaves what rests."""

    stop: float | None
    take_profit: float | None
    trail: float | None


NOTHING = _Protection(None, None, None)


def move_protection(turn: Turn, decision: Decision) -> None:
    """What protects a position on the decision's side, and what is on its way to it; one on the other side, about to be
    closed, keeps what it has."""
    ledger, index = turn.state.ledger, decision.instrument
    lots = ledger.lots(index)
    if lots * decision.target > 0:
        coming = sum(o.leaves_lots for o in working(ledger, index) if o.request.side.sign * lots > 0)
        wanted = _Protection(decision.stop, decision.take_profit, decision.trail)
        _protect(turn, index, wanted, abs(lots) + coming, turn.state.risk_context().mark(index))


def protect_filled(turn: Turn, own: OrderRequested, fill: OrderFilled) -> None:
    """As soon as an order has a position on its side, the venue itself places or enlarges the bracket, without a delay:
    the newest decision's, where that still wants the position, for all that the order may yet fill."""
    ledger = turn.state.ledger
    lots, decision = ledger.lots(own.instrument), ledger.decisions.get(own.instrument)
    wanted = _Protection(own.stop_loss, own.take_profit, own.trail)
    if decision is not None and decision.target * lots > 0:
        wanted = _Protection(
            wanted.stop if decision.stop is None else decision.stop,
            wanted.take_profit if decision.take_profit is None else decision.take_profit,
            wanted.trail if decision.trail is None else decision.trail,
        )
    leaves_lots = grid_of(turn.state.settings.instruments[own.instrument].lot_size).nearest(fill.leaves_qty)
    _protect(turn, own.instrument, wanted, abs(lots) + leaves_lots, fill.last_px, own.cl_ord_id, latency_ns=0)


def _protect(
    turn: Turn,
    instrument: int,
    wanted: _Protection,
    lots: int,
    price: float,
    parent: str | None = None,
    *,
    latency_ns: int | None = None,
) -> None:
    """One stop and one take profit for the whole position: what is missing is placed, what has another price, covers
    less than `lots` or belongs to an older entry is replaced, and what no price is given for keeps its own. A trail
    begins at `price`."""
    resting = _resting(turn, instrument)
    if not resting and wanted == NOTHING:
        return
    if parent is None:  # where nothing rests, the id that the first leg will have
        parent = next((order.request.parent for order in resting.values()), turn.next_id())
    for leg in bracket_orders(_entry(turn, instrument, wanted, lots, price, resting, parent)):
        old = resting.get(leg.reason)
        if old is None:
            request(turn, leg, latency_ns=latency_ns)
        elif (_essence(leg) != _essence(old.request) or old.leaves_lots < lots) and not _has_begun(turn, old):
            _replace(turn, old, leg, latency_ns)


def _has_begun(turn: Turn, old: Order) -> bool:
    """A stop that bars had not the volume for is a market order until the position ends: nothing moves it."""
    known = turn.memory.venue.working.get(old.request.cl_ord_id)
    return turn.memory.terms.settings.volume_share is not None and known is not None and known.triggered


def _essence(leg: OrderRequested) -> tuple[object, ...]:
    return leg.stop_px, leg.trail, leg.price, leg.parent


def _resting(turn: Turn, instrument: int) -> dict[str, Order]:
    """What protects the position, by its reason; a stop that trails as far as it has come."""
    return {
        order.request.reason: _as_it_stands(turn, order)
        for order in turn.state.ledger.orders.values()
        if order.request.reason in (STOP_LOSS, TAKE_PROFIT)
        and order.request.instrument == instrument
        and order.status is not OrdStatus.PENDING_CANCEL
    }


def _as_it_stands(turn: Turn, order: Order) -> Order:
    works = turn.memory.venue.working.get(order.request.cl_ord_id)
    if order.request.trail is None or works is None:
        return order
    return msgspec.structs.replace(order, request=msgspec.structs.replace(order.request, stop_px=works.stop_px))


def _entry(
    turn: Turn,
    instrument: int,
    wanted: _Protection,
    lots: int,
    price: float,
    resting: dict[str, Order],
    parent: str | None,
) -> OrderRequested:
    """What would have opened the position with the bracket that it is to have."""
    side = Side.BUY if turn.state.ledger.lots(instrument) > 0 else Side.SELL
    kept = {reason: order.request for reason, order in resting.items()}
    stop, trail = _stop(turn.state.settings.instruments[instrument], side, wanted, price, kept.get(STOP_LOSS))
    take_profit = wanted.take_profit
    return OrderRequested(
        cl_ord_id=parent or "",
        instrument=instrument,
        side=side,
        quantity=grid_of(turn.state.settings.instruments[instrument].lot_size).value(lots),
        ord_type=OrdType.MARKET,
        time_in_force=TimeInForce.GTC,
        stop_loss=stop,
        take_profit=kept[TAKE_PROFIT].price if take_profit is None and TAKE_PROFIT in kept else take_profit,
        trail=trail,
    )


def _stop(
    instrument: Instrument, side: Side, wanted: _Protection, price: float, kept: OrderRequested | None
) -> tuple[float | None, float | None]:
    """(trigger, trail) of the stop. One that trails is the tightest of what is wanted, of how far it had come, and of
    its distance from `price` where it begins; there is none yet where none of these is known."""
    level, before = (kept.stop_px, kept.trail) if kept else (None, None)
    stop = level if wanted.stop is None else wanted.stop
    trail = before if wanted.trail is None else wanted.trail
    if trail is None:
        return stop, None
    begins = trail != before and not math.isnan(price)
    levels = (
        stop,
        None if before is None else level,
        _behind(instrument, price, side.sign * trail) if begins else None,
    )
    tightest = max if side is Side.BUY else min
    found = tightest((each for each in levels if each is not None), default=None)
    return found, None if found is None else trail


def _behind(instrument: Instrument, price: float, distance: float) -> float:
    """On the tick grid, and at a price that there can be."""
    ticks = grid_of(instrument.tick_size)
    count = ticks.nearest(price - distance)
    return ticks.value(count if instrument.negative_prices else max(count, 1))


def _replace(turn: Turn, old: Order, new: OrderRequested, latency_ns: int | None) -> None:
    """The new order first, and the old one is not gone before it is there: both reduce only."""
    if request(turn, new, latency_ns=latency_ns):
        settings = turn.memory.terms.settings
        slower_ns = round(max(settings.latency_ms, settings.cancel_latency_ms) * MS_NS)
        cancel(
            turn,
            CancelRequested(old.request.cl_ord_id, "replaced"),
            latency_ns=slower_ns if latency_ns is None else latency_ns,
        )
