"""One call of `advance`: where it stands and the facts it has made so far."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tradingd.columns import BAR, TickBatch
from tradingd.commit import BarRows, Commit
from tradingd.core.memory import Memory
from tradingd.core.state import State
from tradingd.events import Anomaly, AnyBody, Event, Input, LateTick
from tradingd.reducers.apply import apply


@dataclass(slots=True)
class Turn:
    """`seq`, `n` and `now_ns` are where the scan stopped last: the input in hand, the facts that it has, core time."""

    state: State
    first_seq: int
    ticks: list[tuple[int, TickBatch]] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    bars: list[BarRows] = field(default_factory=list)
    seq: int = 0
    n: int = 0
    now_ns: int = 0
    has_anomaly: bool = False
    memory: Memory = field(init=False)

    def __post_init__(self) -> None:
        self.memory = self.state.memory

    def take_input(self, item: Input) -> None:
        """The input itself, at n = 0."""
        seq = self.state.seq + 1
        self.events.append(Event(seq, 0, item.ts_event_ns, item.ts_received_ns, item.source, item.body))

    def emit(self, body: AnyBody) -> bool:
        """A fact at the next position of the input in hand; False where it can not be."""
        self.n += 1
        self.events.append(Event(self.seq, self.n, self.now_ns, self.now_ns, "", body))
        return self.note(body)

    def note(self, body: AnyBody) -> bool:
        """Folds a body into the ledger; what can not happen becomes a fact that stops new exposure."""
        anomaly = apply(self.state.ledger, self.state.settings.instruments, body, self.now_ns)
        if type(body) is Anomaly:
            self.has_anomaly = True
        if anomaly is not None:
            self.emit(anomaly)
        return anomaly is None

    def next_id(self) -> str:
        """ClOrdID of an order requested as the next fact: derivable again from the journal alone."""
        run = self.state.ledger.run
        assert run is not None, "an order before RunStarted"
        return f"{run.journal_id}-{run.epoch}-{self.seq}-{self.n + 1}"

    def stand_at(self, seq: int) -> None:
        """At the input `seq`, which has no facts yet, without a scan."""
        cursor = self.memory.cursor
        cursor["seq"], cursor["n"] = seq, 0
        self.stopped()

    def stopped(self) -> None:
        """The scan has stopped: takes over where it stands, and its late ticks, which become facts."""
        cursor = self.memory.cursor
        self.seq, self.n, self.now_ns, late, *_ = cursor.item()
        if late:
            for seq, n, core_ns, instrument, closed_ns in self.memory.scratch.late[:late].tolist():
                late_tick = LateTick(instrument, closed_ns)
                self.events.append(Event(seq, n, core_ns, core_ns, "", late_tick))
                self.note(late_tick)
            cursor["late"][0] = 0

    def go_on(self) -> None:
        """The scan goes on after the facts that were made here."""
        self.memory.cursor["n"][0] = self.n

    def take_bars(self) -> None:
        """Makes room for the scan to put out bars."""
        cursor, room = self.memory.cursor, self.memory.scratch
        if count := int(cursor["bars"][0]):
            self.bars.append(BarRows(room.bar_seq[:count].copy(), room.bar_n[:count].copy(), room.bars[:count].copy()))
            cursor["bars"][0] = 0

    def commit(self) -> Commit:
        self.take_bars()
        return Commit(self.first_seq, self.state.seq, tuple(self.ticks), tuple(self.events), _joined(self.bars))


def _joined(parts: list[BarRows]) -> BarRows:
    if not parts:
        return BarRows.empty()
    joined: Any = np.concatenate([p.rows for p in parts]).astype(BAR, copy=False)
    return BarRows(np.concatenate([p.seq for p in parts]), np.concatenate([p.n for p in parts]), joined)
