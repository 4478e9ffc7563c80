"""A writer to kill: appends deterministic commits, rolls over, seals, and prints what was acknowledged.

    python journal_child.py FOLDER COMMITS
    python journal_child.py FOLDER storm        until it is killed, with seals in a second thread

Also a module: the tests make the same commits and compare.
"""

import sys
import threading
from pathlib import Path

import numpy as np

from tradingd.columns import BAR, FRAME, QUOTE, TRADE, TickBatch, tick_batch
from tradingd.commit import BarRows, Commit
from tradingd.events import AnyBody, Event, FeedState, FeedStatus, OrderAccepted, Signal
from tradingd.journal.settings import JournalSettings
from tradingd.journal.writer import Journal

ROWS = 12  # ticks of a commit; one more input follows them
SETTINGS = JournalSettings(roll_rows=60, roll_daily=False, memory_mb=256)


def commit_at(number: int) -> Commit:
    """The commit of this number: trades, quotes, frames and facts of every kind of value."""
    first = (number - 1) * (ROWS + 1) + 1
    last = first + ROWS
    return Commit(
        first,
        last,
        ((first, _ticks(number, 0)), (first + ROWS // 2, _ticks(number, 1))),
        _events(number, last),
        _bars(number, last),
    )


def _ticks(number: int, source: int) -> TickBatch:
    rows = ROWS // 2
    kind = np.array([TRADE, QUOTE, FRAME] * (rows // 3), np.uint8)
    at = np.arange(rows) + number * 1000
    return tick_batch(
        source,
        frames=(b'{"e":"\xc3\xa9"}', b"\xff\x00broken %d" % number),
        kind=kind,
        flags=at % 3,
        instrument=at % 5,
        ts_event_ns=at * 1_000_000,
        ts_received_ns=at * 1_000_000 + 7,
        price=np.where(kind == FRAME, np.nan, 100.0 + at / 7),
        size=np.where(kind == FRAME, np.nan, at * 1e-9),
        ask_price=np.where(kind == QUOTE, 101.0 + at / 7, np.nan),
        venue_id=np.where(kind == TRADE, at, -1),
    )


def _events(number: int, seq: int) -> tuple[Event, ...]:
    bodies: list[AnyBody] = [
        FeedStatus("börse", FeedState.CONNECTED, "day 1\n'quoted' \U0001f4c8"),
        Signal("sma", number % 3, number * 10, 0.1 + number, 1.0, 1e-308, stop=None),
        OrderAccepted(f"ID-1-{number}"),
    ]
    return tuple(Event(seq, n, number, number + n, "börse" if n == 0 else "", body) for n, body in enumerate(bodies))


def _bars(number: int, seq: int) -> BarRows:
    row = (number, number + 60, 1.0, 2.5, 0.1, 1.1, 1e9, np.nan if number % 2 else 1.7, 5, number % 4, 1)
    return BarRows(np.array([seq]), np.array([3]), np.array([row], BAR))


def contents(commit: Commit) -> tuple[object, ...]:
    """Every value of a commit, comparable bit by bit whatever the borders of its batches."""
    ticks = [
        (first + row, batch.source, *(getattr(batch, name)[row].tobytes() for name in TickBatch.__slots__[1:-1]))
        for first, batch in commit.ticks
        for row in range(len(batch))
    ]
    frames = [frame for _, batch in commit.ticks for frame in batch.frames]
    bars = [commit.bars.seq.tolist(), commit.bars.n.tolist()]
    bars += [commit.bars.rows[name].tobytes() for name in BAR.names or ()]
    return commit.first_seq, commit.last_seq, ticks, frames, list(commit.events), bars


def write(folder: Path, until: int) -> None:
    journal = Journal.open(folder, SETTINGS)
    print("open", journal.last_seq, flush=True)
    for number in range(journal.head.commit_no + 1, until + 1):
        head = journal.append(commit_at(number))
        print("ack", head.last_seq, flush=True)
        if number % 4 == 0:
            journal.write_snapshot(head.last_seq, b"state %d" % number)
        if journal.should_roll():
            journal.roll()
            journal.seal()
    journal.close()


def storm(folder: Path) -> None:
    journal = Journal.open(folder, SETTINGS)
    print("open", journal.last_seq, flush=True)
    threading.Thread(target=_maintain, args=[journal], daemon=True).start()
    while True:
        head = journal.append(commit_at(journal.head.commit_no + 1))
        print("ack", head.last_seq, flush=True)
        if head.commit_no % 50 == 0:
            journal.roll()


def _maintain(journal: Journal) -> None:
    while True:
        journal.seal()


def main() -> None:
    sys.modules["pyarrow"] = None  # type: ignore[assignment]  # the journal must work without
    if sys.argv[2] == "storm":
        storm(Path(sys.argv[1]))
    write(Path(sys.argv[1]), int(sys.argv[2]))


if __name__ == "__main__":
    main()
