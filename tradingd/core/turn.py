"""One call of `advance`: where it stands and the facts it has made so far."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tradingd.columns import BAR, TickBatch
from tradingd.commit import BarRows, Commit
from tradingd.core.memory import Memory
from tradingd.core.state import State
from tradingd.events import AnyBody, Event, Input, LateTick
from tradingd.reducers.apply import apply


@dataclass(slots=True)
class Turn:
    state: State
    first_seq: int
    ticks: list[tuple[int, TickBatch]] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    bars: list[BarRows] = field(default_factory=list)

    @property
    def memory(self) -> Memory:
        return self.state.memory

    @property
    def now_ns(self) -> int:
        return self.state.memory.core_ns

    def take_input(self, item: Input) -> None:
        """The input itself, at n = 0."""
        seq = self.state.seq + 1
        self.events.append(Event(seq, 0, item.ts_event_ns, item.ts_received_ns, item.source, item.body))

    def emit(self, body: AnyBody) -> None:
        """A fact at the next position of the input in hand."""
        cursor = self.memory.cursor[0]
        cursor["n"] += 1
        self._record(Event(int(cursor["seq"]), int(cursor["n"]), self.now_ns, self.now_ns, "", body))

    def _record(self, event: Event) -> None:
        self.events.append(event)
        self.note(event.body)

    def note(self, body: AnyBody) -> None:
        """Folds a body into the ledger; what can not happen becomes a fact that stops new exposure."""
        anomaly = apply(self.state.ledger, self.state.settings.instruments, body, self.now_ns)
        if anomaly is not None:
            self.emit(anomaly)

    def next_id(self) -> str:
        """ClOrdID of an order requested as the next fact: derivable again from the journal alone."""
        cursor = self.memory.cursor[0]
        run = self.state.ledger.run
        assert run is not None, "an order before RunStarted"
        return f"{run.journal_id}-{run.epoch}-{cursor['seq']}-{cursor['n'] + 1}"

    def drain(self) -> None:
        """Takes what the scan has put out: late ticks become facts, bars rows."""
        cursor, room = self.memory.cursor[0], self.memory.scratch
        for seq, n, core_ns, instrument, closed_ns in room.late[: int(cursor["late"])].tolist():
            self._record(Event(seq, n, core_ns, core_ns, "", LateTick(instrument, closed_ns)))
        cursor["late"] = 0
        if count := int(cursor["bars"]):
            self.bars.append(BarRows(room.bar_seq[:count].copy(), room.bar_n[:count].copy(), room.bars[:count].copy()))
            cursor["bars"] = 0

    def commit(self) -> Commit:
        return Commit(self.first_seq, self.state.seq, tuple(self.ticks), tuple(self.events), _joined(self.bars))


def _joined(parts: list[BarRows]) -> BarRows:
    if not parts:
        return BarRows.empty()
    joined: Any = np.concatenate([p.rows for p in parts]).astype(BAR, copy=False)
    return BarRows(np.concatenate([p.seq for p in parts]), np.concatenate([p.n for p in parts]), joined)
