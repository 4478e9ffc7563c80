"""What holds of a damaged journal is found to the commit, goes into a new one that verifies, and nothing else does."""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import duckdb
import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from tradingd.columns import TRADE, TickBatch, tick_batch
from tradingd.commit import BarRows, Commit
from tradingd.events import Event, RunStarted
from tradingd.journal import head, rebuild
from tradingd.journal.archive import archive
from tradingd.journal.chain import ChainPoint
from tradingd.journal.compact import compact
from tradingd.journal.diagnosis import Diagnosis, Kind
from tradingd.journal.errors import JournalDamaged, JournalError, JournalForeign, JournalLocked
from tradingd.journal.folder import Paths, read_identity
from tradingd.journal.heads import NAME, HeadsFile
from tradingd.journal.reader import JournalReader
from tradingd.journal.rebuild import recover
from tradingd.journal.salvage import examine
from tradingd.journal.settings import JournalSettings
from tradingd.journal.signing import Signer, encode_line
from tradingd.journal.verify import verify
from tradingd.journal.writer import Journal

MadeAt = Callable[[int], Commit]
COMMITS = 8  # two segments of three that are sealed, two commits in the live one
SNAPSHOT_AFTER = 4
NS = 10**9


class Made(NamedTuple):
    folder: Path
    points: list[ChainPoint]  # by number of the commit


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, settings: JournalSettings, commit_at: MadeAt) -> Made:
    """To be copied, not changed. With signed heads of every second commit, a snapshot and a start."""
    folder = tmp_path_factory.mktemp("made") / "j"
    journal, signer = Journal.open(folder, settings), Signer(Ed25519PrivateKey.generate())
    signed, identity = HeadsFile.open(folder), read_identity(journal.paths)
    points = [ChainPoint(0, 0, journal.head.digest)]
    for number in range(1, COMMITS + 1):
        journal.append(_with_its_event(commit_at(number), number, journal))
        points.append(ChainPoint(journal.head.commit_no, journal.head.last_seq, journal.head.digest))
        if number % 2 == 0:
            signed.append(encode_line(signer.sign(identity, journal.head)))
        if number in (3, 6):
            journal.roll()
            journal.seal()
    signed.close()
    journal.close()
    return Made(folder, points)


def _with_its_event(commit: Commit, number: int, journal: Journal) -> Commit:
    if number != SNAPSHOT_AFTER + 1:
        return commit
    taken = Event(commit.last_seq, 4, 1, 1, "daemon", journal.write_snapshot(journal.last_seq, b"state" * 100))
    return Commit(commit.first_seq, commit.last_seq, commit.ticks, (*commit.events, taken), commit.bars)


@pytest.fixture
def folder(made: Made, tmp_path: Path) -> Path:
    return shutil.copytree(made.folder, tmp_path / "j")


