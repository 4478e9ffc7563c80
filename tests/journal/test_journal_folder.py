"""What a folder can be when a journal is asked of it, and the one line that says so."""

import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from tradingd.commit import Commit
from tradingd.journal.errors import (
    JournalDamaged,
    JournalError,
    JournalForeign,
    JournalLocked,
    JournalTooNew,
)
from tradingd.journal.folder import Identity
from tradingd.journal.reader import JournalReader
from tradingd.journal.settings import JournalSettings
from tradingd.journal.verify import verify
from tradingd.journal.writer import Journal


def identity(folder: Path) -> Identity:
    return msgspec.json.decode((folder / "journal.json").read_bytes(), type=Identity)


@pytest.mark.parametrize("exists", [True, False])
def test_a_missing_or_empty_folder_becomes_a_journal(tmp_path: Path, settings: JournalSettings, exists: bool) -> None:
    folder = tmp_path / "deep" / "journal"
    if exists:
        folder.mkdir(parents=True)
    journal = Journal.open(folder, settings)
    assert (journal.epoch, journal.last_seq, len(journal.id)) == (1, 0, 8)
    journal.close()
    assert sorted(path.name for path in folder.iterdir()) == ["HEAD", "LOCK", "journal.json", "segments", "snapshots"]
    assert verify(folder).ok
    with JournalReader.open(folder) as reader:
        assert (list(reader.commits()), reader.last_seq, reader.newest_snapshot()) == ([], 0, None)
        assert len(reader.sql("SELECT * FROM events")) == 0


def test_every_opening_is_a_new_epoch_of_the_same_journal(tmp_path: Path, settings: JournalSettings) -> None:
    opened = []
    for _ in range(3):
        journal = Journal.open(tmp_path / "j", settings)
        opened.append((journal.id, journal.epoch))
        journal.close()
    journal_id = opened[0][0]
    assert opened == [(journal_id, 1), (journal_id, 2), (journal_id, 3)]


def test_a_copied_journal_gets_a_new_id_and_a_moved_one_keeps_it(two_segments: Path, settings: JournalSettings) -> None:
    folder = two_segments.parent
    shutil.copytree(two_segments, folder / "copy")
    copy = Journal.open(folder / "copy", settings)
    assert copy.id != identity(two_segments).id
    assert identity(folder / "copy").genesis == identity(two_segments).genesis
    copied_id = copy.id
    copy.close()
    (folder / "copy").rename(folder / "moved")
    moved = Journal.open(folder / "moved", settings)
    assert moved.id == copied_id
    moved.close()
    assert verify(folder / "moved").ok
    shutil.rmtree(folder / "moved")


def test_a_foreign_folder_is_refused_and_left_as_it_is(tmp_path: Path, settings: JournalSettings) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    for call in (lambda: Journal.open(tmp_path, settings), lambda: JournalReader.open(tmp_path)):
        with pytest.raises(JournalForeign, match=r"is not a journal: it has no journal\.json"):
            call()
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_reader_does_not_make_a_journal(tmp_path: Path) -> None:
    with pytest.raises(JournalForeign, match="no such folder"):
        JournalReader.open(tmp_path / "typo")
    assert not (tmp_path / "typo").exists()


def test_a_newer_format_is_refused(two_segments: Path, tmp_path: Path, settings: JournalSettings) -> None:
    shutil.copytree(two_segments, tmp_path / "j")
    (tmp_path / "j" / "journal.json").write_text('{"format": 2, "shape": "unknown"}')
    with pytest.raises(JournalTooNew, match="format 2, this version reads up to 1; upgrade"):
        Journal.open(tmp_path / "j", settings)
    with pytest.raises(JournalTooNew):
        verify(tmp_path / "j")


@pytest.mark.parametrize("content", ["", "{", "[1]", '{"format": 1}', '{"format": "1"}'])
def test_an_unreadable_identity_is_damage(two_segments: Path, tmp_path: Path, content: str) -> None:
    shutil.copytree(two_segments, tmp_path / "j")
    (tmp_path / "j" / "journal.json").write_text(content)
    with pytest.raises(JournalDamaged, match=r"journal\.json can not be read"):
        JournalReader.open(tmp_path / "j")


