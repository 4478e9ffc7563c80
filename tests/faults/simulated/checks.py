"""What has to hold of a state after recovery, and of the whole record at the end."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from simulated.audit import Audit
from simulated.journal import Reader
from simulated.market import FEEDS, Market
from simulated.stored import entries, rows_of, tables_from

from tradingd.columns import TICK_COLUMNS, TickBatch
from tradingd.commit import Commit
from tradingd.compare import first_difference
from tradingd.core.advance import Item, advance
from tradingd.core.settings import CoreSettings
from tradingd.core.snapshot import decode_snapshot, restore_snapshot, state_digest
from tradingd.core.state import State, initial_state
from tradingd.core.watch import note_peaks
from tradingd.daemon.recovery import Recovered
from tradingd.events import FeedStatus, Input, Resumption, RunStarted, RunStopped, SnapshotTaken, encode_body
from tradingd.journal.tables import commit_of, tables_of
from tradingd.reducers.digest import digest_view
from tradingd.rerun import Rerun, fold, has_failed, inputs_of, load_library

OF_THE_RUN = (RunStarted, RunStopped, SnapshotTaken)


class Then(NamedTuple):
    """A state as it was, by its own process."""

    settings: CoreSettings
    snapshot: bytes

    def state(self) -> State:
        return restore_snapshot(decode_snapshot(self.snapshot), self.settings, load_library(self.settings, Path()))


# --- after a recovery -------------------------------------------------------------------------------------------------


def check_recovered(recovered: Recovered, then: dict[int, Then], audit: Audit, last_seq: int) -> None:
    state = recovered.state
    assert state.seq == last_seq, f"the state is at seq {state.seq}, the journal ends at {last_seq}"
    if recovered.how is Resumption.FRESH:
        return
    audit.agrees_with(state.ledger)
    if last_seq in then:  # else the core failed there
        _check_same(recovered, then[last_seq].state())


def _check_same(recovered: Recovered, before: State) -> None:
    if recovered.how is Resumption.REBUILT:
        assert state_digest(recovered.state) == state_digest(before), "another state than before the crash"
        return
    assert digest_view(recovered.state.ledger) == digest_view(before.ledger), "another ledger than before the start"
    for state in (recovered.state, before):
        note_peaks(state)
    marks, were = recovered.state.memory.risk.watermarks, before.memory.risk.watermarks
    for currency, mark in marks.items():
        was = were[currency]
        assert (mark.day_ns, mark.day_start) == (was.day_ns, was.day_start), f"a day of {mark}, before of {was}"
        # the books look at a row in which a position changes once, at its end
        assert mark.peak <= was.peak, f"a peak of {mark}, before of {was}"


# --- at the end -------------------------------------------------------------------------------------------------------


def check_whole(reader: Reader, content: bytes, market: Market, state: State, *, undisturbed: bool) -> None:
    commits = list(reader.recorded())
    _check_codecs(content)
    _check_rows(commits, market)
    digest = state_digest(state)
    assert state_digest(_re_executed(reader, commits)) == digest, "re-execution comes to another state"
    if undisturbed:
        alone, facts = _undisturbed(commits, state.settings)
        assert state_digest(alone) == digest, "a run without any fault comes to another state"
        assert facts == _facts(commits), "a run without any fault tells other facts"


def _check_codecs(content: bytes) -> None:
    for row, rows in entries(content):
        commit = commit_of(tables_from(row, rows), row.first_seq, row.last_seq)
        assert rows_of(tables_of(commit)) == rows, f"commit {row.commit_no} is encoded otherwise once it was read"


def _re_executed(reader: Reader, commits: list[Commit]) -> State:
    rerun = Rerun(reader.recorded)
    for recorded in commits:
        difference = first_difference(recorded, rerun.take(recorded))
        assert difference is None, difference.text
    assert rerun.state is not None
    return rerun.state


def _undisturbed(commits: list[Commit], settings: CoreSettings) -> tuple[State, list[bytes]]:
    """The same inputs to one process, in batches as large as can be."""
    state = initial_state(settings, load_library(settings, Path()))
    made: list[Commit] = []
    waiting: list[Item] = inputs_of(commits[0])
    for commit in commits[1:]:
        if has_failed(commit):
            made.append(advance(state, waiting))
            fold(state.ledger, settings, commit)
            made.append(commit)
            waiting = []
        else:
            waiting += [item for item in inputs_of(commit) if not _is_of_the_run(item)]
    return state, _facts([*made, advance(state, waiting)])


def _is_of_the_run(item: Item) -> bool:
    return isinstance(item, Input) and isinstance(item.body, OF_THE_RUN)


def _facts(commits: Iterable[Commit]) -> list[bytes]:
    """Types and times of all facts in order; ids hold the epoch, which a restart moves."""
    facts = [event for commit in commits for event in commit.events if event.n]
    return [b"%s %d" % (type(fact.body).__name__.encode(), fact.ts_received_ns) for fact in facts]


def _check_rows(commits: list[Commit], market: Market) -> None:
    """Each row and gap of each feed once, in order, as it came."""
    sources = next(event.body.sources for event in commits[0].events if isinstance(event.body, RunStarted))
    items = [item for commit in commits for item in inputs_of(commit)]
    for name in FEEDS:
        source = sources.index(name)
        came = [item for batch in market.feed(name, source, 50).items(0) for item in batch]
        taken, told = (list(_rows(what, name, source)) for what in (items, came))
        assert taken == told, f"{name}: {len(taken)} rows and gaps were journalled of {len(told)}, or others"


def _rows(items: Iterable[Item], name: str, source: int) -> Iterator[object]:
    for item in items:
        if isinstance(item, TickBatch):
            yield from _ticks(item) if item.source == source else ()
        elif item.source == name and not isinstance(item.body, FeedStatus):
            yield item.ts_received_ns, encode_body(item.body)


def _ticks(batch: TickBatch) -> Iterator[object]:
    frames = iter(batch.frames)
    columns = [_exact(getattr(batch, name)).tolist() for name in TICK_COLUMNS]
    for row in zip(*columns, strict=True):
        yield (*row, next(frames) if row[0] == 3 else b"")


def _exact(column: np.ndarray) -> np.ndarray:
    """Floats by their bits: NaN is equal to itself."""
    return np.ascontiguousarray(column).view(np.int64) if column.dtype == np.float64 else column
