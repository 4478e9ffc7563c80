"""Several streams of rows as one, by receive time, without holding more than a chunk or two of each."""

from collections.abc import Iterator, Sequence

import numpy as np

from tradingd.columns import I64
from tradingd.feeds.rows import Rows, concat_rows


def merge(streams: Sequence[Iterator[Rows]], rows_ahead: int) -> Iterator[Rows]:
    """Stable: rows of one stream keep their order even where its clock goes back; ties go by the order of streams.

    `rows_ahead` rows of each stream are read before a piece is decided, so that pieces are not tiny.
    """
    readers = [_Reader(stream) for stream in streams]
    while True:
        for reader in readers:
            reader.fill(rows_ahead)
        readers = [reader for reader in readers if len(reader.keys)]
        if not readers:
            return
        yield _first_rows(readers)


class _Reader:
    """What is read of one stream and not yet merged; its keys are the running maximum of the receive time."""

    def __init__(self, stream: Iterator[Rows]) -> None:
        self.stream: Iterator[Rows] | None = stream
        self.rows: list[Rows] = []
        self.keys: I64 = np.empty(0, np.int64)
        self.last_key = np.iinfo(np.int64).min

    def fill(self, rows_ahead: int) -> None:
        while self.stream is not None and len(self.keys) < rows_ahead:
            rows = next(self.stream, None)
            if rows is None:
                self.stream = None
            elif len(rows):
                self._append(rows)

    def _append(self, rows: Rows) -> None:
        keys = np.maximum(np.maximum.accumulate(rows.columns["ts_received_ns"]), self.last_key)
        self.last_key = int(keys[-1])
        self.keys = np.concatenate([self.keys, keys])
        self.rows.append(rows)

    def count_until(self, key: int, inclusive: bool) -> int:
        return int(np.searchsorted(self.keys, key, side="right" if inclusive else "left"))

    def take(self, count: int) -> Rows:
        rows = concat_rows(self.rows)
        self.keys = self.keys[count:]
        self.rows = [rows.slice(count, len(rows))]
        return rows.slice(0, count)


def _first_rows(readers: Sequence[_Reader]) -> Rows:
    """All rows that nothing still unread can precede: up to the end of the reader that ends first."""
    limit = min(range(len(readers)), key=lambda i: readers[i].last_key)
    horizon = readers[limit].last_key
    counts = [reader.count_until(horizon, inclusive=i <= limit) for i, reader in enumerate(readers)]
    keys = np.concatenate([reader.keys[:count] for reader, count in zip(readers, counts, strict=True)])
    parts = [reader.take(count) for reader, count in zip(readers, counts, strict=True) if count]
    if len(parts) == 1:
        return parts[0]
    return concat_rows(parts).reordered(np.argsort(keys, kind="stable"))
