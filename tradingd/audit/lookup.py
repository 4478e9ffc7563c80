"""Single events, ticks and bars of a journal by their position."""

from collections.abc import Sequence
from typing import Any

import msgspec

from tradingd.audit.errors import AuditError
from tradingd.audit.points import Position
from tradingd.audit.runs import ASK
from tradingd.audit.words import Row
from tradingd.events import Event
from tradingd.journal.reader import JournalReader
from tradingd.journal.tables import event_of


class Lookup:
    """Asks the readable segments. What is asked about one seq is remembered."""

    def __init__(self, reader: JournalReader) -> None:
        self._reader = reader
        self._events: dict[int, list[Event]] = {}

    def tick(self, seq: int) -> Row | None:
        return self._row(f"SELECT * FROM ticks WHERE seq = {seq}")

    def bar(self, at: Position) -> Row | None:
        return self._row(f"SELECT * FROM bars WHERE seq = {at.seq} AND n = {at.n}")

    def bars_at(self, seq: int) -> list[Row]:
        return self._rows(f"SELECT * FROM bars WHERE seq = {seq} ORDER BY n")

    def bar_closed(self, instrument: int, timeframe: int, ts_close_ns: int) -> Row | None:
        return self._row(
            f"SELECT * FROM bars WHERE instrument = {instrument} AND timeframe = {timeframe} "
            f"AND ts_close_ns = {ts_close_ns}"
        )

    def ticks_of(self, bar: Row, kind: int) -> tuple[int, int, int]:
        """First seq, last seq and number of the ticks that a bar is made of; 0, 0, 0 where there is none."""
        found = self._row(
            "SELECT coalesce(min(seq), 0) AS first, coalesce(max(seq), 0) AS last, count(*) AS ticks FROM ticks "
            f"WHERE seq <= {bar['seq']} AND instrument = {bar['instrument']} AND kind = {kind} AND flags & 4 = 0 "
            f"AND ts_event_ns >= {bar['ts_open_ns']} AND ts_event_ns < {bar['ts_close_ns']}"
        )
        return (found["first"], found["last"], found["ticks"]) if found else (0, 0, 0)

    def event(self, at: Position) -> Event | None:
        return next((event for event in self.events_at(at.seq) if event.n == at.n), None)

    def events_at(self, seq: int) -> list[Event]:
        """The input, where it is no tick, and the facts that it caused, bars left out."""
        if seq not in self._events:
            self._events[seq] = self.events(f"seq = {seq}")
        return self._events[seq]

    def events(self, condition: str) -> list[Event]:
        """In order."""
        return events_of(self._reader, f"WHERE {condition} ORDER BY seq, n")

    def newest(self, before: Position, condition: str) -> Event | None:
        """The newest event before a position for which a condition in SQL holds."""
        earlier = f"(seq < {before.seq} OR seq = {before.seq} AND n < {before.n})"
        found = events_of(self._reader, f"WHERE {earlier} AND {condition} ORDER BY seq DESC, n DESC LIMIT 1")
        return found[0] if found else None

    def oldest(self, from_position: Position, condition: str) -> Event | None:
        """The first event at or after a position for which a condition in SQL holds."""
        at = from_position
        later = f"(seq > {at.seq} OR seq = {at.seq} AND n >= {at.n})"
        found = events_of(self._reader, f"WHERE {later} AND {condition} ORDER BY seq, n LIMIT 1")
        return found[0] if found else None

    def of_order(self, cl_ord_id: str, types: Sequence[str]) -> list[Event]:
        """What happened to an order, in order."""
        names = ", ".join(f"'{name}'" for name in types)
        return self.events(f"cl_ord_id = {quoted(cl_ord_id)} AND type IN ({names})")

    def _row(self, query: str) -> Row | None:
        return next(iter(self._rows(query)), None)

    def _rows(self, query: str) -> list[dict[str, Any]]:
        return self._reader.sql(query).to_dicts()


def events_of(reader: JournalReader, clauses: str) -> list[Event]:
    """Rows of the table `facts` as events. Raises AuditError for one that can not be read."""
    rows = reader.sql(f"SELECT * FROM facts {clauses}").rows()
    try:
        return [event_of(row) for row in rows]
    except msgspec.MsgspecError as error:
        raise AuditError(f"an event of the journal can not be read ({error}); {ASK}") from error


def quoted(text: str) -> str:
    """A string in SQL."""
    return "'" + text.replace("'", "''") + "'"
