"""Old segments move elsewhere, and the chain still spans them."""

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tradingd.commit import Commit
from tradingd.journal import archive as module
from tradingd.journal.archive import archive
from tradingd.journal.backup import backup, restore
from tradingd.journal.errors import JournalArchived, JournalDamaged, JournalError
from tradingd.journal.folder import Paths
from tradingd.journal.reader import JournalReader
from tradingd.journal.settings import JournalSettings
from tradingd.journal.verify import verify
from tradingd.journal.witness import evidence_of
from tradingd.journal.writer import Journal

MadeAt = Callable[[int], Commit]
NEVER_NS = 2**62


@pytest.fixture
def folder(tmp_path: Path, settings: JournalSettings, commit_at: MadeAt) -> Path:
    """Four segments of a commit each; the last is not sealed."""
    journal = Journal.open(tmp_path / "j", settings)
    for number in range(1, 5):
        journal.append(commit_at(number))
        if number < 4:
            journal.roll()
            journal.seal()
    journal.close()
    return tmp_path / "j"


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("*.duckdb"))


def digest_after(folder: Path, commit: int) -> str:
    with JournalReader.open(folder) as reader:
        return str(reader.sql(f"SELECT hex(digest) FROM commits WHERE commit_no = {commit}").item()).lower()


def test_all_but_the_newest_go_and_the_journal_is_read_as_before(folder: Path, tmp_path: Path) -> None:
    before = verify(folder)
    assert [each.segment for each in archive(folder, tmp_path / "old", NEVER_NS)] == [1, 2, 3]
    assert names(folder / "segments") == ["000004.live.duckdb"]
    assert names(tmp_path / "old") == ["000001.duckdb", "000002.duckdb", "000003.duckdb"]
    report = verify(folder)
    assert (report.ok, report.end, report.rows, report.segments) == (True, before.end, before.rows, 4)
    assert report.notes[0] == f"segment 1 is archived in {tmp_path / 'old'}: not read without --archive"
    assert verify(folder, archive=tmp_path / "old").notes == []
    with JournalReader.open(folder) as reader:
        assert len(list(reader.commits())) == 4
        assert len(reader.sql("SELECT * FROM commits")) == 4
        assert reader.segments()[0].manifest is not None


def test_only_what_is_older_goes(folder: Path, tmp_path: Path) -> None:
    with JournalReader.open(folder) as reader:
        third = reader.sql("SELECT committed_ns FROM commits WHERE commit_no = 3").item()
    assert archive(folder, tmp_path / "old", 0) == []
    assert not (tmp_path / "old").exists()
    assert [each.segment for each in archive(folder, tmp_path / "old", third)] == [1, 2]
    assert [each.segment for each in archive(folder, tmp_path / "old", time.time_ns())] == [3]
    assert archive(folder, tmp_path / "old", NEVER_NS) == []


def test_a_journal_goes_on_over_its_archive(
    folder: Path, tmp_path: Path, settings: JournalSettings, commit_at: MadeAt
) -> None:
    journal = Journal.open(folder, settings)
    archive(folder, tmp_path / "old", NEVER_NS)
    journal.append(commit_at(5))
    assert len(list(journal.reader().commits())) == 5
    journal.close()
    shutil.move(tmp_path / "old", tmp_path / "away")
    journal = Journal.open(folder, settings)
    journal.append(commit_at(6))
    journal.close()
    assert verify(folder, archive=tmp_path / "away").end.commit_no == 6


def test_an_archive_out_of_reach_is_said_with_where_it_was(folder: Path, tmp_path: Path) -> None:
    archive(folder, tmp_path / "old", NEVER_NS)
    shutil.move(tmp_path / "old", tmp_path / "away")
    with JournalReader.open(folder) as reader:
        said = rf"segment 1 of {folder} was archived to {tmp_path / 'old'}, which does not hold it"
        with pytest.raises(JournalArchived, match=said):
            list(reader.commits())
        with pytest.raises(JournalArchived, match=said):
            reader.sql("SELECT 1")
        assert [segment.number for segment in reader.segments()] == [1, 2, 3, 4]
    shutil.copy(tmp_path / "away" / "000001.duckdb", folder / "segments")
    with JournalReader.open(folder) as reader, pytest.raises(JournalArchived, match="segment 2 of"):
        list(reader.commits())
    assert len(verify(folder).notes) == 2


