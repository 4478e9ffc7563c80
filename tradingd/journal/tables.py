"""The rows of one or more commits as the journal's tables have them, and their bytes for the digest."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tradingd.columns import FRAME, I64, TICK_COLUMNS, TICK_DTYPES, TickBatch
from tradingd.commit import BarRows, Commit
from tradingd.events import Event, decode_body, encode_body, type_name

Columns = Mapping[str, npt.NDArray[Any]]
FactRow = tuple[int, int, int, int, str, str, int | None, str | None, str]

TICK_FLOATS = ("price", "size", "ask_price", "ask_size")
BAR_FLOATS = ("open", "high", "low", "close", "volume", "vwap")

EMPTY = np.empty(0, np.int64)


class FactColumns(NamedTuple):
    """The table `facts`, inputs that are no ticks among it."""

    seq: Sequence[int]
    n: Sequence[int]
    ts_event_ns: Sequence[int]
    ts_received_ns: Sequence[int]
    source: Sequence[str]
    type: Sequence[str]
    instrument: Sequence[int | None]
    cl_ord_id: Sequence[str | None]
    payload: Sequence[str]

    def rows(self) -> Iterator[FactRow]:
        return zip(*self, strict=True)

    def part(self, rows: slice) -> "FactColumns":
        return FactColumns._make(column[rows] for column in self)


NO_TICKS: Columns = {
    "seq": EMPTY,
    "source": np.empty(0, np.uint16),
    **{name: np.empty(0, dtype) for name, dtype in TICK_DTYPES.items()},
}


@dataclass(frozen=True, slots=True)
class Tables:
    """ticks       seq, source and the tick columns; NaN and NO_VENUE_ID where the database has NULL
    frame_seq, frames   raw payloads of the rows of kind FRAME
    bars, facts    in (seq, n) order
    """

    ticks: Columns
    frame_seq: I64
    frames: Sequence[bytes]
    bars: BarRows
    facts: FactColumns

    @property
    def counts(self) -> tuple[int, int, int, int]:
        return len(self.ticks["seq"]), len(self.frame_seq), len(self.bars), len(self.facts.seq)

    def offsets(self, seqs: Sequence[int]) -> npt.NDArray[np.int64]:
        """Index of the first row at or after each seq, per table: shape (len(seqs), 4)."""
        tables = (self.ticks["seq"], self.frame_seq, self.bars.seq, np.array(self.facts.seq, np.int64))
        return np.column_stack([np.searchsorted(table, seqs) for table in tables])

    def part(self, start: Sequence[int], stop: Sequence[int]) -> "Tables":
        """Rows start..stop-1 of each table; arrays are views."""
        ticks, frames, bars, facts = (slice(*pair) for pair in zip(start, stop, strict=True))
        return Tables(
            {name: column[ticks] for name, column in self.ticks.items()},
            self.frame_seq[frames],
            self.frames[frames],
            BarRows(self.bars.seq[bars], self.bars.n[bars], self.bars.rows[bars]),
            self.facts.part(facts),
        )


def tables_of(commit: Commit) -> Tables:
    ticks = _tick_columns(commit.ticks) if commit.ticks else NO_TICKS
    return Tables(
        ticks=ticks,
        frame_seq=ticks["seq"][ticks["kind"] == FRAME],
        frames=[frame for _, batch in commit.ticks for frame in batch.frames],
        bars=_canonical(commit.bars) if len(commit.bars) else BarRows.empty(),
        facts=_fact_columns(commit.events),
    )


def commit_of(tables: Tables, first_seq: int, last_seq: int) -> Commit:
    """What was appended, with neighbouring batches of one source joined.

    Raises msgspec.ValidationError for an event that this version does not know.
    """
    events = tuple(event_of(row) for row in tables.facts.rows())
    return Commit(first_seq, last_seq, _batches(tables), events, tables.bars)


def _tick_columns(ticks: tuple[tuple[int, TickBatch], ...]) -> Columns:
    columns: dict[str, npt.NDArray[Any]] = {
        "seq": np.concatenate([np.arange(first, first + len(batch)) for first, batch in ticks]),
        "source": np.repeat(
            np.array([batch.source for _, batch in ticks], np.uint16), [len(batch) for _, batch in ticks]
        ),
    }
    for name in TICK_COLUMNS:
        columns[name] = np.concatenate([getattr(batch, name) for _, batch in ticks])
    for name in TICK_FLOATS:
        columns[name] += 0.0  # a checkpoint would turn -0.0 into 0.0
    return columns


def _canonical(bars: BarRows) -> BarRows:
    rows = bars.rows.copy()
    for name in BAR_FLOATS:
        rows[name] += 0.0
    return BarRows(bars.seq, bars.n, rows)


def _fact_columns(events: Sequence[Event]) -> FactColumns:
    bodies = [event.body for event in events]
    return FactColumns(
        seq=[event.seq for event in events],
        n=[event.n for event in events],
        ts_event_ns=[event.ts_event_ns for event in events],
        ts_received_ns=[event.ts_received_ns for event in events],
        source=[event.source for event in events],
        type=[type_name(body) for body in bodies],
        instrument=[getattr(body, "instrument", None) for body in bodies],
        cl_ord_id=[getattr(body, "cl_ord_id", None) for body in bodies],
        payload=[encode_body(body).decode() for body in bodies],
    )


def event_of(row: FactRow) -> Event:
    seq, n, ts_event_ns, ts_received_ns, source, _, _, _, payload = row
    return Event(seq, n, ts_event_ns, ts_received_ns, source, decode_body(payload))


def _batches(tables: Tables) -> tuple[tuple[int, TickBatch], ...]:
    seq, source = tables.ticks["seq"], tables.ticks["source"]
    if not len(seq):
        return ()
    borders = np.flatnonzero((np.diff(seq) != 1) | (np.diff(source.astype(np.int32)) != 0)) + 1
    edges = [0, *borders.tolist(), len(seq)]
    return tuple(_batch(tables, start, stop) for start, stop in pairwise(edges))


def _batch(tables: Tables, start: int, stop: int) -> tuple[int, TickBatch]:
    first, last = int(tables.ticks["seq"][start]), int(tables.ticks["seq"][stop - 1])
    frames = slice(*np.searchsorted(tables.frame_seq, (first, last + 1)))
    return first, TickBatch(
        source=int(tables.ticks["source"][start]),
        frames=tuple(tables.frames[frames]),
        # copies are writable, as a feed's columns are: kernels are compiled once for both
        **{name: tables.ticks[name][start:stop].copy() for name in TICK_COLUMNS},
    )
