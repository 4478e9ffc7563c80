"""A state as plain named data: what `trade state` shows and `trade diff` compares."""

import math
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
import numpy as np
from msgspec import Struct

from tradingd.audit.points import time_text
from tradingd.audit.runs import Names
from tradingd.audit.tally import Money, accounts
from tradingd.audit.words import in_words
from tradingd.columns import TIMEFRAMES
from tradingd.core.memory import Memory, Records
from tradingd.core.snapshot import state_digest
from tradingd.core.state import State
from tradingd.events import Decision, Signal
from tradingd.grid import grid_of, money_text
from tradingd.kernels.calls import PRICES
from tradingd.kernels.market import Market
from tradingd.reducers.ledger import Order
from tradingd.strategies.contract import CompiledInstance, PythonInstance


class PositionView(Struct):
    """Prices are None where none is known; money as decimal text."""

    quantity: float
    average_price: float | None
    mark: float | None
    unrealized: str
    realized: str


class OrderView(Struct):
    cl_ord_id: str
    order: str
    status: str
    filled: float


class Wish(Struct):
    """Of a signal or of a decision, which has no confidence."""

    target: float
    price: float
    confidence: float | None
    stop: float | None
    take_profit: float | None
    limit: float | None
    trigger: float | None
    trail: float | None


class StateView(Struct):
    """Everything by name: instruments by id, accounts by currency, open orders by ordinal (#12 is the journal's 12th).

    `counts` are over all runs; `memory` is empty unless it was asked for.
    """

    seq: int
    core_time: str
    core_time_ns: int
    digest: str
    accounts: dict[str, Money]
    positions: dict[str, PositionView]
    orders: dict[str, OrderView]
    halts: dict[str, str]
    limits: dict[str, float | None]
    signals: dict[str, dict[str, Wish]]
    decisions: dict[str, Wish]
    refusals: dict[str, int]
    counts: dict[str, int]
    cursors: dict[str, int]
    feeds: dict[str, str]
    memory: dict[str, Any] = {}


def view(state: State, *, memory: bool = False) -> StateView:
    ledger, ids = state.ledger, [instrument.id for instrument in state.settings.instruments]
    return StateView(
        seq=state.seq,
        core_time=time_text(state.memory.core_ns),
        core_time_ns=state.memory.core_ns,
        digest=state_digest(state),
        accounts=accounts(state),
        positions={ids[index]: _position(state, index) for index in sorted(ledger.positions)},
        orders={f"#{order.ordinal}": _order(state, order) for order in ledger.orders.values()},
        halts={rule: f"{halt.text} (by {halt.by})" for rule, halt in ledger.halts.items()},
        limits=dict(ledger.limits),
        signals={
            strategy: {ids[index]: _wish(signal) for index, signal in sorted(wishes.items())}
            for strategy, wishes in sorted(ledger.signals.items())
        },
        decisions={ids[index]: _wish(decision) for index, decision in sorted(ledger.decisions.items())},
        refusals=dict(sorted(ledger.refusals.items())),
        counts=_counts(state),
        cursors=dict(ledger.cursors),
        feeds={feed: status.value for feed, status in ledger.feeds.items()},
        memory=memory_view(state) if memory else {},
    )


def _position(state: State, index: int) -> PositionView:
    context = state.risk_context()
    instrument, position, mark = context.instruments[index], context.ledger.positions[index], context.mark(index)
    units = context.ledger.accounts[instrument.currency].units_per_one
    quantity = grid_of(instrument.lot_size).value(position.lots)
    worth = position.cost if math.isnan(mark) else context.units(index, position.lots, mark)
    return PositionView(
        quantity=quantity,
        average_price=position.cost / units / quantity / instrument.multiplier if quantity else None,
        mark=_known(mark),
        unrealized=money_text(worth - position.cost, units),
        realized=money_text(position.realized, units),
    )


