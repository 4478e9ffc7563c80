"""The state as of any input is the one that the daemon had there, whichever way it is rebuilt."""

import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tradingd.audit.errors import AuditError
from tradingd.audit.points import seq_at, time_text
from tradingd.audit.states import cut, state_at
from tradingd.audit.views import changes, leaves, view
from tradingd.commit import BarRows, Commit
from tradingd.core.advance import advance
from tradingd.core.snapshot import state_digest
from tradingd.events import CoreFailed, Event, OrderFilled
from tradingd.journal.reader import JournalReader
from tradingd.rerun import inputs_of


@settings(max_examples=8)
@given(st.data())
def test_a_state_inside_of_a_commit_goes_on_to_the_same_end(day: Path, data: st.DataObject) -> None:
    with JournalReader.open(day) as reader:
        last = reader.last_seq
        seq = data.draw(st.integers(2, last - 1))
        state = state_at(reader, seq).state
        assert state.seq == seq
        for recorded in reader.commits(seq + 1):
            rest = _from(recorded, seq + 1)
            advance(state, inputs_of(rest))
        assert state_digest(state) == state_digest(state_at(reader, last).state)


def _from(commit: Commit, first_seq: int) -> Commit:
    ticks = tuple(
        (max(first, first_seq), batch.slice(max(0, first_seq - first), len(batch)))
        for first, batch in commit.ticks
        if first + len(batch) > first_seq
    )
    events = tuple(event for event in commit.events if event.seq >= first_seq)
    return Commit(max(commit.first_seq, first_seq), commit.last_seq, ticks, events, BarRows.empty())


def test_from_a_snapshot_and_from_genesis_it_is_the_same(day: Path, tmp_path: Path, reader: JournalReader) -> None:
    last = reader.last_seq
    near = state_at(reader, last)
    shutil.copytree(day, tmp_path / "j")
    shutil.rmtree(tmp_path / "j" / "snapshots")
    with JournalReader.open(tmp_path / "j") as bare:
        far = state_at(bare, last)
    assert (far.from_seq, near.from_seq > 1) == (1, True)
    assert view(near.state, memory=True) == view(far.state, memory=True)


def test_a_time_means_core_time(reader: JournalReader) -> None:
    fill = next(event for event in reader.events(OrderFilled))
    seq = seq_at(reader, time_text(fill.ts_received_ns))
    assert seq >= fill.seq
    assert seq_at(reader, time_text(fill.ts_received_ns - 1)) < fill.seq
    assert state_at(reader, seq).state.memory.core_ns == fill.ts_received_ns


def test_a_point_that_there_is_not_is_refused(reader: JournalReader) -> None:
    for point in ("0", "999999", "1969-01-01T00:00Z"):
        with pytest.raises(AuditError, match="outside of what can be read"):
            seq_at(reader, point)
    with pytest.raises(AuditError, match="is no time"):
        seq_at(reader, "yesterday")
    assert seq_at(reader, None) == seq_at(reader, "2999-01-01 00:00") == reader.last_seq


def test_a_fill_changes_position_account_and_counts(reader: JournalReader) -> None:
    fill = next(event for event in reader.events(OrderFilled))
    before, after = (view(state_at(reader, seq).state) for seq in (fill.seq - 1, fill.seq))
    paths = [change.path for change in changes(before, after)]
    assert "counts.fills" in paths
    assert any(path.startswith("positions.SIM:") for path in paths)
    assert before.digest != after.digest
    assert changes(after, after) == []


def test_memory_is_shown_by_name(reader: JournalReader) -> None:
    shown = dict(leaves(view(state_at(reader, 2000).state, memory=True).memory))
    assert shown["strategies.cross SIM:ALFA.state.fast.seen"] > 0
    assert shown["market.SIM:BETA.last"] > 0
    assert "watermarks.USD.peak" in shown


def test_the_commit_of_a_failed_core_is_not_cut(reader: JournalReader) -> None:
    whole = next(commit for commit in reader.commits(1000))
    failed = Event(whole.last_seq, 1, 0, 0, "", CoreFailed("boom", ""))
    broken = Commit(whole.first_seq, whole.last_seq, whole.ticks, (*whole.events, failed), whole.bars)
    assert cut(broken, broken.last_seq) is broken
    with pytest.raises(AuditError, match=f"ask for {broken.first_seq - 1} or {broken.last_seq}"):
        cut(broken, broken.last_seq - 1)
