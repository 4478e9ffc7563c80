"""Commits as bytes: a frame around exactly what the digest is taken of, and back from that alone."""

import struct
from collections.abc import Iterator
from hashlib import blake2b

import numpy as np

from tradingd.columns import BAR, NO_VENUE_ID, TICK_COLUMNS
from tradingd.commit import BarRows
from tradingd.journal.digest import (
    BAR_RECORD,
    DIGEST_SIZE,
    FACT_RECORD,
    FRAME_RECORD,
    HEADER,
    TICK_RECORD,
    CommitRow,
    Encoded,
)
from tradingd.journal.tables import BAR_FLOATS, TICK_FLOATS, Columns, FactColumns, FactRow, Tables

FRAME = struct.Struct("<I16s")  # length and checksum of what follows
NO_ROWS = (0, 0, 0, 0)
Entry = tuple[CommitRow, bytes]  # and its rows


def rows_of(tables: Tables) -> bytes:
    return b"".join(Encoded(tables).part(NO_ROWS, tables.counts))


def framed(row: CommitRow, rows: bytes) -> bytes:
    body = HEADER.pack(*row[:-1]) + row.digest + rows
    return FRAME.pack(len(body), _checksum(body)) + body


def entries(content: bytes) -> Iterator[Entry]:
    """Those that are whole; what follows the first that is not does not count."""
    at = 0
    while len(content) >= at + FRAME.size:
        size, checksum = FRAME.unpack_from(content, at)
        body = content[at + FRAME.size : at + FRAME.size + size]
        if len(body) != size or _checksum(body) != checksum:
            return
        yield _entry(body)
        at += FRAME.size + size


def size_of(found: Iterator[Entry]) -> int:
    return sum(FRAME.size + HEADER.size + DIGEST_SIZE + len(rows) for _, rows in found)


def _entry(body: bytes) -> Entry:
    start = HEADER.size + DIGEST_SIZE
    return CommitRow(*HEADER.unpack_from(body), digest=body[HEADER.size : start]), body[start:]


def _checksum(body: bytes) -> bytes:
    return blake2b(body, digest_size=16).digest()


def tables_from(row: CommitRow, rows: bytes) -> Tables:
    read = _Reading(rows)
    ticks = _ticks(read.records(TICK_RECORD, row.ticks))
    frames = read.records(FRAME_RECORD, row.frames)
    payloads = [read.take(int(size)) for size in frames["length"]]
    bars = _bars(read.records(BAR_RECORD, row.bars))
    heads = [FACT_RECORD.unpack(read.take(FACT_RECORD.size)) for _ in range(row.facts)]
    facts = [_fact(head, [read.take(size).decode() for size in head[6:]]) for head in heads]
    assert read.at == len(rows), "there is more in a commit than its header says"
    columns = zip(*facts, strict=True) if facts else [()] * len(FactColumns._fields)
    return Tables(ticks, frames["seq"].copy(), payloads, bars, FactColumns(*columns))


class _Reading:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self.at = 0

    def take(self, size: int) -> bytes:
        self.at += size
        return self._data[self.at - size : self.at]

    def records(self, dtype: np.dtype, count: int) -> np.ndarray:
        return np.frombuffer(self.take(dtype.itemsize * count), dtype)


def _ticks(records: np.ndarray) -> Columns:
    columns = {name: records[name].copy() for name in ("seq", "source", *TICK_COLUMNS)}
    for bit, name in enumerate(TICK_FLOATS):
        columns[name][_has(records, bit)] = np.nan
    columns["venue_id"][_has(records, len(TICK_FLOATS))] = NO_VENUE_ID
    return columns


def _bars(records: np.ndarray) -> BarRows:
    rows = np.zeros(len(records), BAR)
    for name in BAR.names or ():
        rows[name] = records[name]
    for bit, name in enumerate(BAR_FLOATS):
        rows[name][_has(records, bit)] = np.nan
    return BarRows(records["seq"].copy(), records["n"].astype(np.int64), rows)


def _has(records: np.ndarray, bit: int) -> np.ndarray:
    return (records["nulls"] >> bit & 1).astype(bool)


def _fact(head: tuple[int, ...], strings: list[str]) -> FactRow:
    seq, n, ts_event_ns, ts_received_ns, instrument, nulls = head[:6]
    source, kind, cl_ord_id, payload = strings
    names = None if nulls & 1 else instrument, None if nulls & 2 else cl_ord_id
    return seq, n, ts_event_ns, ts_received_ns, source, kind, *names, payload
