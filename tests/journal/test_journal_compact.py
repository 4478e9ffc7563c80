"""Neighbouring sealed segments become one, and the journal is what it was."""

import hashlib
import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any

import duckdb
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tradingd.audit.export import Form, export
from tradingd.commit import Commit
from tradingd.journal import compact as module
from tradingd.journal import folder as folders
from tradingd.journal import segments
from tradingd.journal.archive import archive
from tradingd.journal.backup import backup, restore
from tradingd.journal.compact import compact
from tradingd.journal.errors import JournalArchived, JournalDamaged, JournalError, JournalLocked
from tradingd.journal.finishing import seal_all
from tradingd.journal.folder import Lock, Paths
from tradingd.journal.reader import JournalReader
from tradingd.journal.settings import JournalSettings
from tradingd.journal.verify import VerifyReport, verify
from tradingd.journal.witness import evidence_of
from tradingd.journal.writer import Journal

MadeAt = Callable[[int], Commit]
Contents = Callable[[Commit], tuple[Any, ...]]
NEVER_NS = 2**62
POINTS = ("before-copy", "after-copy", "before-manifest", "after-manifest", "after-removal")


class Cut(Exception):
    pass


@pytest.fixture(scope="module")
def six(tmp_path_factory: pytest.TempPathFactory, settings: JournalSettings, commit_at: MadeAt) -> Path:
    """Six segments of a commit each; the last is not sealed. To be copied, not changed."""
    folder = tmp_path_factory.mktemp("six") / "j"
    journal = Journal.open(folder, settings)
    for number in range(1, 7):
        journal.append(commit_at(number))
        if number < 6:
            journal.roll()
    journal.seal()
    journal.close()
    return folder


@pytest.fixture
def folder(six: Path, tmp_path: Path, settings: JournalSettings) -> Path:
    shutil.copytree(six, tmp_path / "j")
    Journal.open(tmp_path / "j", settings).close()  # from here on it has its own id
    return tmp_path / "j"


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "segments").iterdir() if not path.name.endswith(".wal"))


def commits(folder: Path, contents: Contents) -> list[tuple[Any, ...]]:
    with JournalReader.open(folder) as reader:
        return [contents(commit) for commit in reader.commits()]


def mb_of(folder: Path, *numbers: int) -> int:
    """Room for just these; in tests a segment takes 0.8 MB, so a megabyte is little more than one."""
    total = sum(Paths(folder).sealed(number).stat().st_size for number in numbers)
    return total // 1_000_000 + 1


def digests(report: VerifyReport) -> tuple[object, ...]:
    return report.ok, report.end, report.rows


JOINED = ["000001-000005.duckdb", "000005.manifest.json", "000006.live.duckdb"]

# --- what it is -------------------------------------------------------------------------------------------------------


def test_segments_become_one_and_nothing_else_changes(folder: Path, contents: Contents) -> None:
    before, read = verify(folder), commits(folder, contents)
    (made,) = compact(folder)
    assert (made.first_segment, made.segment, made.first_commit, made.last_commit) == (1, 5, 1, 5)
    assert names(folder) == JOINED
    report = verify(folder)
    assert (digests(report), report.segments, report.notes) == (digests(before), 2, [])
    assert commits(folder, contents) == read
    assert Paths(folder).sealed(5).stat().st_mode & 0o777 == 0o444
    assert compact(folder) == []


