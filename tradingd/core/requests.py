"""How orders and cancels leave: every order, whoever wants it, goes through `request`."""

from collections.abc import Iterable

import msgspec

from tradingd.core.turn import Turn
from tradingd.events import CancelRequested, OrderRefused, OrderRequested
from tradingd.kernels.closing import NEVER
from tradingd.risk.bracket import cancels
from tradingd.risk.context import RiskContext
from tradingd.risk.gate import review
from tradingd.simulation import venue

MS_NS = 1_000_000


def request(
    turn: Turn, order: OrderRequested, context: RiskContext | None = None, *, latency_ns: int | None = None
) -> bool:
    """Puts an order to the gate and, if it passes, to the venue. `context`: one of after the last posting; `latency_ns`
    is 0 where the venue itself holds it."""
    own = msgspec.structs.replace(order, cl_ord_id=turn.next_id())
    verdict = review(own, context or turn.state.risk_context())
    if isinstance(verdict, OrderRefused):
        turn.emit(verdict)
        if order.reduce_only:
            again_later(turn, order.instrument)
        return False
    turn.emit(verdict.order)
    m = turn.memory
    venue.submit(m.venue, m.terms, verdict, turn.now_ns, latency_ns=latency_ns)
    return True


def again_later(turn: Turn, instrument: int) -> None:
    """What reduces was refused: it is looked at again after a while, and given up after `retries_max` times, until a
    decision, a fill or an operator changes something."""
    record, settings = turn.memory.instruments[instrument], turn.state.settings.risk
    if record["retry_ns"] == NEVER:
        record["refused"] += 1
        if record["refused"] <= settings.retries_max:
            record["retry_ns"] = turn.now_ns + settings.retry_interval_ms * MS_NS


def request_all(turn: Turn, orders: Iterable[OrderRequested]) -> None:
    for order in orders:
        request(turn, order)


def cancel(turn: Turn, wish: CancelRequested, *, latency_ns: int | None = None) -> None:
    turn.emit(wish)
    venue.cancel(turn.memory.venue, turn.memory.terms, wish.cl_ord_id, turn.now_ns, latency_ns=latency_ns)


def take_back(turn: Turn, reason: str) -> None:
    """Cancels every open order that could add exposure."""
    for wish in cancels(turn.state.ledger, reason):
        cancel(turn, wish)
