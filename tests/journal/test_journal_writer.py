"""Appending, seals beside it, rollover, and what ends the use of a journal."""

import shutil
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tradingd.columns import TRADE, tick_batch
from tradingd.commit import BarRows, Commit
from tradingd.events import ClockAdvanced, Event, OrderAccepted
from tradingd.journal import writer
from tradingd.journal.errors import JournalDamaged, JournalError, JournalFailed
from tradingd.journal.settings import JournalSettings
from tradingd.journal.verify import verify
from tradingd.journal.writer import Journal

MadeAt = Callable[[int], Commit]
TICKS = tick_batch(0, kind=[TRADE] * 3, instrument=[0] * 3, ts_event_ns=[1, 2, 3], price=[1.0, 2.0, 3.0])
NO_BARS = BarRows.empty()


def clock(seq: int, n: int = 0) -> Event:
    return Event(seq, n, 1, 1, "", ClockAdvanced() if n == 0 else OrderAccepted("X"))


def one_bar(seq: int, n: int) -> BarRows:
    return replace(BarRows.empty(), seq=np.array([seq]), n=np.array([n]), rows=np.zeros(1, NO_BARS.rows.dtype))


NOT_COMMITS = {
    "does not follow 0": Commit(2, 2, (), (clock(2),), NO_BARS),
    "at least one input": Commit(1, 0, (), (), NO_BARS),
    "seq 1 has no input": Commit(1, 3, (), (clock(2), clock(3)), NO_BARS),
    "inputs end at seq 3, the commit at 4": Commit(1, 4, ((1, TICKS),), (), NO_BARS),
    "seq 3 has more than one input": Commit(1, 3, ((1, TICKS),), (clock(3),), NO_BARS),
    "tick batches are not in seq order": Commit(1, 6, ((4, TICKS), (1, TICKS)), (), NO_BARS),
    "rows of kind FRAME": Commit(1, 3, ((1, replace(TICKS, frames=(b"x",))),), (), NO_BARS),
    r"events are not in order at \(2, 1\)": Commit(1, 2, (), (clock(1), clock(2), clock(2, 2), clock(2, 1)), NO_BARS),
    "events stand outside": Commit(1, 1, (), (clock(1), clock(2, 1)), NO_BARS),
    "bars stand outside": Commit(1, 1, (), (clock(1),), one_bar(2, 1)),
    "a bar is a fact": Commit(1, 1, (), (clock(1),), one_bar(1, 0)),
    "share the position": Commit(1, 1, (), (clock(1), clock(1, 1)), one_bar(1, 1)),
}


@pytest.mark.parametrize("reason", NOT_COMMITS)
def test_what_is_no_commit_ends_the_use_of_the_journal_and_writes_nothing(
    tmp_path: Path, settings: JournalSettings, commit_at: MadeAt, reason: str
) -> None:
    journal = Journal.open(tmp_path / "j", settings)
    with pytest.raises(JournalFailed, match=reason):
        journal.append(NOT_COMMITS[reason])
    with pytest.raises(JournalFailed, match="failed before"):
        journal.append(commit_at(1))
    with pytest.raises(JournalFailed, match="not closed"):
        journal.close()
    journal.abandon()
    journal = Journal.open(tmp_path / "j", settings)
    assert journal.last_seq == 0
    journal.append(commit_at(1))
    journal.close()


def test_values_out_of_their_columns_range_fail(tmp_path: Path, settings: JournalSettings) -> None:
    journal = Journal.open(tmp_path / "j", settings)
    with pytest.raises(JournalFailed):
        journal.append(Commit(1, 3, ((1, replace(TICKS, source=70_000)),), (), NO_BARS))
    journal.abandon()


def test_a_text_that_is_no_unicode_fails(tmp_path: Path, settings: JournalSettings) -> None:
    journal = Journal.open(tmp_path / "j", settings)
    with pytest.raises(JournalFailed):
        journal.append(Commit(1, 1, (), (Event(1, 0, 1, 1, "\ud800", ClockAdvanced()),), NO_BARS))
    journal.abandon()


def test_minus_zero_is_stored_as_zero(tmp_path: Path, settings: JournalSettings) -> None:
    """A checkpoint of DuckDB would turn it, and the digest would then not fit."""
    journal = Journal.open(tmp_path / "j", settings)
    journal.append(Commit(1, 3, ((1, replace(TICKS, price=np.array([-0.0, 0.0, -0.0]))),), (), NO_BARS))
    journal.close()
    assert verify(tmp_path / "j").ok


def test_a_writer_that_lost_the_journal_notices_at_its_next_commit(
    tmp_path: Path, settings: JournalSettings, commit_at: MadeAt
) -> None:
    journal = Journal.open(tmp_path / "j", settings)
    journal.append(commit_at(1))
    head = tmp_path / "j" / "HEAD"
    taken = bytearray(head.read_bytes())
    taken[24] ^= 1  # another generation in the first slot
    taken[4096 + 24] ^= 1
    head.write_bytes(taken)
    with pytest.raises(JournalFailed, match="written by another process"):
        journal.append(commit_at(2))
    journal.abandon()


def test_seals_run_beside_appends(tmp_path: Path, settings: JournalSettings, commit_at: MadeAt) -> None:
    journal = Journal.open(tmp_path / "j", settings)
    done = threading.Event()
    failures: list[BaseException] = []

    def maintain() -> None:
        try:
            while not done.is_set():
                journal.seal()
        except JournalError as error:
            failures.append(error)

    thread = threading.Thread(target=maintain)
    thread.start()
    for number in range(1, 121):
        journal.append(commit_at(number))
        if number % 40 == 0:
            journal.roll()
    done.set()
    thread.join()
    assert failures == []
    journal.seal()
    journal.close()
    report = verify(tmp_path / "j")
    assert report.ok
    assert (report.end.commit_no, report.segments, report.notes) == (120, 4, [])