def test_the_joined_file_is_what_the_specification_says(folder: Path) -> None:
    """Read with nothing of the package."""
    with duckdb.connect(folder / "segments" / "000001.duckdb", read_only=True) as connection:
        start = connection.execute("SELECT * FROM segment").fetchall()
    compact(folder)
    path = folder / "segments" / "000001-000005.duckdb"
    with duckdb.connect(path, read_only=True) as connection:
        assert connection.execute("SELECT * FROM segment").fetchall() == start
        assert connection.execute("SELECT list(commit_no) FROM commits").fetchall() == [([1, 2, 3, 4, 5],)]
        assert connection.execute("SELECT list(seq) = list(seq ORDER BY seq) FROM ticks").fetchall() == [(True,)]
    manifest = json.loads((folder / "segments" / "000005.manifest.json").read_text())
    assert (manifest["first_segment"], manifest["segment"]) == (1, 5)
    assert manifest["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()


def test_only_neighbours_below_the_size_are_joined(folder: Path) -> None:
    assert compact(folder, 1) == []
    made = compact(folder, mb_of(folder, 1, 2))
    assert [(each.first_segment, each.segment) for each in made] == [(1, 2), (3, 4)]
    assert "000005.duckdb" in names(folder)
    assert verify(folder).ok


def test_no_more_than_can_be_open_are_joined_at_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MEMBERS_MAX", 2)
    assert [(each.first_segment, each.segment) for each in compact(folder)] == [(1, 2), (3, 4)]
    assert [(each.first_segment, each.segment) for each in compact(folder)] == [(1, 4)]
    assert verify(folder).ok


def test_what_was_joined_is_joined_again(folder: Path) -> None:
    before = verify(folder)
    compact(folder, mb_of(folder, 1, 2))
    assert [(each.first_segment, each.segment) for each in compact(folder)] == [(1, 5)]
    assert names(folder) == JOINED
    assert digests(verify(folder)) == digests(before)


def test_a_journal_goes_on_and_all_of_it_may_be_joined(
    folder: Path, settings: JournalSettings, commit_at: MadeAt, contents: Contents
) -> None:
    compact(folder)
    seal_all(folder, settings)
    assert [(each.first_segment, each.segment) for each in compact(folder)] == [(1, 6)]
    journal = Journal.open(folder, settings)
    assert journal.head.segment == 7
    journal.append(commit_at(7))
    journal.close()
    assert commits(folder, contents) == [contents(commit_at(number)) for number in range(1, 8)]
    assert verify(folder).ok


@given(data=st.data())
@hypothesis_settings(max_examples=8)
def test_whatever_was_joined_the_journal_is_the_same(
    settings: JournalSettings, commit_at: MadeAt, contents: Contents, data: st.DataObject
) -> None:
    with TemporaryDirectory() as place:
        folder, appended = Path(place) / "j", 0
        for _ in range(data.draw(st.integers(1, 3))):
            journal = Journal.open(folder, settings)
            for rolls in data.draw(st.lists(st.booleans(), max_size=5)):
                appended += 1
                journal.append(commit_at(appended))
                if rolls:
                    journal.roll()
            journal.seal()
            end = journal.head.digest
            journal.close()
            compact(folder, data.draw(st.sampled_from([1, 2, 3, 1000])))
        report = verify(folder)
        assert (report.ok, report.end.digest, report.end.commit_no) == (True, end, appended)
        assert commits(folder, contents) == [contents(commit_at(number)) for number in range(1, appended + 1)]


# --- beside others ----------------------------------------------------------------------------------------------------


def test_beside_a_writer(folder: Path, settings: JournalSettings, commit_at: MadeAt) -> None:
    journal = Journal.open(folder, settings)
    journal.append(commit_at(7))
    assert len(compact(folder)) == 1
    assert journal.unsealed() == []
    with JournalReader.open(folder, with_live=True) as reader:
        assert [info.number for info in reader.segments()] == [5, 6]
        assert reader.last_seq == commit_at(7).last_seq
        assert len(list(reader.commits(commit_at(3).first_seq))) == 5
        assert reader.sql("SELECT count(*) FROM commits").item() == 7
    journal.append(commit_at(8))
    journal.roll()
    assert [manifest.segment for manifest in journal.seal()] == [6]
    with journal.reader() as own:
        assert len(list(own.commits())) == 8
    assert [(each.first_segment, each.segment) for each in compact(folder)] == [(1, 6)]
    journal.close()
    assert verify(folder).end.commit_no == 8


def test_who_reads_is_waited_for(folder: Path, monkeypatch: pytest.MonkeyPatch, contents: Contents) -> None:
    before = names(folder)
    with JournalReader.open(folder) as reader, monkeypatch.context() as patched:
        patched.setattr(folders, "READERS_S_MAX", 0.05)
        with pytest.raises(JournalLocked, match="is being read by another process"):
            compact(folder)
        assert len(list(reader.commits())) == 6
    assert names(folder) == before
    read = commits(folder, contents)
    assert len(compact(folder)) == 1
    assert commits(folder, contents) == read


def test_a_reader_beside_it_never_sees_half(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Opened at each step of it, but for the moment in which it holds readers off."""
    seen = []

    def look(name: str) -> None:
        seen.append(name)
        assert verify(folder).ok
        with JournalReader.open(folder) as reader:
            assert reader.sql("SELECT count(*), max(commit_no) FROM commits").row(0) == (6, 6)

    monkeypatch.setattr(module, "point", look)
    compact(folder)
    assert seen == [f"compact.{name}" for name in POINTS]


def test_one_at_a_time(folder: Path, tmp_path: Path) -> None:
    with Lock.upkeep(Paths(folder)):
        with pytest.raises(JournalLocked, match="another process compacts or archives"):
            compact(folder)
        with pytest.raises(JournalLocked, match="another process compacts or archives"):
            archive(folder, tmp_path / "old", NEVER_NS)
    assert len(compact(folder)) == 1


@pytest.mark.parametrize("at", POINTS)
def test_a_writer_may_start_at_any_step(
    folder: Path, settings: JournalSettings, commit_at: MadeAt, at: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(name: str) -> None:
        if name == f"compact.{at}":
            journal = Journal.open(folder, settings)
            journal.append(commit_at(7))
            journal.close()

    monkeypatch.setattr(module, "point", start)
    assert len(compact(folder)) == 1
    assert (names(folder), verify(folder).end.commit_no) == (JOINED, 7)


# --- cut short --------------------------------------------------------------------------------------------------------


def cut_at(folder: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def cut(passed: str) -> None:
        if passed == f"compact.{name}":
            raise Cut

    with monkeypatch.context() as patched:
        patched.setattr(module, "point", cut)
        with pytest.raises(Cut):
            compact(folder)


@pytest.mark.parametrize("at", POINTS)
@pytest.mark.parametrize("opened", [False, True])
def test_what_was_cut_short_is_whole_and_is_completed(
    folder: Path, settings: JournalSettings, contents: Contents, at: str, opened: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, read = verify(folder), commits(folder, contents)
    cut_at(folder, at, monkeypatch)
    assert digests(verify(folder)) == digests(before)
    assert commits(folder, contents) == read
    is_done = at in POINTS[3:]
    if opened:
        Journal.open(folder, settings).close()
        assert len(names(folder)) == (3 if is_done else 11)
    assert len(compact(folder)) == (0 if is_done else 1)
    assert names(folder) == JOINED
    assert digests(verify(folder)) == digests(before)


def test_members_that_are_half_removed_count_no_more(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = verify(folder)
    cut_at(folder, "after-manifest", monkeypatch)
    for name in ("000001.duckdb", "000001.manifest.json", "000003.duckdb", "000005.duckdb"):
        (folder / "segments" / name).unlink()
    assert digests(verify(folder)) == digests(before)
    compact(folder)
    assert names(folder) == JOINED


def test_a_segment_that_is_not_what_its_manifest_says_is_not_joined(folder: Path) -> None:
    path = Paths(folder).manifest(3)
    content = path.read_text()
    path.write_text(content.replace('"last_seq": 39', '"last_seq": 38').replace('"bars": 1', '"bars": 2'))
    before = names(folder)
    with pytest.raises(JournalDamaged, match="are not what their manifests say"):
        compact(folder)
    path.write_text(content)
    Paths(folder).sealed(4).chmod(0o644)
    Paths(folder).sealed(4).write_text("no database")
    with pytest.raises(JournalError, match=r"000001-000005.duckdb can not be made: .*all is as it was"):
        compact(folder)
    assert names(folder) == before


def test_a_disk_that_would_become_full_is_left_alone(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = names(folder)
    with monkeypatch.context() as patched:
        patched.setattr(module, "FREE_BYTES_MIN", 2**62)
        with pytest.raises(JournalError, match=r"000001-000005.duckdb needs [\d,]+ MB of free space"):
            compact(folder)

    def full(sources: Sequence[Path], target: Path, settings: JournalSettings) -> None:
        segments.copy_rows(sources, target, settings)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "segments", SimpleNamespace(copy_rows=full))
    with pytest.raises(OSError, match="No space left"):
        compact(folder)
    assert names(folder) == before
    assert verify(folder).ok


@pytest.mark.parametrize("first", [0, 2, 3, 9])
def test_a_manifest_that_names_other_members_is_damage(folder: Path, first: int) -> None:
    compact(folder)
    path = Paths(folder).manifest(5)
    path.write_text(path.read_text().replace('"first_segment": 1', f'"first_segment": {first}'))
    report = verify(folder)
    assert report.fault is not None
    assert report.fault.where == "segments"
    with pytest.raises(JournalDamaged):
        JournalReader.open(folder)
    with pytest.raises(JournalDamaged):
        compact(folder)
    assert (folder / "segments" / "000001-000005.duckdb").exists()


def test_a_joined_segment_that_is_gone_is_missing(folder: Path) -> None:
    compact(folder)
    Paths(folder).sealed(5).unlink()
    with pytest.raises(JournalDamaged, match=r"000001-000005\.duckdb is missing"):
        JournalReader.open(folder)


# --- backups, archives, exports ---------------------------------------------------------------------------------------


def test_a_backup_takes_the_joined_file_in_place_of_its_members(folder: Path, tmp_path: Path) -> None:
    assert backup(folder, tmp_path / "copy").kept == 0
    compact(folder)
    done = backup(folder, tmp_path / "copy")
    assert (done.report.ok, done.kept, done.report.end) == (True, 0, verify(folder).end)
    assert names(tmp_path / "copy") == JOINED
    assert backup(folder, tmp_path / "copy").kept == 1
    restore(tmp_path / "copy", tmp_path / "back")
    assert verify(tmp_path / "back").end == verify(folder).end


def test_a_backup_that_was_compacted_itself_is_extended(folder: Path, tmp_path: Path) -> None:
    backup(folder, tmp_path / "copy")
    compact(tmp_path / "copy")
    done = backup(folder, tmp_path / "copy")
    assert (done.report.ok, done.report.end) == (True, verify(folder).end)
    assert names(tmp_path / "copy") == names(folder)


def test_a_backup_with_other_rows_is_left_alone(
    folder: Path, tmp_path: Path, settings: JournalSettings, commit_at: MadeAt
) -> None:
    shutil.copytree(folder, tmp_path / "other")
    for place, number in ((folder, 7), (tmp_path / "other", 7)):
        journal = Journal.open(place, settings)  # the clock makes another digest
        journal.append(commit_at(number))
        journal.roll()
        journal.seal()
        journal.close()
    shutil.copy(folder / "journal.json", tmp_path / "other")
    compact(folder)
    before = names(tmp_path / "other")
    with pytest.raises(JournalError, match="is not the beginning of what"):
        backup(folder, tmp_path / "other")
    assert set(before) <= set(names(tmp_path / "other"))


def test_members_in_a_backup_stay_where_the_joined_segment_is_archived(folder: Path, tmp_path: Path) -> None:
    backup(folder, tmp_path / "copy")
    compact(folder)
    archive(folder, tmp_path / "old", NEVER_NS)
    assert backup(folder, tmp_path / "copy").report.ok
    assert "000001.duckdb" in names(tmp_path / "copy")
    assert verify(tmp_path / "copy", archive=tmp_path / "old").notes == []


def test_a_joined_segment_is_archived_as_any_other(
    folder: Path, tmp_path: Path, settings: JournalSettings, commit_at: MadeAt
) -> None:
    before = verify(folder)
    compact(folder)
    assert [each.segment for each in archive(folder, tmp_path / "old", NEVER_NS)] == [5]
    assert [path.name for path in (tmp_path / "old").glob("*.duckdb")] == ["000001-000005.duckdb"]
    assert names(folder) == ["000005.archived.json", "000005.manifest.json", "000006.live.duckdb"]
    assert digests(verify(folder)) == digests(verify(folder, archive=tmp_path / "old")) == digests(before)
    assert verify(folder, evidence=evidence_of([before.end.digest.hex()], [])).ok
    with JournalReader.open(folder) as reader:
        assert len(list(reader.commits())) == 6
    journal = Journal.open(folder, settings)
    journal.append(commit_at(7))
    journal.roll()
    journal.seal()
    journal.close()
    assert compact(folder) == []
    shutil.move(tmp_path / "old", tmp_path / "away")
    with JournalReader.open(folder) as reader, pytest.raises(JournalArchived, match=r"copy 000001-000005\.duckdb back"):
        list(reader.commits())
    shutil.copy(tmp_path / "away" / "000001-000005.duckdb", folder / "segments")
    assert [(each.first_segment, each.segment) for each in compact(folder)] == [(1, 6)]
    assert verify(folder).end.commit_no == 7


def test_archived_segments_stay_alone(folder: Path, tmp_path: Path) -> None:
    with JournalReader.open(folder) as reader:
        third = reader.sql("SELECT committed_ns FROM commits WHERE commit_no = 3").item()
    archive(folder, tmp_path / "old", third)
    assert [(each.first_segment, each.segment) for each in compact(folder)] == [(3, 5)]
    assert verify(folder, archive=tmp_path / "old").ok


def test_an_export_has_the_same_rows(folder: Path, tmp_path: Path, settings: JournalSettings) -> None:
    def exported(target: Path) -> tuple[object, ...]:
        with JournalReader.open(folder) as reader:
            done = export(reader, target, Form.PARQUET, 20, 60, settings)
        rows = duckdb.sql(f"SELECT count(*), sum(seq), bit_xor(hash(price)) FROM '{target}/*ticks*.parquet'").fetchall()
        return done.first_commit, done.last_commit, done.digest, rows

    before = exported(tmp_path / "before")
    compact(folder)
    assert exported(tmp_path / "after") == before
