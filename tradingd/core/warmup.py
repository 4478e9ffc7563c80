"""A new run of other code or settings: the ledger is kept, memory is warmed up with recorded inputs."""

import math
from collections.abc import Iterable, Mapping, Sequence

from tradingd.core.advance import Item, advance
from tradingd.core.books import Books
from tradingd.core.financing import count_on
from tradingd.core.memory import Library
from tradingd.core.settings import CoreSettings
from tradingd.core.state import State, initial_state
from tradingd.core.watch import forget_peaks, watch
from tradingd.events import OrdStatus
from tradingd.reducers.ledger import open_accounts
from tradingd.risk import monitor
from tradingd.simulation import venue
from tradingd.simulation.state import VenueOrder

MS_NS = 1_000_000


def warm_state(settings: CoreSettings, library: Library, books: Books, past: Iterable[Sequence[Item]]) -> State:
    """The state after `past`, of which the facts are discarded: strategies saw it; the rest is what the record says.

    Losses count on from where they were counted. The first signal of each strategy is told again at its next bar. Open
    orders go back to the simulated venue.
    """
    state = initial_state(settings, library)
    state.ledger.run = books.ledger.run
    state.warming = True
    for items in past:
        advance(state, items)
    state.warming = False
    state.ledger, state.memory.risk = books.ledger, books.risk
    open_accounts(state.ledger, settings.accounts)
    state.memory.told["target"] = math.nan  # equal to nothing, so that every slot tells what it wants at its next bar
    _reopen_venue(state, books.laid)
    # what was refused is not known any more, so every position is looked at once
    state.memory.instruments["retry_ns"] = state.memory.core_ns + settings.risk.retry_interval_ms * MS_NS
    forget_peaks(state)
    count_on(state)
    monitor.roll(state.risk_context())
    watch(state)
    return state


def _reopen_venue(state: State, laid: Mapping[str, VenueOrder]) -> None:
    """What the ledger says that the venue holds."""
    m = state.memory
    m.venue.lots = {index: position.lots for index, position in state.ledger.positions.items()}
    m.venue.trades = state.ledger.fills
    m.instruments["traded"] = 1  # what does not work any more is not sent again, whatever became of it
    for cl_ord_id, order in state.ledger.orders.items():
        venue.adopt(m.venue, m.terms, order, m.market, m.core_ns, laid=laid.get(cl_ord_id))
        if order.status is OrdStatus.PENDING_CANCEL and order.request.reason == "decision":
            m.instruments["waiting"][order.request.instrument] = 1  # the decision that took it back has to trade yet
        if order.status is OrdStatus.PENDING_CANCEL:
            venue.cancel(m.venue, m.terms, cl_ord_id, m.core_ns)
        if order.request.reduce_only and order.request.reason == "decision":
            decision = state.ledger.decisions[order.request.instrument]
            turns = decision.target * state.ledger.lots(order.request.instrument) < 0
            m.instruments["waiting"][order.request.instrument] |= turns  # the first half of a turn has to end yet
