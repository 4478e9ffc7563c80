"""The newest events of a journal, one line each."""

from collections.abc import Iterable, Sequence

from msgspec import Struct

from tradingd.audit.errors import AuditError
from tradingd.audit.lines import tick_type
from tradingd.audit.lookup import events_of, quoted
from tradingd.audit.points import Position, time_text
from tradingd.audit.runs import Names, runs_of
from tradingd.audit.words import bar_in_words, in_words, tick_in_words
from tradingd.columns import KIND_NAMES
from tradingd.events import BODY_TYPES, Event
from tradingd.journal.reader import JournalReader

START = Position(0)
ALL_TYPES = (*BODY_TYPES, "Bar", *KIND_NAMES.values())


class Line(Struct):
    seq: int
    n: int
    core_time: str
    type: str
    text: str


def position_of(line: Line) -> Position:
    return Position(line.seq, line.n)


def newest_events(
    reader: JournalReader, count: int, *, after: Position = START, types: Sequence[str] = ()
) -> list[Line]:
    """The newest events after a position, oldest first; bars and ticks only where `types` names them.

    Raises AuditError for a type that there is not.
    """
    if unknown := [kind for kind in types if kind not in ALL_TYPES]:
        raise AuditError(f"no events are of type {', '.join(unknown)}; there are: {', '.join(ALL_TYPES)}")
    runs = runs_of(reader)
    if not runs:
        return []
    names, found = runs[-1].names, list[Line]()
    if plain := [kind for kind in types or BODY_TYPES if kind in BODY_TYPES]:
        found += _events(reader, count, after, plain, names)
    if "Bar" in types:
        found += _bars(reader, count, after, names)
    if kinds := [kind for kind, name in KIND_NAMES.items() if name in types]:
        found += _ticks(reader, count, after, kinds, names)
    return sorted(found, key=lambda line: (line.seq, line.n))[-count:]


def _events(reader: JournalReader, count: int, after: Position, types: Sequence[str], names: Names) -> list[Line]:
    condition = f"type IN ({', '.join(map(quoted, types))})"
    found = events_of(reader, f"WHERE {_after(after)} AND {condition} {_newest(count)}")
    return [line_of(event, names) for event in found]


def line_of(event: Event, names: Names) -> Line:
    when = time_text(event.ts_received_ns)
    return Line(event.seq, event.n, when, type(event.body).__name__, in_words(event.body, names))


def _bars(reader: JournalReader, count: int, after: Position, names: Names) -> list[Line]:
    rows = reader.sql(f"SELECT * FROM bars WHERE {_after(after)} {_newest(count)}").to_dicts()
    return [Line(r["seq"], r["n"], time_text(r["ts_close_ns"]), "Bar", bar_in_words(r, names)) for r in rows]


def _ticks(reader: JournalReader, count: int, after: Position, kinds: Iterable[int], names: Names) -> list[Line]:
    condition = f"seq > {after.seq} AND kind IN ({', '.join(map(str, kinds))})"
    rows = reader.sql(f"SELECT * FROM ticks WHERE {condition} ORDER BY seq DESC LIMIT {count}").to_dicts()
    return [Line(r["seq"], 0, time_text(r["ts_received_ns"]), tick_type(r), tick_in_words(r, names)) for r in rows]


def _after(at: Position) -> str:
    return f"(seq > {at.seq} OR seq = {at.seq} AND n > {at.n})"


def _newest(count: int) -> str:
    return f"ORDER BY seq DESC, n DESC LIMIT {count}"
