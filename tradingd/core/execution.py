"""From decisions to orders, and from the venue's reports to positions.

Every order, whoever wants it, goes through `requests.request`.
"""

import math
from collections.abc import Iterable

import msgspec
import numpy as np

from tradingd.columns import BAR_RANGE, TickBatch
from tradingd.core import expiry, financing
from tradingd.core.protection import move_protection, protect_filled
from tradingd.core.requests import again_later, cancel, request, request_all, take_back
from tradingd.core.turn import Turn
from tradingd.core.watch import (
    held_until,
    note_peaks,
    recount,
    stand_at_worst,
    watch,
    watch_noted,
    watch_orders,
    watch_venue,
)
from tradingd.events import (
    AnyBody,
    CancelRequested,
    Decision,
    FundingRate,
    Halted,
    OperatorCommand,
    OrderFilled,
    OrderRejected,
    OrderRequested,
    OrdStatus,
    OrdType,
    Resumed,
)
from tradingd.kernels.closing import NEVER
from tradingd.kernels.scan import BAR_CLOSED, BAR_OPENED
from tradingd.reducers.post import post
from tradingd.risk import monitor
from tradingd.risk.context import RiskContext, on_the_way
from tradingd.risk.sizing import order_for
from tradingd.simulation import venue
from tradingd.simulation.state import Tick

FLATTEN = "flatten"


# --- wishes -----------------------------------------------------------------------------------------------------------


def follow(turn: Turn, decision: Decision, before: Decision | None) -> None:
    """Brings position and protection in line with a new decision."""
    turn.memory.instruments["refused"][decision.instrument] = 0
    if before is None or before.target != decision.target:
        turn.memory.instruments["traded"][decision.instrument] = 0
        _trade(turn, decision)
    elif (before.limit, before.trigger) != (decision.limit, decision.trigger) and _may_enter(turn, decision.instrument):
        _trade(turn, decision)
    move_protection(turn, decision)


def _may_enter(turn: Turn, instrument: int) -> bool:
    """Whether an entry's new prices matter: one works, or nothing does and nothing of what was sent last has traded."""
    if works := on_the_way(turn.state.ledger, instrument):
        return any(not order.request.reduce_only for order in works)
    return not turn.memory.instruments["traded"][instrument]


def _trade(turn: Turn, decision: Decision) -> None:
    """The next order to the target, once nothing works towards an older one. A turn to the other side closes first,
    and waits for that before it opens."""
    working = _take_back(turn, decision.instrument)
    turn.memory.instruments["waiting"][decision.instrument] = working
    if working:
        return
    context = turn.state.risk_context()
    order = order_for(context, decision)
    if order is None or not request(turn, order, context):
        return
    turn.memory.instruments["traded"][decision.instrument] = 0
    turns = decision.target * context.ledger.lots(decision.instrument) < 0
    turn.memory.instruments["waiting"][decision.instrument] = turns


def _take_back(turn: Turn, instrument: int) -> bool:
    """Cancels what works towards an older decision; True while anything is on its way."""
    working = on_the_way(turn.state.ledger, instrument)
    for order in working:
        if order.request.reason == "decision" and order.status is not OrdStatus.PENDING_CANCEL:
            cancel(turn, CancelRequested(order.request.cl_ord_id, "superseded"))
    return bool(working)


def _go_on(turn: Turn) -> None:
    """Trades the decisions that waited for older orders to end; keeps everything closed after a flatten."""
    ledger = turn.state.ledger
    for instrument, waits in enumerate(turn.memory.instruments["waiting"].tolist()):
        if waits and not on_the_way(ledger, instrument):
            _trade(turn, ledger.decisions[instrument])
    if FLATTEN in ledger.halts:
        _close_all(turn, FLATTEN)


def _close_all(turn: Turn, reason: str) -> None:
    """What was refused has its own time."""
    for index in np.flatnonzero(turn.memory.instruments["refused"] == 0).tolist():
        request_all(turn, monitor.closing_orders(turn.state.risk_context(), index, reason))