def test_a_live_segment_is_appended_to_by_its_log_alone(
    tmp_path: Path, settings: JournalSettings, commit_at: MadeAt
) -> None:
    """DuckDB's checkpoints write over blocks that are in use: a power cut meanwhile would cost the segment."""
    live = tmp_path / "j" / "segments" / "000001.live.duckdb"
    Journal.open(tmp_path / "j", settings).close()
    made = live.read_bytes()
    for number in range(1, 7):
        journal = Journal.open(tmp_path / "j", settings)
        journal.append(commit_at(number))
        if number % 2:
            journal.close()
        else:
            journal.abandon()
    assert live.read_bytes() == made
    assert verify(tmp_path / "j").end.commit_no == 6


def test_rows_of_a_large_commit_too_go_to_the_log_alone(tmp_path: Path, settings: JournalSettings) -> None:
    """Of 122,880 rows and more DuckDB would write blocks to the file, and again where it reads the log back."""
    live = tmp_path / "j" / "segments" / "000001.live.duckdb"
    Journal.open(tmp_path / "j", settings).close()
    made, rows = live.read_bytes(), 130_000
    for first in (1, 1 + rows):
        journal = Journal.open(tmp_path / "j", settings)
        ticks = tick_batch(0, kind=TRADE, instrument=0, ts_event_ns=np.arange(rows), price=np.arange(rows) * 0.25)
        journal.append(Commit(first, first + rows - 1, ((first, ticks),), (), NO_BARS))
        journal.abandon()
    Journal.open(tmp_path / "j", settings).close()
    assert live.read_bytes() == made
    assert verify(tmp_path / "j").end.last_seq == 2 * rows


def test_a_sealed_segment_is_all_that_is_left_of_it(
    tmp_path: Path, settings: JournalSettings, commit_at: MadeAt
) -> None:
    journal = Journal.open(tmp_path / "j", settings)
    journal.append(commit_at(1))
    journal.roll()
    journal.seal()
    journal.close()
    left = sorted(path.name for path in (tmp_path / "j" / "segments").iterdir())
    assert left == ["000001.duckdb", "000001.manifest.json", "000002.live.duckdb"]


def test_sealing_reads_back_what_it_wrote(tmp_path: Path, settings: JournalSettings, commit_at: MadeAt) -> None:
    # given rows that are not what was committed
    journal = Journal.open(tmp_path / "j", settings)
    journal.append(commit_at(1))
    journal.append(commit_at(2))
    journal._connection.execute("UPDATE ticks SET price = 1 WHERE seq = 15")
    journal.roll()
    # then the segment is not sealed, and stays as it is
    with pytest.raises(JournalDamaged, match="commit 2, seq 14 to 26: digest"):
        journal.seal()
    assert journal.unsealed() == [1]
    assert (tmp_path / "j" / "segments" / "000001.live.duckdb").exists()
    # and appending goes on
    journal.append(commit_at(3))
    journal.close()


def test_rolls_by_rows_by_size_and_by_day(tmp_path: Path, commit_at: MadeAt, monkeypatch: pytest.MonkeyPatch) -> None:
    limits = {"rows": JournalSettings(roll_rows=20, roll_daily=False), "size": JournalSettings(roll_wal_mb=1)}
    for name, settings in limits.items():
        journal = Journal.open(tmp_path / name, settings)
        assert not journal.should_roll()
        while not journal.should_roll():
            assert journal.paths.wal_bytes(1) < 1_000_000
            journal.append(commit_at(journal.head.commit_no + 1))
        assert (journal.paths.wal_bytes(1) >= 1_000_000) == (name == "size")
        journal.close()

    journal = Journal.open(tmp_path / "day", JournalSettings())
    journal.append(commit_at(1))
    assert not journal.should_roll()
    monkeypatch.setattr(writer.time, "time_ns", lambda: 2**62)
    assert journal.should_roll()
    journal.close()


def test_a_rollover_continues_the_chain_also_after_a_restart(
    tmp_path: Path, settings: JournalSettings, commit_at: MadeAt, contents: Callable[[Commit], object]
) -> None:
    for number in range(1, 5):
        journal = Journal.open(tmp_path / "j", settings)
        assert [contents(c) for c in journal.reader().commits()] == [contents(commit_at(i)) for i in range(1, number)]
        journal.append(commit_at(number))
        journal.roll()
        if number == 3:
            assert [manifest.segment for manifest in journal.seal()] == [1, 2, 3]
        journal.close()
    report = verify(tmp_path / "j")
    assert report.ok
    assert report.segments == 5
    assert report.notes == ["segment 4 is not sealed yet"]


def test_an_empty_segment_does_not_roll(tmp_path: Path, settings: JournalSettings) -> None:
    journal = Journal.open(tmp_path / "j", settings)
    assert not journal.should_roll()
    with pytest.raises(JournalFailed, match="empty segment"):
        journal.roll()
    journal.abandon()


def test_a_copy_made_while_the_writer_was_open_recovers_too(
    tmp_path: Path, settings: JournalSettings, commit_at: MadeAt
) -> None:
    journal = Journal.open(tmp_path / "j", settings)
    journal.append(commit_at(1))
    shutil.copytree(tmp_path / "j", tmp_path / "copy", ignore=shutil.ignore_patterns("LOCK"))
    journal.abandon()
    copy = Journal.open(tmp_path / "copy", settings)
    assert copy.last_seq == 13
    copy.close()