def tree(folder: Path) -> dict[str, str]:
    """Every name in it, with the sum of every file."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
        for path in folder.rglob("*")
    }


def flip(path: Path, at: int) -> None:
    path.chmod(0o644)
    content = bytearray(path.read_bytes())
    content[at] ^= 0x10
    path.write_bytes(content)


def edit(path: Path, statement: str) -> None:
    path.chmod(0o644)
    with duckdb.connect(path) as connection:
        connection.execute(statement)


def kinds(found: Diagnosis) -> list[str]:
    return [finding.kind.value for finding in found.findings]


class Rescued(NamedTuple):
    """`found` of the damaged journal, `new` of the recovered one."""

    found: Diagnosis
    new: Path


def rescued(folder: Path, made: Made, settings: JournalSettings, commit_at: MadeAt) -> Rescued:
    """What every recovery has to be: a prefix that verifies and goes on, of a journal that stays as it is."""
    before, new = tree(folder), folder.parent / "new"
    found = examine(folder, settings)
    assert tree(folder) == before
    done = recover(folder, new, settings)
    assert tree(folder) == before
    assert done.diagnosis.end == found.end == made.points[found.end.commit_no]
    assert (done.report.fault, done.report.end) == (None, found.end)
    copy = shutil.copytree(new, folder.parent / "opened")
    journal = Journal.open(copy, settings)
    assert journal.last_seq == found.end.last_seq
    journal.append(commit_at(found.end.commit_no + 1))
    journal.close()
    assert verify(copy, settings).end.commit_no == found.end.commit_no + 1
    return Rescued(found, new)


# --- what is well -----------------------------------------------------------------------------------------------------


def test_a_healthy_journal_is_healthy(folder: Path, made: Made, settings: JournalSettings) -> None:
    before = tree(folder)
    found = examine(folder, settings)
    assert (found.ok, found.findings, found.lost, found.end) == (True, [], None, made.points[-1])
    assert tree(folder) == before


def test_a_torn_end_of_the_log_past_head_loses_nothing(
    folder: Path, made: Made, settings: JournalSettings, commit_at: MadeAt
) -> None:
    # given a commit that a power cut left half written, before HEAD knew of it
    older = Paths(folder).head.read_bytes()
    journal = Journal.open(folder, settings)
    journal.append(commit_at(COMMITS + 1))
    journal.close()
    Paths(folder).head.write_bytes(older)
    flip(Paths(folder).wal(3), Paths(folder).wal(3).stat().st_size - 100)
    # when it is looked at, then the next start heals that, and does
    found, _ = rescued(folder, made, settings, commit_at)
    assert (found.ok, kinds(found), found.lost) == (True, ["log_torn"], None)
    Journal.open(folder, settings).close()
    assert verify(folder, settings).end == found.end


def test_commits_after_head_are_kept(folder: Path, made: Made, settings: JournalSettings) -> None:
    slot = head.read(Paths(folder).head)
    older = head.Head(slot.journal_id, 1, 3, 7, made.points[7].last_seq, made.points[7].digest)
    Paths(folder).head.write_bytes(head.whole_content(older))
    (folder / NAME).unlink()
    assert (examine(folder, settings).ok, examine(folder, settings).end) == (True, made.points[8])


@pytest.mark.parametrize("slot", [0, 1])
def test_one_slot_of_head_is_enough(folder: Path, made: Made, settings: JournalSettings, slot: int) -> None:
    flip(folder / "HEAD", head.SLOT_OFFSETS[slot] + 50)
    found = examine(folder, settings)
    assert (found.ok, kinds(found), found.end) == (True, ["head_slot"], made.points[-1])


# --- segments ---------------------------------------------------------------------------------------------------------


def test_a_bit_flipped_in_the_middle_of_a_sealed_segment(
    folder: Path, made: Made, settings: JournalSettings, commit_at: MadeAt
) -> None:
    path = Paths(folder).sealed(2)
    flip(path, path.stat().st_size // 2)
    found, new = rescued(folder, made, settings, commit_at)
    assert found.end.commit_no in range(3, 7)
    assert found.findings != []
    assert found.lost is None or found.lost.last_commit == COMMITS
    # what is whole was copied as it is
    assert tree(new)["segments/000001.duckdb"] == tree(folder)["segments/000001.duckdb"]


def test_every_block_of_a_sealed_segment_may_be_bad(folder: Path, made: Made, settings: JournalSettings) -> None:
    """Whatever can be read before the bad block holds; with less in the middle, less holds."""
    path = Paths(folder).sealed(2)
    whole = path.read_bytes()
    reached = set()
    for at in range(6000, len(whole), 110_000):
        flip(path, at)
        found = examine(folder, settings)
        assert not found.ok or found.end == made.points[-1]
        assert found.end == made.points[found.end.commit_no]
        reached.add(found.end.commit_no)
        path.write_bytes(whole)
    assert len(reached) > 1


def test_commits_before_a_bad_block_of_a_large_segment_are_read_in_smaller_ranges(
    tmp_path: Path, settings: JournalSettings
) -> None:
    # given a segment of several row groups, of which a block in the middle is bad
    journal, rng, points = Journal.open(tmp_path / "j", settings), np.random.default_rng(1), []
    for first in range(1, 240_001, 60_000):
        journal.append(Commit(first, first + 59_999, ((first, _random_ticks(rng, 60_000)),), (), BarRows.empty()))
        points.append(ChainPoint(journal.head.commit_no, journal.head.last_seq, journal.head.digest))
    journal.finish()
    path = Paths(tmp_path / "j").sealed(1)
    flip(path, path.stat().st_size * 3 // 4)
    # when it is recovered
    done = recover(tmp_path / "j", tmp_path / "new", settings)
    # then what could be read commit by commit is there
    found = done.diagnosis
    assert (done.report.fault, done.report.end) == (None, found.end)
    assert (kinds(found), found.end in points[:3]) == (["unreadable"], True)
    assert len(found.parts[0].points) > 2


def _random_ticks(rng: np.random.Generator, rows: int) -> TickBatch:
    values = {"price": rng.random(rows), "size": rng.random(rows)}
    return tick_batch(0, kind=TRADE, flags=0, instrument=0, ts_event_ns=np.arange(rows), **values)


@pytest.mark.parametrize(
    ("statement", "kind"),
    [
        ("DELETE FROM facts WHERE seq = {last} AND n = 1", Kind.ROWS),
        ("UPDATE ticks SET price = price + 1e-9 WHERE seq = {first}", Kind.DIGEST),
        ("DELETE FROM commits WHERE last_seq = {last}", Kind.COMMIT),
        ("UPDATE commits SET committed_ns = NULL WHERE last_seq = {last}", Kind.UNREADABLE),
    ],
)
@pytest.mark.parametrize("commit", [2, 5, 7])
def test_one_changed_row_ends_what_holds_at_the_commit_before(
    folder: Path, made: Made, settings: JournalSettings, commit_at: MadeAt, statement: str, kind: Kind, commit: int
) -> None:
    # given a journal of whose commits exactly one was changed
    first, last = made.points[commit - 1].last_seq + 1, made.points[commit].last_seq
    edit(Paths(folder).segment((commit + 2) // 3), statement.format(first=first, last=last))
    # when it is examined and recovered
    found, _ = rescued(folder, made, settings, commit_at)
    # then everything before that commit holds, and what is lost is told to the seq
    assert (found.end, found.findings[0].kind) == (made.points[commit - 1], kind)
    assert found.findings[0].fault.commit_no == commit
    assert found.lost is not None
    assert (found.lost.first_commit, found.lost.last_commit) == (commit, COMMITS)
    assert (found.lost.first_seq, found.lost.last_seq) == (first, made.points[-1].last_seq)


def test_what_lost_commits_held_is_told_by_their_own_rows(folder: Path, made: Made, settings: JournalSettings) -> None:
    edit(Paths(folder).sealed(2), f"DELETE FROM facts WHERE seq = {made.points[5].last_seq} AND n = 1")
    lost = examine(folder, settings).lost
    assert lost is not None
    assert (lost.acknowledged_by, lost.tally.commits) == ("heads.jsonl line 4", 4)
    assert lost.tally.by_table == {"ticks": 48, "frames": 16, "bars": 4, "facts": 13}
    with JournalReader.open(made.folder) as reader:
        times = reader.sql("SELECT min(committed_ns), max(committed_ns) FROM commits WHERE commit_no >= 5").row(0)
    assert (lost.tally.from_ns, lost.tally.to_ns) == times


def test_a_segment_after_the_damage_is_whole_in_itself(folder: Path, made: Made, settings: JournalSettings) -> None:
    edit(Paths(folder).sealed(1), f"DELETE FROM facts WHERE seq = {made.points[2].last_seq} AND n = 1")
    found = examine(folder, settings)
    assert [(later.number, later.first_commit, later.last_commit, later.fault) for later in found.later] == [
        (2, 4, 6, None),
        (3, 7, 8, None),
    ]


def test_a_missing_segment_in_the_middle(
    folder: Path, made: Made, settings: JournalSettings, commit_at: MadeAt
) -> None:
    Paths(folder).sealed(2).unlink()
    found, _ = rescued(folder, made, settings, commit_at)
    assert (found.end, kinds(found)) == (made.points[3], ["segment_missing"])
    assert [later.number for later in found.later] == [3]


@pytest.mark.parametrize("damage", ["unlink", "flip"])
def test_a_manifest_is_made_anew(
    folder: Path, made: Made, settings: JournalSettings, commit_at: MadeAt, damage: str
) -> None:
    manifest = Paths(folder).manifest(2)
    manifest.unlink() if damage == "unlink" else manifest.write_text("{")
    found, new = rescued(folder, made, settings, commit_at)
    assert (found.end, found.lost) == (made.points[-1], None)
    assert kinds(found) == ["manifest_missing" if damage == "unlink" else "manifest_unreadable"]
    assert Paths(new).manifest(2).exists()


def test_a_file_that_only_its_sum_tells_apart_is_written_anew(
    folder: Path, made: Made, settings: JournalSettings, commit_at: MadeAt
) -> None:
    edit(Paths(folder).sealed(1), "CREATE TABLE smuggled(x INTEGER)")
    found, new = rescued(folder, made, settings, commit_at)
    assert (found.ok, set(kinds(found)), found.end) == (False, {"manifest_differs"}, made.points[-1])
    with duckdb.connect(Paths(new).sealed(1), read_only=True) as connection:
        assert connection.execute("SELECT * FROM duckdb_tables() WHERE table_name = 'smuggled'").fetchall() == []


def test_rows_of_no_commit_and_nan_do_not_go_along(
    folder: Path, made: Made, settings: JournalSettings, commit_at: MadeAt
) -> None:
    edit(Paths(folder).sealed(1), "INSERT INTO facts SELECT seq + 1000, n, * EXCLUDE (seq, n) FROM facts LIMIT 1")
    edit(Paths(folder).sealed(2), "UPDATE ticks SET price = 'NaN' WHERE price IS NULL")
    found, _ = rescued(folder, made, settings, commit_at)
    assert (kinds(found), found.end) == (["surplus", "absent_value"], made.points[-1])


def test_a_segment_that_names_another_start_is_held_against_the_chain(
    folder: Path, made: Made, settings: JournalSettings, commit_at: MadeAt
) -> None:
    edit(Paths(folder).sealed(2), "UPDATE segment SET commits_before = 2")
    found, _ = rescued(folder, made, settings, commit_at)
    assert (kinds(found)[0], found.end) == ("segment_start", made.points[-1])


# --- the log ----------------------------------------------------------------------------------------------------------


def test_a_bit_flipped_in_the_log_before_head(
    folder: Path, made: Made, settings: JournalSettings, commit_at: MadeAt
) -> None:
    wal = Paths(folder).wal(3)
    flip(wal, wal.stat().st_size - 100)
    found, _ = rescued(folder, made, settings, commit_at)
    assert (found.ok, found.end) == (False, made.points[7])
    assert kinds(found) == ["log_torn", "cut_off"]
    assert found.lost is not None
    assert (found.lost.first_commit, found.lost.last_commit) == (8, 8)


@pytest.mark.parametrize(("kept", "commit"), [(0, 6), (1, 6), (40, 6), (-1, 7)])
def test_a_truncated_log(
    folder: Path, made: Made, settings: JournalSettings, commit_at: MadeAt, kept: int, commit: int
) -> None:
    wal = Paths(folder).wal(3)
    os.truncate(wal, kept if kept >= 0 else wal.stat().st_size + kept)
    found, _ = rescued(folder, made, settings, commit_at)
    assert (found.ok, found.end) == (False, made.points[commit])
    assert found.lost is not None
    assert found.lost.last_commit == COMMITS


@pytest.mark.parametrize("damage", ["empty", "header", "log too"])
def test_the_log_outlives_the_file_that_it_belongs_to(
    folder: Path, made: Made, settings: JournalSettings, commit_at: MadeAt, damage: str
) -> None:
    """That file has no rows: it is made anew, and the chain proves that the log fits."""
    live, wal = Paths(folder).live(3), Paths(folder).wal(3)
    live.write_bytes(b"" if damage == "empty" else bytes(20_000) + live.read_bytes()[20_000:])
    if damage == "log too":
        flip(wal, wal.stat().st_size - 100)
    found, _ = rescued(folder, made, settings, commit_at)
    expected = ["live_file", "log_torn", "cut_off"] if damage == "log too" else ["live_file"]
    assert (kinds(found), found.end) == (expected, made.points[7 if damage == "log too" else 8])


def test_the_log_of_a_segment_in_the_middle(
    folder: Path, made: Made, settings: JournalSettings, commit_at: MadeAt
) -> None:
    # given a segment that was rolled over and not sealed, whose log is damaged
    journal = Journal.open(folder, settings)
    journal.roll()
    journal.append(commit_at(COMMITS + 1))
    journal.close()
    flip(Paths(folder).wal(3), Paths(folder).wal(3).stat().st_size - 100)
    # then the one after it can not follow
    found, _ = rescued(folder, made, settings, commit_at)
    assert (kinds(found), found.end) == (["log_torn", "segment_start"], made.points[7])
    assert [later.number for later in found.later] == [4]


# --- HEAD, signed heads, journal.json, snapshots ----------------------------------------------------------------------


@pytest.mark.parametrize("damage", ["missing", "empty", "slots"])
def test_without_head_what_was_acknowledged_is_told_by_others(
    folder: Path, made: Made, settings: JournalSettings, commit_at: MadeAt, damage: str
) -> None:
    if damage == "missing":
        (folder / "HEAD").unlink()
    else:
        (folder / "HEAD").write_bytes(b"" if damage == "empty" else bytes(head.FILE_SIZE))
    found, new = rescued(folder, made, settings, commit_at)
    expected = "head_missing" if damage == "missing" else "head_unreadable"
    assert (found.ok, kinds(found), found.head) == (False, [expected], None)
    assert (found.end, found.lost) == (made.points[-1], None)
    assert head.read(new / "HEAD").epoch == 1


def test_signed_heads_prove_a_loss_where_head_is_gone(
    folder: Path, made: Made, settings: JournalSettings, commit_at: MadeAt
) -> None:
    (folder / "HEAD").unlink()
    Paths(folder).wal(3).unlink()
    found, new = rescued(folder, made, settings, commit_at)
    assert (found.end, kinds(found)) == (made.points[6], ["head_missing", "cut_off"])
    assert found.lost is not None
    assert (found.lost.last_commit, found.lost.acknowledged_by) == (8, "heads.jsonl line 4")
    assert (new / NAME).read_bytes().splitlines() == (folder / NAME).read_bytes().splitlines()[:3]


def test_a_damaged_signed_head_does_not_go_along(
    folder: Path, made: Made, settings: JournalSettings, commit_at: MadeAt
) -> None:
    flip(folder / NAME, 1000)
    found, new = rescued(folder, made, settings, commit_at)
    assert (kinds(found), found.end) == (["signed_head"], made.points[-1])
    assert len((new / NAME).read_bytes().splitlines()) == 3


def test_a_rewritten_history_holds_up_to_the_signed_head_that_agrees(
    folder: Path, made: Made, settings: JournalSettings, commit_at: MadeAt, tmp_path: Path
) -> None:
    # given a journal that went on from an older copy, under a HEAD of its own
    shutil.copytree(folder, tmp_path / "older")
    edit(Paths(tmp_path / "older").live(3), "DELETE FROM commits WHERE commit_no = 8")
    edit(
        Paths(tmp_path / "older").live(3),
        "; ".join(
            f"DELETE FROM {name} WHERE seq > {made.points[7].last_seq}" for name in ("ticks", "frames", "bars", "facts")
        ),
    )
    slot = head.Head("A", 1, 3, 7, made.points[7].last_seq, made.points[7].digest)
    Paths(tmp_path / "older").head.write_bytes(head.whole_content(slot))
    journal = Journal.open(tmp_path / "older", settings)
    journal.append(commit_at(8))
    journal.close()
    # when it is examined, then only what the line before agrees with counts
    found, _ = rescued(tmp_path / "older", made, settings, commit_at)
    assert (kinds(found), found.end) == (["contradiction"], made.points[6])


def test_a_lost_identity_is_proven_by_the_first_segment(
    folder: Path, made: Made, settings: JournalSettings, commit_at: MadeAt
) -> None:
    known = read_identity(Paths(folder))
    for damage in ("missing", "unreadable", "another"):
        path = Paths(folder).identity
        if damage == "missing":
            path.unlink()
        else:
            path.write_text("{" if damage == "unreadable" else '{"format":1,"id":"A","genesis":"A","created_ns":1}')
        found = examine(folder, settings)
        assert (kinds(found), found.end) == (["identity"], made.points[-1])
        assert (found.identity.id, found.identity.genesis) == (known.id, known.genesis)
    _, new = rescued(folder, made, settings, commit_at)
    assert read_identity(Paths(new)).genesis == known.genesis


def test_without_identity_and_first_segment_nothing_can_be_told(folder: Path, settings: JournalSettings) -> None:
    Paths(folder).identity.unlink()
    Paths(folder).sealed(1).unlink()
    with pytest.raises(JournalDamaged, match=r"journal\.json is missing or damaged"):
        examine(folder, settings)


def test_a_snapshot_goes_along_if_it_is_whole_and_before_the_end(
    folder: Path, made: Made, settings: JournalSettings, commit_at: MadeAt
) -> None:
    (snapshot,) = Paths(folder).snapshots.iterdir()
    Paths(folder).wal(3).unlink()
    _, new = rescued(folder, made, settings, commit_at)
    assert (new / "snapshots" / snapshot.name).read_bytes() == snapshot.read_bytes()
    # given that it is damaged as well
    flip(snapshot, 10)
    shutil.rmtree(new)
    shutil.rmtree(new.parent / "opened")
    found, new = rescued(folder, made, settings, commit_at)
    assert "snapshot" in kinds(found)
    assert list((new / "snapshots").iterdir()) == []


# --- archived and joined segments -------------------------------------------------------------------------------------


def test_an_archived_segment_stays_archived(
    folder: Path, made: Made, settings: JournalSettings, commit_at: MadeAt, tmp_path: Path
) -> None:
    archive(folder, tmp_path / "old", 2**62, settings)
    Paths(folder).wal(3).unlink()
    found, new = rescued(folder, made, settings, commit_at)
    assert (found.end, len(found.notes)) == (made.points[6], 2)
    assert [Paths(new).is_archived(number) for number in (1, 2)] == [True, True]


@pytest.mark.parametrize("damage", ["log", "manifest", "row"])
def test_joined_segments_are_recovered_as_one(
    folder: Path, made: Made, settings: JournalSettings, commit_at: MadeAt, damage: str
) -> None:
    compact(folder, 1000, settings)
    joined = Paths(folder).spanning(1, 2)
    if damage == "log":
        Paths(folder).wal(3).unlink()
    elif damage == "manifest":
        Paths(folder).manifest(2).unlink()
    else:
        edit(joined, f"DELETE FROM facts WHERE seq = {made.points[5].last_seq} AND n = 1")
    found, new = rescued(folder, made, settings, commit_at)
    assert found.end == made.points[{"log": 6, "manifest": 8, "row": 4}[damage]]
    assert Paths(new).spanning(1, 2).exists()


# --- refusals ---------------------------------------------------------------------------------------------------------


def test_a_journal_in_use_is_not_examined(folder: Path, tmp_path: Path, settings: JournalSettings) -> None:
    journal = Journal.open(folder, settings)
    for call in (lambda: examine(folder, settings), lambda: recover(folder, tmp_path / "new", settings)):
        with pytest.raises(JournalLocked, match=r"is in use; stop its daemon first"):
            call()
    journal.close()
    assert not (tmp_path / "new").exists()


def test_what_is_no_journal_is_refused(tmp_path: Path, settings: JournalSettings) -> None:
    with pytest.raises(JournalForeign):
        examine(tmp_path, settings)


def test_nothing_is_recovered_over_anything(folder: Path, tmp_path: Path, settings: JournalSettings) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "a.txt").write_text("mine")
    (tmp_path / "file").write_text("mine")
    before = tree(tmp_path)
    for place, message in (
        ("full", "is not empty"),
        ("file", "is not empty"),
        ("j", "within each other"),
        ("j/new", "within each other"),
        (".", "within each other"),
    ):
        with pytest.raises(JournalError, match=message):
            recover(folder, tmp_path / place, settings)
    assert tree(tmp_path) == before


def test_where_nothing_holds_nothing_is_made(folder: Path, tmp_path: Path, settings: JournalSettings) -> None:
    Paths(folder).sealed(1).unlink()
    with pytest.raises(JournalError, match=r"no commit of .* holds"):
        recover(folder, tmp_path / "new", settings)
    assert not (tmp_path / "new").exists()


def test_an_interrupted_recovery_is_no_journal(
    folder: Path, tmp_path: Path, settings: JournalSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Cut(Exception):
        pass

    def cut(name: str) -> None:
        raise Cut(name)

    monkeypatch.setattr(rebuild, "point", cut)
    with pytest.raises(Cut, match=r"recover\.before-head"):
        recover(folder, tmp_path / "new", settings)
    with pytest.raises(JournalForeign):
        Journal.open(tmp_path / "new", settings)


def test_the_epoch_of_a_run_is_not_used_twice(folder: Path, tmp_path: Path, settings: JournalSettings) -> None:
    # given a journal whose fifth run is known by its start alone
    for _ in range(4):
        Journal.open(folder, settings).close()
    journal = Journal.open(folder, settings)
    body = RunStarted(
        journal_id=journal.id, epoch=journal.epoch, config=b"{}", config_digest="", code_digest="", sources=()
    )
    seq = journal.last_seq + 1
    journal.append(Commit(seq, seq, (), (Event(seq, 0, NS, NS, "daemon", body),), BarRows.empty()))
    epoch = journal.epoch
    journal.close()
    (folder / "HEAD").unlink()
    # when it is recovered, then the next run comes after it
    recover(folder, tmp_path / "new", settings)
    journal = Journal.open(tmp_path / "new", settings)
    assert journal.epoch == epoch + 1
    journal.close()


# --- any byte ---------------------------------------------------------------------------------------------------------


@examples(max_examples=12, deadline=None, derandomize=True)
@given(data=st.data())
def test_whatever_byte_is_damaged_what_is_recovered_was_written_so(made: Made, data: st.DataObject) -> None:
    settings = JournalSettings(roll_daily=False, memory_mb=256)
    names = sorted(name for name, digest in tree(made.folder).items() if digest and name != "LOCK")
    with tempfile.TemporaryDirectory() as place:
        folder = shutil.copytree(made.folder, Path(place) / "j")
        path = folder / data.draw(st.sampled_from(names))
        at = data.draw(st.integers(0, path.stat().st_size - 1))
        if data.draw(st.booleans()):
            flip(path, at)
        else:
            path.chmod(0o644)
            os.truncate(path, at)
        before = tree(folder)
        try:
            done = recover(folder, Path(place) / "new", settings)
        except JournalError as error:
            assert "no commit of" in str(error)
            done = None
        assert tree(folder) == before
        if done is None:
            return
        found = done.diagnosis
        assert (done.report.fault, done.report.end) == (None, found.end)
        assert found.end == made.points[found.end.commit_no]
        assert found.lost is not None or found.end == made.points[-1]
        if found.ok and not found.findings:
            assert verify(folder, settings).ok