def _order(state: State, order: Order) -> OrderView:
    lots = grid_of(state.settings.instruments[order.request.instrument].lot_size)
    return OrderView(
        cl_ord_id=order.request.cl_ord_id,
        order=in_words(order.request, Names(state.settings, ())),
        status=order.status.value,
        filled=lots.value(order.filled_lots),
    )


def _wish(body: Signal | Decision) -> Wish:
    confidence = body.confidence if isinstance(body, Signal) else None
    return Wish(body.target, body.price, confidence, *(getattr(body, name) for name in PRICES))


def _counts(state: State) -> dict[str, int]:
    ledger = state.ledger
    orders = {"orders": ledger.order_count, "open": len(ledger.orders), **dict(sorted(ledger.closed_counts.items()))}
    return orders | {name: getattr(ledger, name) for name in ("fills", "anomalies", "late_ticks", "gaps")}


# --- memory -----------------------------------------------------------------------------------------------------------


def memory_view(state: State) -> dict[str, Any]:
    """What can be rebuilt: prices, bars in progress, strategies, the simulated venue, what losses are counted from."""
    m = state.memory
    return {
        "market": {ids: _prices(m.market, index) for index, ids in enumerate(_ids(state))},
        "bars": {ids: _in_progress(m.work[index]) for index, ids in enumerate(_ids(state))},
        "strategies": {f"{s.strategy} {_ids(state)[s.instrument]}": _slot(m, row) for row, s in enumerate(m.table)},
        "venue": msgspec.to_builtins(m.venue, str_keys=True),
        "watermarks": msgspec.to_builtins(m.risk.watermarks),
    }


def _ids(state: State) -> list[str]:
    return [instrument.id for instrument in state.settings.instruments]


def _prices(market: Market, index: int) -> dict[str, Any]:
    names = ("last", "last_size", "bid", "bid_size", "ask", "ask_size")
    return {name: _plain(getattr(market, name)[index]) for name in names}


def _in_progress(row: Records) -> dict[str, Any]:
    return {TIMEFRAMES[index]: _plain(work) for index, work in enumerate(row) if work["trades"]}


def _slot(memory: Memory, row: int) -> dict[str, Any]:
    """The strategy's state and those of its exits, and what it wanted last; of several instruments the first has it."""
    slot = memory.table[row]
    own = {} if slot.instance is None else {"state": _instance(slot.instance)}
    return own | {"exits": [_instance(leave) for leave in slot.exits], "wish": _plain(memory.wishes[row])}


def _instance(instance: CompiledInstance | PythonInstance) -> Any:
    if isinstance(instance, CompiledInstance):
        return _plain(instance.state[0])
    return msgspec.to_builtins(instance.state, str_keys=True)


def _plain(value: Any) -> Any:
    """NumPy as plain data, records as dicts; NaN as None."""
    if isinstance(value, np.void) and value.dtype.names:
        return {name: _plain(value[name]) for name in value.dtype.names}
    if isinstance(value, np.ndarray):
        return [_plain(each) for each in value]
    return _known(value.item())


def _known(value: Any) -> Any:
    return None if isinstance(value, float) and math.isnan(value) else value


# --- the difference between two ---------------------------------------------------------------------------------------


class Change(Struct):
    """None on a side where there is nothing at the path."""

    path: str
    old: Any
    new: Any


def changes(old: StateView, new: StateView, *, left_out: Iterable[str] = ()) -> list[Change]:
    """Every path whose value is another one, in the order of the views; keys in `left_out` are not looked at."""
    names = tuple(left_out)
    was, is_now = (dict(leaves(msgspec.to_builtins(view), names)) for view in (old, new))
    paths = dict.fromkeys([*was, *is_now])
    return [Change(path, was.get(path), is_now.get(path)) for path in paths if was.get(path) != is_now.get(path)]


def leaves(value: Any, left_out: tuple[str, ...] = (), path: str = "") -> Iterator[tuple[str, Any]]:
    """Every value that is no table, with its path."""
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            if key not in left_out:
                yield from leaves(inner, left_out, f"{path}.{key}" if path else str(key))
    elif value != {}:
        yield path, value
