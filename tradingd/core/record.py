"""Recorded commits: what their inputs are, what they do to the ledger, and smaller ones made of them."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from itertools import pairwise

from tradingd.columns import TickBatch
from tradingd.commit import BarRows, Commit
from tradingd.core.advance import Item
from tradingd.core.settings import CoreSettings
from tradingd.events import CoreFailed, Event, Input, RunStarted
from tradingd.reducers.apply import apply
from tradingd.reducers.ledger import Ledger


def inputs_of(commit: Commit) -> list[Item]:
    """The inputs of a commit in order."""
    placed: list[tuple[int, Item]] = list(commit.ticks)
    placed += [(event.seq, _input(event)) for event in commit.events if event.n == 0]
    return [item for _, item in sorted(placed, key=lambda pair: pair[0])]


def _input(event: Event) -> Input:
    return Input(event.ts_event_ns, event.ts_received_ns, event.source, event.body)


def started(commit: Commit) -> RunStarted | None:
    """The start of a run, which always has a commit to itself."""
    body = commit.events[0].body if commit.events else None
    return body if isinstance(body, RunStarted) else None


def has_failed(commit: Commit) -> bool:
    """The core failed at these inputs: they are kept, and left out wherever the record is executed again."""
    return any(isinstance(event.body, CoreFailed) for event in commit.events)


def fold(ledger: Ledger, settings: CoreSettings, commit: Commit) -> None:
    """The ledger after a commit, from its facts alone."""
    for _, batch in commit.ticks:
        source = ledger.run.sources[batch.source] if ledger.run else str(batch.source)
        ledger.count_rows(source, len(batch))
    for event in commit.events:
        apply(ledger, settings.instruments, event.body, event.ts_received_ns)


def cut(commit: Commit, seqs: Sequence[int]) -> Iterator[Commit]:
    """The same in pieces without bars, in which each of `seqs` (ascending, of the commit) stands alone."""
    borders = {border: None for seq in seqs for border in (seq, seq + 1)}
    starts = [commit.first_seq, *(b for b in borders if commit.first_seq < b <= commit.last_seq)]
    ticks = _cut_ticks(commit, starts)
    places = [event.seq for event in commit.events]
    for number, (start, stop) in enumerate(pairwise([*starts, commit.last_seq + 1])):
        events = commit.events[bisect_left(places, start) : bisect_left(places, stop)]
        yield Commit(start, stop - 1, tuple(ticks[number]), events, BarRows.empty())


def _cut_ticks(commit: Commit, starts: Sequence[int]) -> list[list[tuple[int, TickBatch]]]:
    """The batches of each piece."""
    pieces: list[list[tuple[int, TickBatch]]] = [[] for _ in starts]
    for first, batch in commit.ticks:
        number = bisect_right(starts, first) - 1
        inside = starts[number + 1 : bisect_left(starts, first + len(batch))]
        for seq, stop in pairwise([first, *inside, first + len(batch)]):
            pieces[number].append((seq, batch.slice(seq - first, stop - first)))
            number += 1
    return pieces
