"""The state as of any point, by re-executing recorded inputs up to it."""

from dataclasses import dataclass

from tradingd.audit.errors import AuditError
from tradingd.audit.runs import run_at, sound
from tradingd.commit import BarRows, Commit
from tradingd.core.snapshot import decode_snapshot, restore_snapshot
from tradingd.core.state import State
from tradingd.events import CoreFailed
from tradingd.journal.reader import JournalReader
from tradingd.rerun import Rerun, code_digest, recorded_library


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """`from_seq` is the first input that was executed: 1, or the one after a snapshot."""

    state: State
    from_seq: int


def state_at(reader: JournalReader, seq: int) -> Rebuilt:
    """The state after the input `seq` and its facts. Raises AuditError, JournalDamaged, StrategyError."""
    state = from_snapshot(reader, seq)
    first = 1 if state is None else state.seq + 1
    rerun = Rerun(reader.commits, state)
    instruments = len(run_at(reader, seq).names.settings.instruments)
    for recorded in reader.commits(first) if first <= seq else ():
        if recorded.last_seq >= first and recorded.first_seq <= seq:
            rerun.take(cut(sound(recorded, instruments), seq))
        if recorded.last_seq >= seq:
            break
    if rerun.state is None:
        raise AuditError("nothing could be executed: the journal has no commits")
    return Rebuilt(rerun.state, first)


def from_snapshot(reader: JournalReader, seq: int) -> State | None:
    """The newest snapshot at or before `seq`, where today's code is the one that took it, with the run's settings."""
    newest = reader.newest_snapshot(seq)
    if newest is None:
        return None
    run = run_at(reader, newest[0].at_seq)
    library = recorded_library(run.names.settings, run.body.strategies)
    if run.body.code_digest != code_digest(library):
        return None
    snapshot = decode_snapshot(newest[1])
    if snapshot.taken_by != (run.body.config_digest, run.body.code_digest):
        return None
    return restore_snapshot(snapshot, run.names.settings, library)


def cut(commit: Commit, last_seq: int) -> Commit:
    """The commit up to an input. Raises AuditError inside of a commit in which the core failed: it executed nothing."""
    if commit.last_seq <= last_seq:
        return commit
    if any(isinstance(event.body, CoreFailed) for event in commit.events):
        border = f"ask for {commit.first_seq - 1} or {commit.last_seq}"
        raise AuditError(f"the core failed on the inputs {commit.first_seq} to {commit.last_seq}; {border}")
    kept = int((commit.bars.seq <= last_seq).sum())
    return Commit(
        first_seq=commit.first_seq,
        last_seq=last_seq,
        ticks=tuple(
            (first, batch.slice(0, last_seq - first + 1)) for first, batch in commit.ticks if first <= last_seq
        ),
        events=tuple(event for event in commit.events if event.seq <= last_seq),
        bars=BarRows(commit.bars.seq[:kept], commit.bars.n[:kept], commit.bars.rows[:kept]),
    )