def _retry(turn: Turn) -> bool:
    """Asks again for what protects or closes a position, as far as it is still missing; False where it is not time."""
    ledger, records = turn.state.ledger, turn.memory.instruments
    if min(turn.memory.retry_ns.tolist()) > turn.now_ns:
        return False
    for index in np.flatnonzero(records["retry_ns"] <= turn.now_ns).tolist():
        records["retry_ns"][index] = NEVER
        if FLATTEN in ledger.halts:
            request_all(turn, monitor.closing_orders(turn.state.risk_context(), index, FLATTEN))
        elif _has_to_wait(turn, index):
            again_later(turn, index)
        elif index in ledger.decisions:
            move_protection(turn, ledger.decisions[index])
    return True


def _has_to_wait(turn: Turn, instrument: int) -> bool:
    """Until a market order has ended, and until there is a price for a trail to begin at."""
    ledger = turn.state.ledger
    if any(order.request.ord_type is OrdType.MARKET for order in on_the_way(ledger, instrument)):
        return True
    decision = ledger.decisions.get(instrument)
    return decision is not None and decision.trail is not None and math.isnan(turn.memory.market.last[instrument])


# --- what the operator says -------------------------------------------------------------------------------------------


def halt(turn: Turn, command: OperatorCommand) -> None:
    """Stops new exposure and takes back what could add to it; what protects a position stays."""
    _halt(turn, Halted(rule="operator", text=command.reason or "halted by hand", by=command.actor))


def resume(turn: Turn, command: OperatorCommand) -> None:
    """Lifts every halt. Losses count from here on, or the same loss would halt again."""
    turn.emit(Resumed(command.actor, command.reason))
    recount(turn.state)


def flatten(turn: Turn, command: OperatorCommand) -> None:
    """Halts, and closes every position, also what orders that could not be taken back in time still open."""
    _halt(turn, Halted(rule=FLATTEN, text=command.reason or "flattened by hand", by=command.actor))
    turn.memory.instruments["refused"] = 0
    _close_all(turn, FLATTEN)


def _halt(turn: Turn, halted: Halted) -> None:
    turn.emit(halted)
    take_back(turn, halted.rule)


def heed_anomaly(turn: Turn) -> None:
    """What could add exposure is taken back when something happened that can not happen."""
    if turn.has_anomaly:
        turn.has_anomaly = False
        take_back(turn, "anomaly")
        watch(turn.state)


def open_books(turn: Turn) -> None:
    """The first start of a journal: losses count from the opening balances. Later starts change nothing."""
    financing.count_on(turn.state)
    monitor.roll(turn.state.risk_context())
    watch(turn.state)


# --- what time and the market bring -----------------------------------------------------------------------------------


def on_time(turn: Turn) -> None:
    """Holding is paid for, orders and cancels arrive at the venue, orders expire, what was refused is asked for again,
    days begin."""
    m = turn.memory
    was_charged = _hold(turn)
    bodies = venue.on_time(m.venue, m.terms, m.market, turn.now_ns)
    _report(turn, bodies)
    was_refused = _retry(turn)  # maybe what liquidates, which is asked for again where losses are looked at
    has_filled = OrderFilled in map(type, bodies)
    if was_charged or was_refused or has_filled or monitor.next_roll_ns(m.risk, turn.now_ns) <= turn.now_ns:
        _watch_losses(turn, by_time=True)
    else:
        watch_venue(turn.state)


def _hold(turn: Turn) -> bool:
    """Charges what holding costs and settles what expires, in the order of time: what has reached the venue before is
    there. False where nothing was due."""
    m, first_ns = turn.memory, held_until(turn.state)
    due_ns = first_ns
    while due_ns <= turn.now_ns:
        _report(turn, venue.on_time(m.venue, m.terms, m.market, due_ns - 1))
        if financing.next_ns(turn.state) > due_ns:
            _expire(turn, due_ns)
        else:
            nothing_comes = venue.due_ns(m.venue) > turn.now_ns
            financing.charge(turn, min(turn.now_ns, expiry.next_ns(turn.state)) if nothing_comes else due_ns)
        due_ns = held_until(turn.state)
    return first_ns <= turn.now_ns


def _expire(turn: Turn, due_ns: int) -> None:
    m = turn.memory
    for index in expiry.due(turn.state, due_ns):
        m.instruments["waiting"][index], m.instruments["retry_ns"][index] = 0, NEVER
        _report(turn, venue.expire(m.venue, turn.state.ledger.orders.values(), index))
        for order in monitor.closing_orders(turn.state.risk_context(), index, expiry.EXPIRY):
            _settle(turn, msgspec.structs.replace(order, cl_ord_id=turn.next_id()))


