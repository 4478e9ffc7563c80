"""Every edit, deletion, reordering and truncation is found, and said where it is."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from tradingd.commit import BarRows, Commit
from tradingd.events import Event
from tradingd.journal import database, head, segments
from tradingd.journal.digest import Encoded, next_digest
from tradingd.journal.errors import JournalDamaged
from tradingd.journal.folder import Paths
from tradingd.journal.reader import JournalReader
from tradingd.journal.settings import JournalSettings
from tradingd.journal.verify import VerifyReport, verify
from tradingd.journal.writer import NO_ROWS, Journal

EDITS = {
    "a price": "UPDATE ticks SET price = price + 1e-9 WHERE seq = {seq}",
    "a receive time": "UPDATE ticks SET ts_received_ns = ts_received_ns + 1 WHERE seq = {seq}",
    "a null": "UPDATE ticks SET ask_size = 1 WHERE seq = {seq}",
    "a value made null": "UPDATE ticks SET price = NULL WHERE seq = {seq}",
    "a tick's source": "UPDATE ticks SET source = 7 WHERE seq = {seq}",
    "a deleted tick": "DELETE FROM ticks WHERE seq = {seq}",
    "an added tick": "INSERT INTO ticks SELECT * FROM ticks WHERE seq = {seq}",
    "two ticks swapped": "UPDATE ticks SET seq = CASE seq WHEN {seq} THEN {seq} + 1 ELSE {seq} END "
    "WHERE seq IN ({seq}, {seq} + 1)",
    "a frame": "UPDATE frames SET payload = 'x'::BLOB || payload[2:] WHERE seq = {frame}",
    "a deleted frame": "DELETE FROM frames WHERE seq = {frame}",
    "a bar": "UPDATE bars SET high = high * 2 WHERE seq = {last}",
    "a deleted bar": "DELETE FROM bars WHERE seq = {last}",
    "a fact": "UPDATE facts SET payload = replace(payload, 'ID', 'IE') WHERE seq = {last} AND n = 2",
    "a key column": "UPDATE facts SET cl_ord_id = NULL WHERE seq = {last} AND n = 2",
    "an input": "UPDATE facts SET source = 'other' WHERE seq = {last} AND n = 0",
    "facts reordered": "UPDATE facts SET n = 3 - n WHERE seq = {last} AND n IN (1, 2)",
    "a deleted fact": "DELETE FROM facts WHERE seq = {last} AND n = 1",
    "a commit's time": "UPDATE commits SET committed_ns = committed_ns + 1 WHERE last_seq = {last}",
    "a commit's digest": "UPDATE commits SET digest = digest_before FROM segment WHERE last_seq = {last}",
    "a deleted commit": "DELETE FROM commits WHERE last_seq = {last}",
}


def tampered(journal: Path, folder: Path, segment: int, statement: str) -> VerifyReport:
    """Verifies a copy in which a statement was run on a segment."""
    shutil.copytree(journal, folder)
    path = Paths(folder).segment(segment)
    path.chmod(0o644)
    with duckdb.connect(path) as connection:
        connection.execute(statement)
    return verify(folder)


def test_an_untouched_journal_verifies(two_segments: Path) -> None:
    report = verify(two_segments)
    assert report.ok
    assert report.notes == []
    assert (report.segments, report.end.commit_no, report.end.last_seq) == (2, 6, 78)


@pytest.mark.parametrize("edit", EDITS)
@pytest.mark.parametrize(("segment", "commit"), [(1, 2), (2, 5)])
def test_one_changed_row_is_found_at_its_commit(
    two_segments: Path,
    tmp_path: Path,
    commit_at: Callable[[int], Commit],
    edit: str,
    segment: int,
    commit: int,
) -> None:
    target = commit_at(commit)
    statement = EDITS[edit].format(seq=target.first_seq + 3, frame=target.first_seq + 2, last=target.last_seq)
    report = tampered(two_segments, tmp_path / "j", segment, statement)
    assert report.fault is not None
    assert report.fault.where == Paths(two_segments).segment(segment).name
    assert report.fault.commit_no == commit
    assert str(target.first_seq) in report.fault.position
    assert report.end.commit_no == commit - 1
    assert report.fault.expected != report.fault.found


def test_nan_in_place_of_null_is_found(two_segments: Path, tmp_path: Path) -> None:
    """The digest can not tell them apart, so it has a check of its own."""
    report = tampered(two_segments, tmp_path / "j", 2, "UPDATE ticks SET price = 'NaN' WHERE price IS NULL")
    assert report.fault is not None
    assert "absent value in ticks" in report.fault.what


def test_rows_that_belong_to_no_commit_are_found(two_segments: Path, tmp_path: Path) -> None:
    statement = "INSERT INTO facts SELECT seq + 1000, n, * EXCLUDE (seq, n) FROM facts LIMIT 1"
    report = tampered(two_segments, tmp_path / "j", 2, statement)
    assert report.fault is not None
    assert report.fault.what == "rows in facts"


@pytest.mark.parametrize("table", ["ticks", "frames", "bars", "facts", "commits"])
def test_where_rows_lie_in_the_file_is_no_part_of_what_was_written(
    two_segments: Path, tmp_path: Path, table: str
) -> None:
    turned = f"CREATE TEMP TABLE kept AS SELECT * FROM {table}; DELETE FROM {table}; CHECKPOINT; "
    turned += f"INSERT INTO {table} SELECT * FROM kept ORDER BY rowid DESC"
    assert tampered(two_segments, tmp_path / "j", 2, turned).fault is None
    with JournalReader.open(tmp_path / "j") as read, JournalReader.open(two_segments) as whole:
        assert list(map(str, read.commits())) == list(map(str, whole.commits()))


def test_commits_are_read_in_ranges(two_segments: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # given more commits than are read at once
    monkeypatch.setattr(database, "COMMITS_AT_ONCE", 2)
    assert verify(two_segments).end.commit_no == 6
    # when one stands twice, at the border between two ranges, and has no rows
    twice = "INSERT INTO commits SELECT commit_no, first_seq, last_seq, 0, 0, 0, 0, 0, digest FROM commits "
    twice += "WHERE commit_no = (SELECT min(commit_no) + 1 FROM commits)"
    report = tampered(two_segments, tmp_path / "j", 2, twice)
    # then it is found all the same
    assert report.fault is not None
    assert report.fault.where == "000002.live.duckdb"


def test_commits_cut_off_the_end_are_found(two_segments: Path, tmp_path: Path) -> None:
    cut = "; ".join(f"DELETE FROM {table} WHERE seq > 65" for table in ("ticks", "frames", "bars", "facts"))
    report = tampered(two_segments, tmp_path / "j", 2, f"{cut}; DELETE FROM commits WHERE last_seq > 65")
    assert report.fault is not None
    assert (report.fault.where, report.fault.commit_no) == ("HEAD", 6)
    assert report.fault.position == "seq 66 to 78"


def test_a_sealed_file_that_only_its_sum_tells_apart_is_found(two_segments: Path, tmp_path: Path) -> None:
    report = tampered(two_segments, tmp_path / "j", 1, "CREATE TABLE smuggled(x INTEGER)")
    assert report.fault is not None
    assert report.fault.where == "000001.manifest.json"


def test_a_missing_segment_is_found(two_segments: Path, tmp_path: Path) -> None:
    shutil.copytree(two_segments, tmp_path / "j")
    (tmp_path / "j" / "segments" / "000001.duckdb").unlink()
    report = verify(tmp_path / "j")
    assert report.fault is not None
    assert "000001.duckdb is missing" in str(report.fault)


def test_segments_of_another_journal_do_not_fit(
    two_segments: Path, tmp_path: Path, settings: JournalSettings, commit_at: Callable[[int], Commit]
) -> None:
    other = Journal.open(tmp_path / "other", settings)
    other.append(commit_at(1))
    other.close()
    shutil.copytree(two_segments, tmp_path / "j")
    Paths(tmp_path / "j").live(2).unlink()
    Paths(tmp_path / "j").wal(2).unlink()
    shutil.copy(tmp_path / "other" / "segments" / "000001.live.duckdb", Paths(tmp_path / "j").live(2))
    report = verify(tmp_path / "j")
    assert report.fault is not None
    assert report.fault.what == "start of the segment"


@pytest.mark.parametrize("size", [0, 100, 4096, 8191])
def test_a_truncated_head_is_found_and_refused(
    two_segments: Path, tmp_path: Path, settings: JournalSettings, size: int
) -> None:
    shutil.copytree(two_segments, tmp_path / "j")
    os.truncate(tmp_path / "j" / "HEAD", size)
    report = verify(tmp_path / "j")
    assert report.fault is not None
    assert (report.fault.where, report.fault.what) == ("HEAD", "size")
    with pytest.raises(JournalDamaged, match="neither slot checks"):
        Journal.open(tmp_path / "j", settings)


def test_a_missing_head_is_found_and_refused(two_segments: Path, tmp_path: Path, settings: JournalSettings) -> None:
    shutil.copytree(two_segments, tmp_path / "j")
    (tmp_path / "j" / "HEAD").unlink()
    assert not verify(tmp_path / "j").ok
    with pytest.raises(JournalDamaged, match="HEAD is missing"):
        Journal.open(tmp_path / "j", settings)


def test_one_torn_slot_is_a_fault_until_the_next_start_heals_it(
    two_segments: Path, tmp_path: Path, settings: JournalSettings
) -> None:
    shutil.copytree(two_segments, tmp_path / "j")
    path = tmp_path / "j" / "HEAD"
    newest = max((0, 1), key=lambda slot: head.read_slots(path)[slot].generation)  # type: ignore[union-attr]
    content = bytearray(path.read_bytes())
    content[head.SLOT_OFFSETS[newest] + 60] ^= 1
    path.write_bytes(content)
    assert "checksum" in str(verify(tmp_path / "j").fault)
    # the other slot is one commit older, and the database leads it
    journal = Journal.open(tmp_path / "j", settings)
    assert journal.last_seq == 78
    journal.close()
    assert verify(tmp_path / "j").ok


def test_a_commit_that_does_not_fit_to_head_is_refused_at_the_next_start(
    two_segments: Path, tmp_path: Path, settings: JournalSettings
) -> None:
    tampered(two_segments, tmp_path / "j", 2, "UPDATE commits SET digest = digest_before FROM segment")
    with pytest.raises(JournalDamaged, match="differs from HEAD at commit 6"):
        Journal.open(tmp_path / "j", settings)


def test_a_flipped_bit_in_a_sealed_file_is_found(two_segments: Path, tmp_path: Path) -> None:
    shutil.copytree(two_segments, tmp_path / "j")
    path = tmp_path / "j" / "segments" / "000001.duckdb"
    path.chmod(0o644)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert not verify(tmp_path / "j").ok


def test_an_event_that_can_not_be_read_is_a_fault_and_no_traceback(
    tmp_path: Path, settings: JournalSettings, commit_at: Callable[[int], Commit]
) -> None:
    """Where the chain holds and the text does not, as in a journal that was written anew."""
    journal = Journal.open(tmp_path / "j", settings)
    taken = journal.write_snapshot(0, b"state")
    journal.append(Commit(1, 1, (), (Event(1, 0, 1, 1, "daemon", taken),), BarRows.empty()))
    journal.close()
    path = Paths(tmp_path / "j").live(1)
    with duckdb.connect(path) as connection:
        connection.execute("UPDATE facts SET payload = '{'")
        (row,) = database.read_commits(connection)
        genesis = segments.read_start(connection).digest
        digest = next_digest(genesis, row, Encoded(database.read_tables(connection, 1, 1)).part(NO_ROWS, row.counts))
        connection.execute("UPDATE commits SET digest = ?", [digest])
    report = verify(tmp_path / "j")
    assert report.fault is not None
    assert report.fault.what == "file"


def test_a_changed_snapshot_is_found(
    tmp_path: Path, settings: JournalSettings, commit_at: Callable[[int], Commit]
) -> None:
    journal = Journal.open(tmp_path / "j", settings)
    journal.append(commit_at(1))
    for at_seq, payload in ((13, b"first"), (14, b"second")):
        taken = journal.write_snapshot(at_seq, payload)
        event = Event(journal.last_seq + 1, 0, 1, 1, "daemon", taken)
        journal.append(Commit(event.seq, event.seq, (), (event,), BarRows.empty()))
    journal.close()
    with JournalReader.open(tmp_path / "j") as reader:
        newest, at_13 = reader.newest_snapshot(), reader.newest_snapshot(13)
        assert newest is not None
        assert at_13 is not None
        assert (newest[1], at_13[1], reader.newest_snapshot(12)) == (b"second", b"first", None)
    assert verify(tmp_path / "j").ok

    path = tmp_path / "j" / "snapshots" / newest[0].file
    path.write_bytes(b"Second")
    report = verify(tmp_path / "j")
    assert report.fault is not None
    assert report.fault.where == newest[0].file
    with JournalReader.open(tmp_path / "j") as reader, pytest.raises(JournalDamaged, match="remove the file"):
        reader.newest_snapshot()
    path.unlink()
    report = verify(tmp_path / "j")
    assert report.ok
    assert report.notes == [f"snapshot {newest[0].file} was removed"]
