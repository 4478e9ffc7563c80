"""Data rows on their way to becoming items: columns in which a rejected row keeps its place.

Merging, sequence checks and resuming then all work on plain arrays, and only `items_of` knows about inputs.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from tradingd.columns import FRAME, I64, TICK_COLUMNS, TICK_DEFAULTS, TICK_DTYPES, TickBatch
from tradingd.events import AnyBody, Gap, Input, InputRejected
from tradingd.feeds.contract import Item

REJECTED = 0  # kind of a row that is no tick: it could not become one, or is told as an input
TEXT_CHARS_MAX = 200
UNKNOWN_NS = -1

Columns = dict[str, npt.NDArray[Any]]


class Rejection(NamedTuple):
    reason: str
    text: str


@dataclass(frozen=True, slots=True)
class Rows:
    """Columns of TickBatch, `file` and `line` (where each row stood) and, for frames, `payload` (the bytes as read).

    rejected   by row, for the rows whose kind is REJECTED; of their columns only ts_received_ns, file and line hold
    gaps       by row, what was missed just before it
    told       by row, likewise REJECTED, the input that stands for it
    """

    columns: Columns
    rejected: Mapping[int, Rejection] = field(default_factory=dict)
    gaps: Mapping[int, Gap] = field(default_factory=dict)
    told: Mapping[int, AnyBody] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.columns["kind"])

    def slice(self, start: int, stop: int) -> Self:
        return type(self)(
            {name: column[start:stop] for name, column in self.columns.items()},
            {row - start: what for row, what in self.rejected.items() if start <= row < stop},
            {row - start: gap for row, gap in self.gaps.items() if start <= row < stop},
            {row - start: body for row, body in self.told.items() if start <= row < stop},
        )

    def rejecting(self, rejections: Mapping[int, Rejection]) -> Self:
        """The same with more rows rejected."""
        if not rejections:
            return self
        kind = self.columns["kind"].copy()
        kind[list(rejections)] = REJECTED
        return type(self)(self.columns | {"kind": kind}, {**self.rejected, **rejections}, self.gaps, self.told)

    def reordered(self, order: I64) -> Self:
        """Row order[i] becomes row i."""
        place = np.empty_like(order)
        place[order] = np.arange(len(order))
        return type(self)(
            {name: column[order] for name, column in self.columns.items()},
            {int(place[row]): what for row, what in self.rejected.items()},
            {int(place[row]): gap for row, gap in self.gaps.items()},
            {int(place[row]): body for row, body in self.told.items()},
        )


def empty_columns(rows: int) -> Columns:
    """Columns of rows that are all rejected until a parser says otherwise."""
    columns = {name: np.full(rows, TICK_DEFAULTS.get(name, 0), dtype) for name, dtype in TICK_DTYPES.items()}
    return columns | {"file": np.zeros(rows, np.uint16), "line": np.zeros(rows, np.int64)}


def concat_rows(parts: Sequence[Rows]) -> Rows:
    if len(parts) == 1:
        return parts[0]
    starts = np.cumsum([0, *(len(part) for part in parts)]).tolist()
    return Rows(
        {name: np.concatenate([part.columns[name] for part in parts]) for name in parts[0].columns},
        {start + row: what for start, part in zip(starts, parts, strict=False) for row, what in part.rejected.items()},
        {start + row: gap for start, part in zip(starts, parts, strict=False) for row, gap in part.gaps.items()},
        {start + row: body for start, part in zip(starts, parts, strict=False) for row, body in part.told.items()},
    )


def rebatched(pieces: Iterable[Rows], rows: int) -> Iterator[Rows]:
    """The same rows in pieces of exactly `rows`, but for the last one."""
    held: list[Rows] = []
    for piece in pieces:
        held.append(piece)
        if sum(map(len, held)) >= rows:
            whole = concat_rows(held)
            full = len(whole) - len(whole) % rows
            for start in range(0, full, rows):
                yield whole.slice(start, start + rows)
            held = [whole.slice(full, len(whole))]
    if sum(map(len, held)):
        yield concat_rows(held)


def filled_times(times: I64, last_ns: int | None) -> I64:
    """Unknown times (UNKNOWN_NS) replaced by the last one known; before any was, by the first that is."""
    known = times != UNKNOWN_NS
    if known.all():
        return times
    if last_ns is None:
        last_ns = int(times[known][0]) if known.any() else 0
    newest = np.maximum.accumulate(np.where(known, np.arange(len(times)), -1))
    return np.where(newest < 0, last_ns, times[newest])


def items_of(rows: Rows, feed: str, source: int, files: Sequence[str]) -> list[Item]:
    """The rows as tick batches, cut where an input stands between them."""
    items: list[Item] = []
    done = 0
    for row in sorted({*rows.rejected, *rows.gaps, *rows.told}):
        if row > done:
            items.append(_ticks(rows, source, done, row))
        done = row
        if row in rows.gaps:
            items.append(_input(rows, feed, row, rows.gaps[row]))
        if row in rows.rejected:
            items.append(_input(rows, feed, row, _rejected(rows, feed, files, row)))
            done = row + 1
        if row in rows.told:
            items.append(_input(rows, feed, row, rows.told[row]))
            done = row + 1
    if len(rows) > done:
        items.append(_ticks(rows, source, done, len(rows)))
    return items


def _ticks(rows: Rows, source: int, start: int, stop: int) -> TickBatch:
    columns = {name: rows.columns[name][start:stop] for name in TICK_COLUMNS}
    frames = rows.columns["payload"][start:stop][columns["kind"] == FRAME] if "payload" in rows.columns else ()
    return TickBatch(source=source, frames=tuple(frames), **columns)


def _rejected(rows: Rows, feed: str, files: Sequence[str], row: int) -> InputRejected:
    where = f"{files[rows.columns['file'][row]]}:{rows.columns['line'][row]}"
    reason, text = rows.rejected[row]
    return InputRejected(feed=feed, where=where, reason=reason, text=text[:TEXT_CHARS_MAX])


def _input(rows: Rows, feed: str, row: int, body: AnyBody) -> Input:
    ts_ns = int(rows.columns["ts_received_ns"][row])
    return Input(ts_event_ns=ts_ns, ts_received_ns=ts_ns, source=feed, body=body)
