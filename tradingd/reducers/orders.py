"""The life of an order. `TRANSITIONS` is all of it: what is not in the table changes nothing and is an anomaly."""

from collections.abc import Sequence

from tradingd.events import (
    Anomaly,
    CancelRequested,
    OrderAccepted,
    OrderCanceled,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    OrderRequested,
    OrdStatus,
)
from tradingd.grid import grid_of
from tradingd.instruments import Instrument
from tradingd.reducers.ledger import CLOSED_MAX, RECENT_MAX, ClosedOrder, Ledger, Order, Recent

Report = OrderAccepted | OrderRejected | CancelRequested | OrderCanceled | OrderExpired

PARTIAL, FULL = "PartialFill", "FullFill"
S = OrdStatus

# Fills are legal while a cancel is on its way, and before the venue said that it accepted.
TRANSITIONS: dict[OrdStatus, dict[str, OrdStatus]] = {
    S.PENDING_NEW: {
        "OrderAccepted": S.NEW, "OrderRejected": S.REJECTED, "CancelRequested": S.PENDING_CANCEL,
        "OrderCanceled": S.CANCELED, "OrderExpired": S.EXPIRED, PARTIAL: S.PARTIALLY_FILLED, FULL: S.FILLED,
    },
    S.NEW: {
        "CancelRequested": S.PENDING_CANCEL, "OrderCanceled": S.CANCELED, "OrderExpired": S.EXPIRED,
        PARTIAL: S.PARTIALLY_FILLED, FULL: S.FILLED,
    },
    S.PARTIALLY_FILLED: {
        "CancelRequested": S.PENDING_CANCEL, "OrderCanceled": S.CANCELED, "OrderExpired": S.EXPIRED,
        PARTIAL: S.PARTIALLY_FILLED, FULL: S.FILLED,
    },
    S.PENDING_CANCEL: {
        "OrderAccepted": S.PENDING_CANCEL, "OrderRejected": S.REJECTED,
        "OrderCanceled": S.CANCELED, "OrderExpired": S.EXPIRED, PARTIAL: S.PENDING_CANCEL, FULL: S.FILLED,
    },
    S.IN_DOUBT: {
        "OrderAccepted": S.NEW, "OrderRejected": S.REJECTED, "CancelRequested": S.PENDING_CANCEL,
        "OrderCanceled": S.CANCELED, "OrderExpired": S.EXPIRED, PARTIAL: S.PARTIALLY_FILLED, FULL: S.FILLED,
    },
    S.FILLED: {}, S.CANCELED: {}, S.REJECTED: {}, S.EXPIRED: {},
}  # fmt: skip


def request(ledger: Ledger, instruments: Sequence[Instrument], body: OrderRequested, now_ns: int) -> Anomaly | None:
    if body.cl_ord_id in ledger.orders or body.cl_ord_id in ledger.closed:
        return Anomaly("duplicate order", f"{body.cl_ord_id} was requested before")
    ledger.order_count += 1
    ledger.orders[body.cl_ord_id] = Order(
        ordinal=ledger.order_count,
        parent=_ordinal_of(ledger, body.parent),
        request=body,
        status=S.PENDING_NEW,
        lots=grid_of(instruments[body.instrument].lot_size).nearest(body.quantity),
    )
    ledger.recent.append(Recent(now_ns, body))
    if len(ledger.recent) >= 2 * RECENT_MAX:
        del ledger.recent[:-RECENT_MAX]
    return None


def report(ledger: Ledger, body: Report) -> Anomaly | None:
    """The venue's word on an order, or our wish to cancel it."""
    what = type(body).__name__
    status = _next_status(ledger, body.cl_ord_id, what)
    if isinstance(status, Anomaly):
        return status
    _enter(ledger, body.cl_ord_id, status)
    return None


def fill(ledger: Ledger, instruments: Sequence[Instrument], body: OrderFilled) -> Anomaly | None:
    """Counts a fill. The report has to agree with the order to the last lot."""
    order = ledger.orders.get(body.cl_ord_id)
    lots = grid_of(instruments[body.instrument].lot_size)
    last, filled, leaves = lots.nearest(body.last_qty), lots.nearest(body.cum_qty), lots.nearest(body.leaves_qty)
    status = _next_status(ledger, body.cl_ord_id, PARTIAL if leaves else FULL)
    if order is None or isinstance(status, Anomaly):
        return status if isinstance(status, Anomaly) else None
    if (order.request.instrument, order.request.side) != (body.instrument, body.side):
        return Anomaly("foreign fill", f"{body.trade_id} of {body.cl_ord_id} is for another instrument or side")
    if last <= 0 or filled != order.filled_lots + last or filled + leaves != order.lots:
        return Anomaly(
            "impossible fill",
            f"{body.trade_id} of {body.cl_ord_id}: {order.filled_lots} of {order.lots} lots were filled, "
            f"then {last} more made {filled} and left {leaves}",
        )
    order.filled_lots = filled
    ledger.fills += 1
    _enter(ledger, body.cl_ord_id, status)
    return None


def _next_status(ledger: Ledger, cl_ord_id: str, what: str) -> OrdStatus | Anomaly:
    order = ledger.orders.get(cl_ord_id)
    closed = ledger.closed.get(cl_ord_id)
    status = order.status if order else closed.status if closed else None
    if status is None:
        return Anomaly("unknown order", f"{what} for {cl_ord_id}, which nobody requested")
    after = TRANSITIONS[status].get(what)
    return after or Anomaly("illegal transition", f"{what} for {cl_ord_id}, which is {status}")


def _enter(ledger: Ledger, cl_ord_id: str, status: OrdStatus) -> None:
    order = ledger.orders[cl_ord_id]
    order.status = status
    if TRANSITIONS[status]:
        return
    del ledger.orders[cl_ord_id]
    ledger.closed[cl_ord_id] = ClosedOrder(order.ordinal, status)
    ledger.closed_counts[status] = ledger.closed_counts.get(status, 0) + 1
    if len(ledger.closed) > CLOSED_MAX:
        del ledger.closed[next(iter(ledger.closed))]


def _ordinal_of(ledger: Ledger, parent: str | None) -> int:
    known = (ledger.orders.get(parent) or ledger.closed.get(parent)) if parent else None
    return known.ordinal if known else 0
