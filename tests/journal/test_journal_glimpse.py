"""Of a journal in use all is read that is acknowledged, and nothing more, without the process that writes it."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tradingd.commit import Commit
from tradingd.journal import glimpse as glimpses
from tradingd.journal.errors import JournalDamaged, JournalError
from tradingd.journal.folder import Paths
from tradingd.journal.glimpse import glimpse
from tradingd.journal.reader import JournalReader
from tradingd.journal.settings import JournalSettings
from tradingd.journal.writer import Journal

MadeAt = Callable[[int], Commit]


@pytest.fixture
def journal(two_segments: Path, tmp_path: Path, settings: JournalSettings, commit_at: MadeAt) -> Journal:
    """Open, with a sealed segment, one that was rolled over and is not sealed yet, and the one being written."""
    shutil.copytree(two_segments, tmp_path / "j")
    opened = Journal.open(tmp_path / "j", settings)
    opened.roll()
    opened.append(commit_at(7))
    return opened


def test_sealed_rolled_over_and_live_segments_are_read(journal: Journal, commit_at: MadeAt) -> None:
    with JournalReader.open(journal.paths.folder, with_live=True) as reader:
        assert reader.is_live
        assert [commit.last_seq for commit in reader.commits()] == [
            commit_at(number).last_seq for number in range(1, 8)
        ]
        assert reader.sql("SELECT count(*) FROM commits").item() == 7
        # what is committed later belongs to the next reader
        journal.append(commit_at(8))
        assert reader.last_seq == commit_at(7).last_seq
    with JournalReader.open(journal.paths.folder, with_live=True) as reader:
        assert reader.last_seq == commit_at(8).last_seq
    journal.close()


def test_what_head_has_not_acknowledged_is_not_shown(journal: Journal, commit_at: MadeAt) -> None:
    head = journal.paths.head.read_bytes()
    journal.append(commit_at(8))
    journal.paths.head.write_bytes(head)
    with JournalReader.open(journal.paths.folder, with_live=True) as reader:
        assert reader.last_seq == commit_at(7).last_seq
        assert reader.sql("SELECT max(seq) FROM ticks").item() <= commit_at(7).last_seq
    journal.abandon()


def test_an_entry_that_is_still_being_written_is_left_out(journal: Journal, commit_at: MadeAt) -> None:
    head, wal = journal.paths.head.read_bytes(), journal.paths.wal(3)
    journal.append(commit_at(8))
    journal.paths.head.write_bytes(head)
    os.truncate(wal, wal.stat().st_size - 10)
    with JournalReader.open(journal.paths.folder, with_live=True) as reader:
        assert reader.last_seq == commit_at(7).last_seq
    journal.abandon()


@pytest.mark.parametrize("files", [0, 1, 2, 3])
def test_a_segment_that_is_sealed_meanwhile_is_read_as_sealed(
    journal: Journal, tmp_path: Path, settings: JournalSettings, monkeypatch: pytest.MonkeyPatch, files: int
) -> None:
    copy, copied = shutil.copyfile, list[Path]()

    def seal_in_between(source: Path, target: Path) -> None:
        if len(copied) == files:
            journal.seal()
        copy(source, target)
        copied.append(source)

    monkeypatch.setattr(glimpses.shutil, "copyfile", seal_in_between)
    assert list(glimpse(journal.paths, tmp_path, settings)) == [3]
    journal.close()


def test_a_copy_that_can_not_be_read_is_damage(journal: Journal, tmp_path: Path, settings: JournalSettings) -> None:
    journal.paths.live(3).write_text("no database")
    with pytest.raises(JournalDamaged, match=r"000003\.live\.duckdb can not be read"):
        glimpse(journal.paths, tmp_path, settings)
    journal.abandon()


def test_one_that_changes_all_the_time_is_given_up(
    journal: Journal, tmp_path: Path, settings: JournalSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: Path) -> None:
        raise FileNotFoundError

    monkeypatch.setattr(glimpses.shutil, "copyfile", gone)
    with pytest.raises(JournalError, match="changed 5 times"):
        glimpse(Paths(journal.paths.folder), tmp_path, settings)
    journal.close()
