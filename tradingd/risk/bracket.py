"""The orders that protect a filled one, and which orders a kill switch takes back."""

from tradingd.events import CancelRequested, OrderRequested, OrdStatus, OrdType, TimeInForce
from tradingd.reducers.ledger import Ledger

STOP_LOSS, TAKE_PROFIT = "stop_loss", "take_profit"


def bracket_orders(order: OrderRequested) -> list[OrderRequested]:
    """Stop loss and take profit of an order, without their ClOrdIDs: reducing, one cancelling the other.

    They are placed at the first fill for the whole quantity; the venue caps them by the position that there is.
    """
    legs = []
    if order.stop_loss is not None:
        kind = OrdType.STOP if order.trail is None else OrdType.TRAILING_STOP
        legs.append(_leg(order, kind, stop_px=order.stop_loss, price=None, trail=order.trail, reason=STOP_LOSS))
    if order.take_profit is not None:
        legs.append(_leg(order, OrdType.LIMIT, stop_px=None, price=order.take_profit, trail=None, reason=TAKE_PROFIT))
    return legs


def cancels(ledger: Ledger, reason: str) -> list[CancelRequested]:
    """Takes back every open order that can add exposure; what protects a position stays."""
    return [
        CancelRequested(cl_ord_id, reason)
        for cl_ord_id, order in ledger.orders.items()
        if not order.request.reduce_only and order.status is not OrdStatus.PENDING_CANCEL
    ]


def _leg(
    order: OrderRequested,
    ord_type: OrdType,
    *,
    stop_px: float | None,
    price: float | None,
    trail: float | None,
    reason: str,
) -> OrderRequested:
    return OrderRequested(
        cl_ord_id="",
        instrument=order.instrument,
        side=order.side.opposite,
        quantity=order.quantity,
        ord_type=ord_type,
        time_in_force=TimeInForce.GTC,
        price=price,
        stop_px=stop_px,
        trail=trail,
        reduce_only=True,
        parent=order.cl_ord_id,
        reason=reason,
    )
