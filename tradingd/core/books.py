"""What the record alone says at its end: the ledger, what losses are counted from, and how far orders have come."""

from dataclasses import fields

from msgspec.structs import replace

from tradingd.columns import BAR_RANGE
from tradingd.commit import Commit
from tradingd.core.advance import advance
from tradingd.core.financing import count_on
from tradingd.core.record import cut, fold, has_failed, inputs_of, started
from tradingd.core.settings import BarSettings, CoreSettings, decode_settings
from tradingd.core.state import State, initial_state
from tradingd.core.watch import note_peaks, recount, stand_at_worst, watch, watch_orders
from tradingd.events import (
    AccountChanged,
    Event,
    FundingRate,
    OrderAccepted,
    OrderFilled,
    OrderRequested,
    PositionChanged,
    Resumed,
)
from tradingd.reducers.ledger import Ledger, open_accounts
from tradingd.reducers.post import FINANCING
from tradingd.risk import monitor
from tradingd.risk.context import RiskState
from tradingd.risk.settings import RiskSettings
from tradingd.simulation import venue
from tradingd.simulation.state import VenueOrder

# what is held, or has to be watched, is another after these
TURNS = (AccountChanged, PositionChanged, OrderAccepted, Resumed)


class Books:
    """Takes recorded commits in order, from the journal's first one on.

    Facts are folded as they were recorded, whatever code and settings are today's; recorded prices move the equity
    between them. Nothing is decided, and no strategy is stepped. Within a row at which the position changes, equity is
    looked at once, at the end of the row.
    """

    def __init__(self) -> None:
        self.ledger = Ledger()
        self.settings: CoreSettings
        self._state: State | None = None

    def take(self, recorded: Commit) -> None:
        if (body := started(recorded)) is not None:
            self._enter(decode_settings(body.config))
        if has_failed(recorded):
            fold(self.ledger, self.settings, recorded)
            return
        seqs = {event.seq: None for event in recorded.events if isinstance(event.body, TURNS)}
        for piece in cut(recorded, list(seqs)):
            self._relive(piece)

    @property
    def risk(self) -> RiskState:
        note_peaks(self._running)
        return self._running.memory.risk

    @property
    def laid(self) -> dict[str, VenueOrder]:
        """Working orders by ClOrdID: which stops have been triggered, how far those that trail have come, whose day it
        is."""
        return self._running.memory.venue.working

    @property
    def _running(self) -> State:
        assert self._state is not None, "a journal begins with RunStarted"
        return self._state

    def _enter(self, settings: CoreSettings) -> None:
        """A run: its own settings count for what it recorded."""
        self.settings = settings
        open_accounts(self.ledger, settings.accounts)
        before, self._state = self._state, _bare(settings, self.ledger)
        if before is not None:
            _carry(before, self._state)

    def _relive(self, piece: Commit) -> None:
        state = self._running
        turns = any(isinstance(event.body, TURNS) for event in piece.events)
        if turns:
            self._arrive(piece.events)
            state.memory.instruments["exposure"] = 0.0  # no price of this row moves what it is the end of
        entered = self._entered(piece)
        stops = state.memory.venue.working.values()
        kept = [(stop, stop.stop_px, stop.triggered) for stop in stops if stop.instrument in entered]
        self._charge(piece.events, 1)
        advance(state, inputs_of(piece))
        self._charge(piece.events, -1)
        for stop, level, triggered in kept:
            if not stop.triggered or triggered:
                stop.stop_px = level
        fold(self.ledger, self.settings, piece)
        if turns:
            self._stand_at_worst(piece)
            self._recount(piece.events)

    def _arrive(self, events: tuple[Event, ...]) -> None:
        """What the venue accepts at this row meets the market as it is before it."""
        m = self._running.memory
        requests = self._requests(events)
        for event in events:
            request = requests.get(event.body.cl_ord_id) if isinstance(event.body, OrderAccepted) else None
            if request is not None:
                venue.lay(m.venue, m.terms, request, m.market, event.ts_received_ns)
                watch_orders(self._running, request.instrument)

    def _requests(self, events: tuple[Event, ...]) -> dict[str, OrderRequested]:
        """What is open, and what was requested in this row: within a bar it may be accepted in the same one."""
        new = (event.body for event in events if isinstance(event.body, OrderRequested))
        open_ones = {name: order.request for name, order in self.ledger.orders.items()}
        return open_ones | {body.cl_ord_id: body for body in new}

    def _entered(self, piece: Commit) -> dict[int, None]:
        """Instruments in which something was entered within the range of a bar: no stop comes after its best."""
        ranged = {int(b.instrument[-1]): int(b.ts_received_ns[-1]) for _, b in piece.ticks if b.kind[-1] == BAR_RANGE}
        requests = self._requests(piece.events)
        return {
            event.body.instrument: None
            for event in piece.events
            if isinstance(event.body, OrderFilled)
            and ranged.get(event.body.instrument) == event.ts_received_ns
            and event.body.cl_ord_id in requests
            and not requests[event.body.cl_ord_id].reduce_only
        }

    def _charge(self, events: tuple[Event, ...], sign: int) -> None:
        """A day that begins in this row begins after what holding has cost by then; what a venue told comes later."""
        if any(isinstance(event.body, FundingRate) for event in events):
            return
        for body in (event.body for event in events):
            if isinstance(body, AccountChanged) and body.reason.split(" ")[0] in FINANCING:
                self.ledger.accounts[body.currency].balance += sign * body.change

    def _stand_at_worst(self, piece: Commit) -> None:
        for _, batch in piece.ticks:
            if batch.kind[-1] == BAR_RANGE:
                prices = float(batch.price[-1]), float(batch.ask_price[-1])
                stand_at_worst(self._running, int(batch.instrument[-1]), *prices)

    def _recount(self, events: tuple[Event, ...]) -> None:
        state = self._running
        working = state.memory.venue.working
        state.memory.venue.working = {name: order for name, order in working.items() if name in self.ledger.orders}
        if any(isinstance(event.body, Resumed) for event in events):
            recount(state)
        monitor.roll(state.risk_context())
        watch(state)


def _bare(settings: CoreSettings, ledger: Ledger) -> State:
    """A run's instruments without its strategies and limits. It shares money and positions with the ledger, and nothing
    else: what it thinks of the rest is not the record."""
    risk, bars = RiskSettings(daily_loss=None, drawdown=None), BarSettings(timeframes=("1m",))
    state = initial_state(replace(settings, strategies=(), risk=risk, bars=bars), {})
    state.ledger = Ledger(accounts=ledger.accounts, positions=ledger.positions)
    state.warming = True
    return state


def _carry(before: State, state: State) -> None:
    """Time, prices and marks go on over the start of a run. Indices keep their meaning; new instruments come last."""
    old, new = before.memory, state.memory
    new.cursor["core_ns"] = old.core_ns
    for field in fields(old.market):
        known = getattr(old.market, field.name)
        getattr(new.market, field.name)[: len(known)] = known
    note_peaks(before)
    new.risk, new.venue = old.risk, old.venue
    count_on(state)
    watch(state)