def test_a_segment_that_is_no_database_is_damage(two_segments: Path, tmp_path: Path, settings: JournalSettings) -> None:
    shutil.copytree(two_segments, tmp_path / "j")
    (tmp_path / "j" / "segments" / "000002.live.duckdb").write_text("not a database")
    with pytest.raises(JournalDamaged, match=r"000002.live.duckdb can not be opened"):
        Journal.open(tmp_path / "j", settings)
    with (
        JournalReader.open(tmp_path / "j") as reader,
        pytest.raises(JournalDamaged, match=r"000002.live.duckdb can not"),
    ):
        list(reader.commits())
    assert not verify(tmp_path / "j").ok


def test_a_lost_live_segment_is_damage(two_segments: Path, tmp_path: Path, settings: JournalSettings) -> None:
    shutil.copytree(two_segments, tmp_path / "j")
    (tmp_path / "j" / "segments" / "000002.live.duckdb").unlink()
    with pytest.raises(JournalDamaged, match=r"000002.live.duckdb is missing"):
        Journal.open(tmp_path / "j", settings)


def test_readers_of_a_closed_journal_keep_writers_out_and_go_together(
    two_segments: Path, settings: JournalSettings
) -> None:
    with JournalReader.open(two_segments) as one, JournalReader.open(two_segments) as other:
        assert one.last_seq == other.last_seq == 78
        with pytest.raises(JournalLocked, match="being read by another process"):
            Journal.open(two_segments, settings)


def test_of_a_live_journal_the_sealed_segments_are_read(
    two_segments: Path, tmp_path: Path, settings: JournalSettings, commit_at: Callable[[int], Commit]
) -> None:
    shutil.copytree(two_segments, tmp_path / "j")
    journal = Journal.open(tmp_path / "j", settings)
    with JournalReader.open(tmp_path / "j") as reader:
        assert reader.is_live
        assert (reader.last_seq, len(list(reader.commits()))) == (39, 3)
        assert reader.head == journal.head
        assert [(s.number, s.manifest is not None) for s in reader.segments()] == [(1, True), (2, False)]
    report = verify(tmp_path / "j")
    assert report.ok
    assert "1 sealed segments of 2" in report.notes[0]
    journal.append(commit_at(7))
    journal.close()


def test_reading_begins_with_the_commit_that_holds_a_seq(
    two_segments: Path, commit_at: Callable[[int], Commit]
) -> None:
    with JournalReader.open(two_segments) as reader:
        for seq, number in ((1, 1), (13, 1), (14, 2), (39, 3), (40, 4), (78, 6)):
            assert next(reader.commits(seq)).first_seq == commit_at(number).first_seq
        assert list(reader.commits(79)) == []


def test_a_sealed_segment_is_read_only_and_described(two_segments: Path) -> None:
    with JournalReader.open(two_segments) as reader:
        sealed, live = reader.segments()
    assert stat.S_IMODE(sealed.path.stat().st_mode) == 0o444
    assert live.manifest is None
    assert sealed.manifest is not None
    assert sealed.manifest.rows == {"ticks": 36, "frames": 12, "bars": 3, "facts": 9, "commits": 3}
    assert (sealed.manifest.first_seq, sealed.manifest.last_seq) == (1, 39)


def test_a_folder_that_can_not_be_written_is_one_clear_line(tmp_path: Path, settings: JournalSettings) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(JournalError, match=r"can not be opened for writing \(Not a directory\)"):
        Journal.open(tmp_path / "file" / "j", settings)


def test_the_journal_needs_no_pyarrow_and_no_pandas(two_segments: Path) -> None:
    script = (
        "import sys; sys.modules.update(pyarrow=None, pandas=None)\n"
        "from pathlib import Path; from tradingd.journal.reader import JournalReader\n"
        f"r = JournalReader.open(Path({str(two_segments)!r}))\n"
        "print(len(list(r.commits())), len(r.sql('SELECT * FROM events')))"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert result.stdout.split() == ["6", str(6 * (12 + 3 + 1))]