def _settle(turn: Turn, order: OrderRequested) -> None:
    """At the last mark, free of charge. It is the venue's own order: no gate has a say in it."""
    turn.emit(order)
    mark = float(turn.memory.market.last[order.instrument])
    _fill(turn, venue.settle(turn.memory.venue, turn.memory.terms, order, mark))


def fund(turn: Turn, body: FundingRate) -> None:
    """A venue charges at the rate that it has told."""
    financing.charge_funding(turn, body.instrument, body.rate)
    _watch_losses(turn, by_time=True)


def on_tick(turn: Turn, batch: TickBatch, row: int) -> None:
    """The venue matches its orders against one row."""
    m = turn.memory
    tick = Tick(
        batch.kind.item(row),
        batch.flags.item(row),
        batch.price.item(row),
        batch.size.item(row),
        batch.ask_price.item(row),
        batch.ask_size.item(row),
    )
    index = batch.instrument.item(row)
    if bodies := venue.on_tick(m.venue, m.terms, index, tick, m.market, turn.now_ns):
        _report(turn, bodies)
        if tick.kind == BAR_RANGE:
            stand_at_worst(turn.state, index, tick.price, tick.ask_price)
        _watch_losses(turn)
    elif index in m.rates:
        _watch_losses(turn)
    else:
        watch_orders(turn.state, index)


def on_breach(turn: Turn) -> None:
    """An account may have crossed a floor: looks at it in exact units."""
    _watch_losses(turn)


def _watch_losses(turn: Turn, *, by_time: bool = False) -> None:
    """Halts and liquidates where that is due, and watches on. Nothing is posted meanwhile. `by_time`: no price
    has moved."""
    context = turn.state.risk_context()
    note_peaks(turn.state)
    if turn.state.warming:
        monitor.roll(context)
    else:
        _stop_losses(turn, context, by_time)
    watch_noted(turn.state, context)


def _stop_losses(turn: Turn, context: RiskContext, by_time: bool) -> None:
    for halted in monitor.breaches(context):
        _halt(turn, halted)
    monitor.roll(context)
    orders = monitor.liquidation_orders(context)
    request_all(turn, [order for order in orders if not _awaits_range(turn, order.instrument, by_time)])


def _awaits_range(turn: Turn, instrument: int, by_time: bool) -> bool:
    """Margin of an account that holds something through a bar is looked at once, at the worst of its range, which comes
    next; what was charged between two bars, when nobody trades, is looked at there too."""
    phases, accounts = turn.memory.instruments["opened"], turn.memory.instruments["account"]
    if by_time and phases[instrument] == BAR_CLOSED:
        return True
    opened = np.flatnonzero((phases == BAR_OPENED) & (accounts == accounts[instrument])).tolist()
    return any(turn.state.ledger.lots(index) for index in opened)


def _report(turn: Turn, bodies: Iterable[AnyBody]) -> None:
    """Journals what the venue says, and what follows for money and protection. While warming the record says it."""
    if turn.state.warming:
        return
    for body in bodies:
        if type(body) is OrderFilled:
            _fill(turn, body)
        elif type(body) is OrderRejected:
            _reject(turn, body)
        else:
            turn.emit(body)
    _go_on(turn)


def _reject(turn: Turn, rejected: OrderRejected) -> None:
    order = turn.state.ledger.orders.get(rejected.cl_ord_id)
    turn.emit(rejected)
    if order is not None and order.request.reduce_only:
        again_later(turn, order.request.instrument)


def _fill(turn: Turn, fill: OrderFilled) -> None:
    ledger = turn.state.ledger
    turn.memory.instruments["refused"][fill.instrument] = 0
    order = ledger.orders.get(fill.cl_ord_id)
    before = ledger.lots(fill.instrument) * fill.side.sign
    if not turn.emit(fill):
        return
    for fact in post(ledger, turn.state.settings.instruments, fill):
        turn.emit(fact)
    if order is not None and order.request.reason == "decision":
        turn.memory.instruments["traded"][fill.instrument] = 1
    opens = ledger.lots(fill.instrument) * fill.side.sign > 0 and (before <= 0 or fill.cum_qty == fill.last_qty)
    if order is not None and opens:
        protect_filled(turn, order.request, fill)
