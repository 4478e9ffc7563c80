"""The ledger as it would be had the run never been disturbed: the plain data that a state digest is taken of."""

from typing import Any

import msgspec

from tradingd.events import OrderRequested
from tradingd.reducers.ledger import Ledger, Order

LEFT_OUT = ("run", "feeds")  # who ran, and how it was connected


def digest_view(ledger: Ledger) -> dict[str, Any]:
    """Plain data with sorted keys, without run metadata, sequence numbers and order ids: orders are ordinals."""
    view = {name: getattr(ledger, name) for name in ledger.__struct_fields__ if name not in LEFT_OUT}
    view["orders"] = [_order(order) for order in ledger.orders.values()]
    view["closed"] = list(ledger.closed.values())
    view["recent"] = [[recent.ts_ns, _request(recent.order)] for recent in ledger.recent]
    plain: dict[str, Any] = msgspec.to_builtins(view, str_keys=True, order="deterministic")
    return plain


def _order(order: Order) -> dict[str, Any]:
    return {
        "ordinal": order.ordinal,
        "parent": order.parent,
        "status": order.status,
        "lots": order.lots,
        "filled_lots": order.filled_lots,
        "request": _request(order.request),
    }


def _request(order: OrderRequested) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(order)
    return {name: value for name, value in plain.items() if name not in ("cl_ord_id", "parent")}
