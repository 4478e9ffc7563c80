"""The digest chain: digest k = blake2b-256(digest k-1, header of commit k, its rows), over values and never over files.

The layout is specified in `journal/README.md`.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tradingd.columns import BAR, I64, NO_VENUE_ID, TICK_COLUMNS, TICK_DTYPES
from tradingd.commit import BarRows
from tradingd.journal.tables import BAR_FLOATS, TICK_FLOATS, Columns, FactColumns, Tables

Records = npt.NDArray[np.void]
DIGEST_SIZE = 32

# The digest's records: packed, little-endian, in schema order; a null is zero and has its bit set in `nulls`.
TICK_RECORD = np.dtype(
    [("seq", "<i8"), ("source", "<u2")]
    + [(name, np.dtype(TICK_DTYPES[name]).newbyteorder("<")) for name in TICK_COLUMNS]
    + [("nulls", "u1")]
)
BAR_RECORD = np.dtype(
    [("seq", "<i8"), ("n", "<i4"), ("instrument", "<u2"), ("timeframe", "u1"), ("ts_open", "<i8"), ("ts_close", "<i8")]
    + [(name, "<f8") for name in BAR_FLOATS]
    + [("trades", "<i8"), ("nulls", "u1")]
)
FRAME_RECORD = np.dtype([("seq", "<i8"), ("length", "<u4")])
FACT_RECORD = struct.Struct("<qiqqHBIIII")  # seq, n, times, instrument, nulls, lengths of the four strings

HEADER = struct.Struct("<qqqqIIII")


class CommitRow(NamedTuple):
    """A row of the table `commits`."""

    commit_no: int
    first_seq: int
    last_seq: int
    committed_ns: int
    ticks: int
    frames: int
    bars: int
    facts: int
    digest: bytes

    @property
    def counts(self) -> tuple[int, int, int, int]:
        return self.ticks, self.frames, self.bars, self.facts


def genesis(journal_id: str) -> bytes:
    """The digest before the first commit of the journal that was created with this id."""
    return blake2b(f"tradingd journal 1\n{journal_id}\n".encode(), digest_size=DIGEST_SIZE).digest()


def next_digest(previous: bytes, row: CommitRow, pieces: Sequence[bytes | memoryview]) -> bytes:
    """The digest of the commit that `row` describes; `row.digest` itself is not read."""
    digest = blake2b(previous, digest_size=DIGEST_SIZE)
    digest.update(HEADER.pack(*row[:-1]))
    for piece in pieces:
        digest.update(piece)
    return digest.digest()


@dataclass(frozen=True, slots=True)
class _Strings:
    """Variable-length bytes of rows, joined; row i ends at ends[i + 1]."""

    data: memoryview
    ends: I64

    def part(self, start: int, stop: int) -> memoryview:
        return self.data[self.ends[start] : self.ends[stop]]


class Encoded:
    """The digest's bytes of some rows, of which commits take their parts."""

    def __init__(self, tables: Tables) -> None:
        records, strings = _fact_bytes(tables.facts)
        self._ticks = _bytes_of(_tick_records(tables.ticks))
        self._frames = _bytes_of(_frame_records(tables.frame_seq, tables.frames))
        self._payloads = _strings(tables.frames)
        self._bars = _bytes_of(_bar_records(tables.bars))
        self._facts = memoryview(b"".join(records))
        self._strings = _strings(strings)

    def part(self, start: Sequence[int], stop: Sequence[int]) -> tuple[memoryview, ...]:
        """Rows start..stop-1 of ticks, frames, bars and facts."""
        ticks, frames, bars, facts = zip(start, stop, strict=True)
        return (
            _records_part(self._ticks, ticks, TICK_RECORD.itemsize),
            _records_part(self._frames, frames, FRAME_RECORD.itemsize),
            self._payloads.part(*frames),
            _records_part(self._bars, bars, BAR_RECORD.itemsize),
            _records_part(self._facts, facts, FACT_RECORD.size),
            self._strings.part(*facts),
        )


def _records_part(data: memoryview, rows: tuple[int, int], size: int) -> memoryview:
    return data[rows[0] * size : rows[1] * size]


def _bytes_of(records: Records) -> memoryview:
    return records.view(np.uint8).data if len(records) else memoryview(b"")


def _strings(strings: Sequence[bytes]) -> _Strings:
    ends = np.zeros(len(strings) + 1, np.int64)
    np.cumsum(np.fromiter(map(len, strings), np.int64, len(strings)), out=ends[1:])
    return _Strings(memoryview(b"".join(strings)), ends)


def _tick_records(ticks: Columns) -> Records:
    records = np.empty(len(ticks["seq"]), TICK_RECORD)
    for name, column in ticks.items():
        records[name] = column
    nulls = _clear_nulls(records, ticks, TICK_FLOATS)
    no_id = ticks["venue_id"] == NO_VENUE_ID
    records["venue_id"][no_id] = 0
    records["nulls"] = nulls | no_id.astype(np.uint8) << np.uint8(len(TICK_FLOATS))
    return records


def _bar_records(bars: BarRows) -> Records:
    records = np.empty(len(bars), BAR_RECORD)
    records["seq"], records["n"] = bars.seq, bars.n
    for name in BAR.names or ():
        records[name] = bars.rows[name]
    records["nulls"] = _clear_nulls(records, bars.rows, BAR_FLOATS)
    return records


def _clear_nulls(records: Records, columns: Columns | Records, names: tuple[str, ...]) -> npt.NDArray[np.uint8]:
    nulls = np.zeros(len(records), np.uint8)
    for bit, name in enumerate(names):
        absent = np.isnan(columns[name])
        if absent.any():
            records[name][absent] = 0.0
            nulls |= absent.astype(np.uint8) << np.uint8(bit)
    return nulls


def _frame_records(seq: I64, frames: Sequence[bytes]) -> Records:
    records = np.empty(len(seq), FRAME_RECORD)
    records["seq"] = seq
    records["length"] = np.fromiter(map(len, frames), np.uint32, len(frames))
    return records


def _fact_bytes(facts: FactColumns) -> tuple[list[bytes], list[bytes]]:
    """(records, strings) of `facts`, in one loop without a call for each row."""
    pack, records, strings = FACT_RECORD.pack, [], []
    for seq, n, ts_event_ns, ts_received_ns, source, kind, instrument, cl_ord_id, payload in facts.rows():
        a, b, c, d = source.encode(), kind.encode(), (cl_ord_id or "").encode(), payload.encode()
        nulls = (instrument is None) | (cl_ord_id is None) << 1
        records.append(
            pack(seq, n, ts_event_ns, ts_received_ns, instrument or 0, nulls, len(a), len(b), len(c), len(d))
        )
        strings.append(a + b + c + d)
    return records, strings
