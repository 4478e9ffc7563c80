"""Backwards: from an order to its decision, from a decision to its signals, from a signal to its bar, to the ticks.

Facts name their causes: a fill its order, an order the decision before it or the order whose bracket it is, a decision
its voters, a signal its bar, and a bar the ticks between its ends.
"""

from collections.abc import Iterator
from typing import Any

from tradingd import events as e
from tradingd.audit.chain import Case, Step, instrument_of, place
from tradingd.audit.words import Row
from tradingd.columns import QUOTE, TRADE
from tradingd.events import Event
from tradingd.instruments import PriceSource


def of_report(case: Case, event: Event) -> Iterator[Step]:
    """Of what the venue or we said about an order."""
    body: Any = event.body
    yield from case.input("at input", event.seq)
    for accepted in case.lookup.of_order(body.cl_ord_id, ("OrderAccepted",)):
        if place(accepted) < place(event):
            yield case.step("accepted", accepted)
    order = case.order(body.cl_ord_id)
    if order is not None:
        yield from _superseding(case, event, order)
        yield case.step("ordered", order)
        yield from of_order(case, order)


def _superseding(case: Case, event: Event, order: Event) -> Iterator[Step]:
    """The decision or halt for which an order was to be cancelled."""
    if isinstance(event.body, e.CancelRequested):
        decision = case.before(event, e.Decision, instrument_of(order))
        because = decision or case.before(event, e.Halted)
        if because is not None:
            yield case.step("because of", because)


def of_order(case: Case, order: Event) -> Iterator[Step]:
    """Of an order, requested or refused."""
    refused = case.before(order, e.OrderRefused, instrument_of(order))
    if refused is not None and refused.n == order.n - 1:
        yield case.step("after", refused)
    decision, parent = decision_of(case, order), case.order(getattr(order.body, "parent", None))
    if decision is None or decision.seq != order.seq:
        yield from case.input("at input", order.seq)
    if decision is not None:
        yield case.step("decided by", decision)
        yield from of_decision(case, decision)
    elif parent is not None:
        yield case.step("protects", parent)
        yield from of_order(case, parent)


def decision_of(case: Case, order: Event) -> Event | None:
    """The one before it at the same input; a decision may also have waited until older orders had ended."""
    found = case.before(order, e.Decision, instrument_of(order))
    body: Any = order.body
    return found or (case.newest(order, "Decision", body.instrument) if body.reason == "decision" else None)


def of_decision(case: Case, decision: Event) -> Iterator[Step]:
    """Of a decision: the votes, and where the new ones came from."""
    body: Any = decision.body
    votes = [case.signal(place(decision), body.instrument, strategy) for strategy in body.voters]
    known = [vote for vote in votes if vote is not None]
    for vote in known:
        if vote.seq != decision.seq:
            yield case.step("older vote", vote)
    for vote in known:
        if vote.seq == decision.seq:
            yield case.step("new vote", vote)
            yield from of_signal(case, vote)


def of_signal(case: Case, signal: Event) -> Iterator[Step]:
    body: Any = signal.body
    timeframe = case.timeframe(body.strategy)
    if timeframe is None:
        return
    bar = case.lookup.bar_closed(body.instrument, timeframe, body.ts_bar_close_ns)
    if bar is not None:
        yield case.bar_step("from bar", bar)
        yield from of_bar(case, bar)


def of_bar(case: Case, bar: Row) -> Iterator[Step]:
    """Of a bar: the first and the last tick in it, and what closed it."""
    by_mid = case.names.settings.instruments[bar["instrument"]].price_source is PriceSource.MID
    first, last, ticks = case.lookup.ticks_of(bar, QUOTE if by_mid else TRADE)
    if ticks:
        yield from case.input("first of it", first)
        yield from case.input("last of it", last)
    yield from case.input("closed by", bar["seq"])