@pytest.mark.parametrize("change", ["digest", "digest_before", "last_commit", "first_seq"])
def test_a_manifest_that_was_changed_breaks_the_chain(folder: Path, tmp_path: Path, change: str) -> None:
    archive(folder, tmp_path / "old", NEVER_NS)
    path = Paths(folder).manifest(2)
    found = json.loads(path.read_bytes())
    found[change] = "0" * 64 if change.startswith("digest") else 9
    path.write_text(json.dumps(found))
    assert not verify(folder).ok
    found["digest"] = "none"
    path.write_text(json.dumps(found))
    assert not verify(folder).ok
    path.unlink()
    assert verify(folder).fault is not None


def test_a_segment_that_was_changed_in_the_archive_is_found_by_reading_it(folder: Path, tmp_path: Path) -> None:
    archive(folder, tmp_path / "old", NEVER_NS)
    path = tmp_path / "old" / "000002.duckdb"
    path.chmod(0o644)
    path.write_bytes(path.read_bytes() + b"x")
    assert verify(folder).ok
    fault = verify(folder, archive=tmp_path / "old").fault
    assert fault is not None
    assert fault.where == "000002.manifest.json"


def test_a_digest_that_was_kept_elsewhere_is_known_at_the_ends_of_archived_segments(
    folder: Path, tmp_path: Path, settings: JournalSettings, commit_at: MadeAt
) -> None:
    journal = Journal.open(folder, settings)
    journal.append(commit_at(5))
    journal.roll()
    journal.seal()
    journal.close()
    second, within = digest_after(folder, 2), digest_after(folder, 4)
    archive(folder, tmp_path / "old", NEVER_NS)
    assert verify(folder, evidence=evidence_of([second], [])).ok
    with pytest.raises(JournalArchived, match="give --archive DIR"):
        verify(folder, evidence=evidence_of([within], []))
    assert verify(folder, evidence=evidence_of([within], []), archive=tmp_path / "old").ok


def test_a_backup_holds_what_is_not_archived(folder: Path, tmp_path: Path) -> None:
    archive(folder, tmp_path / "old", NEVER_NS)
    assert backup(folder, tmp_path / "copy").report.ok
    assert names(tmp_path / "copy" / "segments") == ["000004.live.duckdb"]
    restore(tmp_path / "copy", tmp_path / "back")
    assert verify(tmp_path / "back", archive=tmp_path / "old").notes == []


@pytest.mark.parametrize("name", ["archive.before-note", "archive.before-removal"])
def test_a_move_that_was_cut_short_is_completed(
    folder: Path, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Cut(Exception):
        pass

    def cut(passed: str) -> None:
        if passed == name:
            raise Cut

    with monkeypatch.context() as patched:
        patched.setattr(module, "point", cut)
        with pytest.raises(Cut):
            archive(folder, tmp_path / "old", NEVER_NS)
    assert verify(folder).notes == []
    assert [each.segment for each in archive(folder, tmp_path / "old", NEVER_NS)] == [1, 2, 3]
    assert verify(folder, archive=tmp_path / "old").ok


def test_what_would_lose_something_is_refused(folder: Path, two_segments: Path, tmp_path: Path) -> None:
    shutil.copytree(two_segments, tmp_path / "other")
    for target, said in (
        (folder / "old", "is within the journal"),
        (tmp_path / "other", "is a journal"),
    ):
        with pytest.raises(JournalError, match=said):
            archive(folder, target, NEVER_NS)
    archive(tmp_path / "other", tmp_path / "old", NEVER_NS)
    with pytest.raises(JournalError, match=r"holds segments of genesis \w+, not of"):
        archive(folder, tmp_path / "old", NEVER_NS)
    path = Paths(folder).sealed(1)
    path.chmod(0o644)
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(JournalDamaged, match="is not what its manifest says"):
        archive(folder, tmp_path / "new", NEVER_NS)
    assert len(names(folder / "segments")) == 4
