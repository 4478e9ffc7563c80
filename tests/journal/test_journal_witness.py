"""Attacks on a journal by someone who can write all of it, held against what was kept elsewhere.

The attacker knows the format and recomputes whatever can be. The private key and the anchor are out of reach.
"""

import shutil
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import duckdb
import msgspec
import pytest

from tradingd.commit import BarRows, Commit
from tradingd.events import Event, RunStarted
from tradingd.journal import database, head, segments
from tradingd.journal.chain import ChainPoint, Fault
from tradingd.journal.digest import Encoded, genesis, next_digest
from tradingd.journal.errors import JournalLocked
from tradingd.journal.folder import Paths, read_identity, renamed
from tradingd.journal.heads import NAME, HeadsFile
from tradingd.journal.settings import JournalSettings
from tradingd.journal.signing import Signer, decode_line, encode_line, load_signer, make_key
from tradingd.journal.verify import VerifyReport, verify
from tradingd.journal.witness import evidence_of
from tradingd.journal.writer import Journal

CommitAt = Callable[[int], Commit]
TABLES = ("ticks", "frames", "bars", "facts")


class Made(NamedTuple):
    """A journal of two runs in two segments that was signed after each commit, and its anchor."""

    folder: Path
    anchor: Path
    signer: Signer


def make_signer(folder: Path, name: str = "key") -> Signer:
    make_key(folder / name)
    return load_signer(folder / name)


def write_run(
    folder: Path, signer: Signer, numbers: range, commit_at: CommitAt, anchor: Path, *, roll_after: int = 0
) -> None:
    """A run of a commit with RunStarted and some more, with a signed head after each."""
    journal = Journal.open(folder, JournalSettings(roll_daily=False, memory_mb=256))
    heads_file = HeadsFile.open(folder)
    started = RunStarted(
        journal_id=journal.id,
        epoch=journal.epoch,
        config=msgspec.Raw(b"{}"),
        config_digest="",
        code_digest="",
        sources=(),
    )
    seq = journal.last_seq + 1
    commits = [Commit(seq, seq, (), (Event(seq, 0, 1, 1, "daemon", started),), BarRows.empty())]
    for number in numbers:
        commits.append(moved(commit_at(number), commits[-1].last_seq + 1))
    for commit in commits:
        line = encode_line(signer.sign(read_identity(Paths(folder)), journal.append(commit)))
        heads_file.append(line)
        with anchor.open("ab") as file:
            file.write(line)
        if journal.head.commit_no == roll_after:
            journal.roll()
            journal.seal()
    heads_file.close()
    journal.close()


def moved(commit: Commit, first_seq: int) -> Commit:
    by = first_seq - commit.first_seq
    bars = replace(commit.bars, seq=commit.bars.seq + by)
    events = tuple(msgspec.structs.replace(event, seq=event.seq + by) for event in commit.events)
    ticks = tuple((seq + by, batch) for seq, batch in commit.ticks)
    return Commit(first_seq, commit.last_seq + by, ticks, events, bars)


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory, commit_at: CommitAt) -> Made:
    """Commits 1 to 3 in a sealed segment, 4 in the next one by the same run, 5 to 7 by the second run."""
    folder = tmp_path_factory.mktemp("made")
    signer = make_signer(folder)
    write_run(folder / "j", signer, range(1, 4), commit_at, folder / "anchor", roll_after=3)
    write_run(folder / "j", signer, range(4, 6), commit_at, folder / "anchor")
    return Made(folder / "j", folder / "anchor", signer)


@pytest.fixture
def made(original: Made, tmp_path: Path) -> Made:
    """A copy to be attacked; the anchor is elsewhere."""
    return original._replace(folder=Path(shutil.copytree(original.folder, tmp_path / "j")))


def checked(made: Made, *anchors: str, keys: tuple[str, ...] = ()) -> VerifyReport:
    return verify(made.folder, evidence=evidence_of(anchors or [str(made.anchor)], keys or [made.signer.public_key]))


def fault_of(report: VerifyReport) -> Fault:
    assert report.fault is not None
    return report.fault


# --- what an attacker does --------------------------------------------------------------------------------------------


def edit(folder: Path, number: int, statement: str) -> None:
    path = Paths(folder).segment(number)
    path.chmod(0o644)
    with duckdb.connect(path) as connection:
        connection.execute(statement)


def recompute(folder: Path) -> None:
    """Makes all digests, HEAD and the manifests fit to what the tables say."""
    paths, settings = Paths(folder), JournalSettings()
    end = ChainPoint(0, 0, genesis(read_identity(paths).genesis))
    for number in paths.segment_numbers():
        paths.segment(number).chmod(0o644)
        with closing(duckdb.connect(paths.segment(number))) as connection:
            connection.execute("UPDATE segment SET digest_before = ?", [end.digest])
            for row in list(database.read_commits(connection)):
                tables = database.read_tables(connection, row.first_seq, row.last_seq)
                digest = next_digest(end.digest, row, Encoded(tables).part((0, 0, 0, 0), row.counts))
                connection.execute("UPDATE commits SET digest = ? WHERE commit_no = ?", [digest, row.commit_no])
                end = ChainPoint(row.commit_no, row.last_seq, digest)
        if paths.manifest(number).exists():
            manifest = segments.describe(paths.segment(number), number, settings)
            paths.manifest(number).write_bytes(msgspec.json.encode(manifest))
    known = replace(head.read(paths.head), commit_no=end.commit_no, last_seq=end.last_seq, digest=end.digest)
    paths.head.write_bytes(head.whole_content(known))


def cut_off(folder: Path, after_commit: int) -> None:
    """As if the rest had never been: also the signed heads about it."""
    with closing(duckdb.connect(Paths(folder).segment(2))) as connection:
        last = connection.execute("SELECT last_seq FROM commits WHERE commit_no = ?", [after_commit]).fetchall()[0][0]
        for table in TABLES:
            connection.execute(f"DELETE FROM {table} WHERE seq > {last}")
        connection.execute(f"DELETE FROM commits WHERE commit_no > {after_commit}")
    keep_heads(folder, after_commit)
    recompute(folder)


def keep_heads(folder: Path, up_to_commit: int) -> None:
    lines = (folder / NAME).read_bytes().splitlines(keepends=True)
    (folder / NAME).write_bytes(b"".join(line for line in lines if decode_line(line).commit_no <= up_to_commit))


def cheaper(folder: Path) -> None:
    """Another price in commit 3, in the sealed segment, and a chain that fits to it."""
    edit(folder, 1, "UPDATE ticks SET price = 7 WHERE seq = (SELECT first_seq FROM commits WHERE commit_no = 3)")
    recompute(folder)


# --- nothing happened -------------------------------------------------------------------------------------------------


def test_an_untouched_journal_agrees_with_its_anchor(made: Made) -> None:
    report = checked(made)
    assert report.fault is None
    assert report.notes == []
    assert (report.heads, report.anchored, report.end.commit_no) == (7, 7, 7)
    assert report.public_keys == [made.signer.public_key]


def test_every_digest_of_the_chain_serves_as_an_anchor(made: Made) -> None:
    digests = [decode_line(line).digest for line in made.anchor.read_bytes().splitlines()]
    report = checked(made, *digests, genesis(read_identity(Paths(made.folder)).genesis).hex())
    assert report.fault is None


def test_without_a_key_that_was_given_the_report_says_that_anyone_may_have_signed(made: Made) -> None:
    (said,) = verify(made.folder).notes
    assert said.startswith("no --public-key was given")
    assert made.signer.public_key in said


def test_keys_may_follow_one_another(made: Made, commit_at: CommitAt, tmp_path: Path) -> None:
    follower = make_signer(tmp_path)
    anchor = Path(shutil.copy(made.anchor, tmp_path / "anchor"))
    write_run(made.folder, follower, range(6, 8), commit_at, anchor)
    both = (made.signer.public_key, follower.public_key)
    assert checked(made, str(anchor), keys=both).fault is None
    fault = fault_of(checked(made, str(anchor)))
    assert (fault.where, fault.commit_no, fault.position, fault.what) == (NAME, 8, "line 8", "public key")
    assert (fault.expected, fault.found) == both


@pytest.mark.parametrize("at", [NAME, "anchor"])
def test_a_torn_last_line_is_no_tampering(made: Made, tmp_path: Path, at: str) -> None:
    anchor = Path(shutil.copy(made.anchor, tmp_path / "anchor"))
    with (made.folder / NAME if at == NAME else anchor).open("ab") as file:
        file.write(b'{"format":1,"gene')
    report = checked(made, str(anchor))
    assert report.fault is None
    assert "ends in half a line, as a crash leaves it" in report.notes[0]


def test_an_anchor_may_hold_other_journals_and_other_lines(made: Made, tmp_path: Path, commit_at: CommitAt) -> None:
    anchor = tmp_path / "anchor"
    write_run(tmp_path / "other", made.signer, range(1, 3), commit_at, anchor)
    anchor.write_bytes(anchor.read_bytes() + b"a note\n" + made.anchor.read_bytes())
    report = checked(made, str(anchor))
    assert report.fault is None
    assert report.notes == [f"{anchor}: 1 lines are no signed heads and were passed over"]
    assert report.anchored == 7


# --- attacks that an anchor tells -------------------------------------------------------------------------------------


def test_a_journal_that_was_cut_off(made: Made) -> None:
    cut_off(made.folder, 6)
    fault = fault_of(checked(made))
    last = decode_line(made.anchor.read_bytes().splitlines()[6])
    assert (fault.where[:6], fault.commit_no) == ("000002", 7)
    assert fault.position.endswith(f" to {last.last_seq}")
    assert fault.what == f"the journal was cut off, by {made.anchor} line 7"
    assert fault.expected.startswith(f"commit 7 with digest {last.digest} in run 2 of journal ")
    assert fault.found.startswith("the last is commit 6 in run 2 of journal ")
    # the last digest alone tells it too, though not so exactly
    assert "was cut off or rewritten" in fault_of(checked(made, last.digest)).what


def test_a_history_that_was_rewritten_from_an_edited_row_on(made: Made) -> None:
    cheaper(made.folder)
    fault = fault_of(checked(made))
    signed = [decode_line(line) for line in made.anchor.read_bytes().splitlines()]
    assert (fault.where, fault.commit_no) == ("000001.duckdb", 3)
    assert fault.position == f"seq {signed[1].last_seq + 1} to {signed[2].last_seq}"
    assert fault.what == f"history was rewritten, by {NAME} line 3"
    assert signed[2].digest in fault.expected
    assert "run 1 of journal" in fault.found
    # also where the signed heads in the journal are gone, and by the bare digest
    (made.folder / NAME).unlink()
    for anchor in (str(made.anchor), signed[2].digest):
        assert "rewritten" in fault_of(verify(made.folder, evidence=evidence_of([anchor], []))).what


def test_a_rewritten_history_signed_anew_with_a_key_of_the_attackers(made: Made, tmp_path: Path) -> None:
    cheaper(made.folder)
    forger = make_signer(tmp_path)
    sign_anew(made.folder, forger)
    assert fault_of(checked(made)).what == "public key"
    assert fault_of(checked(made, keys=(made.signer.public_key, forger.public_key))).what.startswith("history was")


def sign_anew(folder: Path, forger: Signer) -> None:
    heads = [decode_line(line) for line in (folder / NAME).read_bytes().splitlines()]
    digests: dict[int, bytes] = {}
    for number in (1, 2):
        with closing(duckdb.connect(Paths(folder).segment(number), read_only=True)) as connection:
            digests |= dict(connection.execute("SELECT commit_no, digest FROM commits").fetchall())
    identity, known = read_identity(Paths(folder)), head.read(Paths(folder).head)
    lines = [
        encode_line(
            forger.sign(
                identity,
                replace(known, commit_no=each.commit_no, last_seq=each.last_seq, digest=digests[each.commit_no]),
            )
        )
        for each in heads
    ]
    (folder / NAME).write_bytes(b"".join(lines))


@pytest.mark.parametrize("commits", [1, 5])
def test_a_fork_from_an_old_copy(made: Made, commit_at: CommitAt, tmp_path: Path, commits: int) -> None:
    """Shorter or longer than what was anchored, with the right key: the daemon itself was started on an old copy."""
    cut_off(made.folder, 4)
    write_run(made.folder, made.signer, range(10, 10 + commits), commit_at, tmp_path / "anchor of the fork")
    report = checked(made)
    fault = fault_of(report)
    assert fault.commit_no == 5
    assert fault.what.startswith("a fork: another run went on from an older state, by ")
    assert "in run 2 of journal" in fault.expected
    assert "in run 3 of journal" in fault.found
    assert checked(made, str(tmp_path / "anchor of the fork")).fault is None


def test_a_fork_that_has_not_come_as_far_as_the_anchor(made: Made, commit_at: CommitAt, tmp_path: Path) -> None:
    anchor = tmp_path / "last line"
    anchor.write_bytes(made.anchor.read_bytes().splitlines(keepends=True)[-1])
    cut_off(made.folder, 4)
    write_run(made.folder, made.signer, range(10, 11), commit_at, tmp_path / "anchor of the fork")
    fault = fault_of(checked(made, str(anchor)))
    assert fault.commit_no == 7
    assert fault.what.startswith("a fork: ")
    assert fault.found.startswith("the last is commit 6 in run 3 of journal ")


def test_a_segment_that_was_replaced(made: Made, tmp_path: Path, commit_at: CommitAt) -> None:
    other = tmp_path / "other"
    write_run(other, made.signer, range(20, 23), commit_at, tmp_path / "anchor", roll_after=3)
    for name in ("000001.duckdb", "000001.manifest.json"):
        (made.folder / "segments" / name).chmod(0o644)
        shutil.copy(other / "segments" / name, made.folder / "segments" / name)
    assert fault_of(checked(made)).what == "start of the segment"
    recompute(made.folder)
    assert fault_of(checked(made)).commit_no == 1


def test_a_whole_other_journal_in_its_place(made: Made, tmp_path: Path, commit_at: CommitAt) -> None:
    shutil.rmtree(made.folder)
    write_run(made.folder, made.signer, range(1, 6), commit_at, tmp_path / "anchor")
    fault = fault_of(checked(made))
    assert (fault.where, fault.what) == (str(made.anchor), "signed heads of the genesis")
    assert fault.expected == read_identity(Paths(made.folder)).genesis
    assert fault.found == decode_line(made.anchor.read_bytes().splitlines()[0]).genesis


def test_deleted_signed_heads(made: Made) -> None:
    (made.folder / NAME).unlink()
    assert fault_of(checked(made)).where == NAME
    fault = fault_of(verify(made.folder, evidence=evidence_of([str(made.anchor)], [])))
    assert (fault.where, fault.commit_no, fault.what, fault.found) == (NAME, 1, "signed head", "none")
    # also one of them
    shutil.copy(made.anchor, made.folder / NAME)
    keep_heads(made.folder, 6)
    assert fault_of(checked(made)).commit_no == 7


def test_a_signature_in_the_place_of_another(made: Made) -> None:
    lines = (made.folder / NAME).read_bytes().splitlines()
    second, third = decode_line(lines[1]), decode_line(lines[2])
    lines[2] = encode_line(msgspec.structs.replace(third, signature=second.signature)).strip()
    (made.folder / NAME).write_bytes(b"\n".join([*lines, b""]))
    fault = fault_of(checked(made))
    assert (fault.where, fault.commit_no, fault.position, fault.what) == (NAME, 3, "line 3", "signature")


def test_a_line_that_is_none_within_the_signed_heads(made: Made) -> None:
    lines = (made.folder / NAME).read_bytes().splitlines()
    (made.folder / NAME).write_bytes(b"\n".join([lines[0], b"{}", *lines[1:], b""]))
    fault = fault_of(checked(made))
    assert (fault.where, fault.position, fault.what) == (NAME, "line 2", "signed head")


def test_signed_heads_of_another_journal(made: Made, tmp_path: Path, commit_at: CommitAt) -> None:
    write_run(tmp_path / "other", made.signer, range(1, 3), commit_at, tmp_path / "anchor")
    shutil.copy(tmp_path / "other" / NAME, made.folder / NAME)
    assert fault_of(checked(made)).what == "genesis"


# --- what is legitimate -----------------------------------------------------------------------------------------------


def test_a_copy_that_goes_on_under_a_new_name_agrees(made: Made, tmp_path: Path, commit_at: CommitAt) -> None:
    """Moved to another disk: another journal id, the same genesis."""
    paths = Paths(made.folder)
    renamed(paths, read_identity(paths))
    anchor = Path(shutil.copy(made.anchor, tmp_path / "anchor"))
    write_run(made.folder, made.signer, range(6, 8), commit_at, anchor)
    assert checked(made, str(anchor)).fault is None
    assert checked(made).fault is None


def test_a_journal_in_use_is_held_against_what_its_sealed_segments_can_tell(made: Made) -> None:
    signed = [decode_line(line) for line in made.anchor.read_bytes().splitlines()]
    journal = Journal.open(made.folder)
    report = checked(made)
    assert report.fault is None
    assert "8 signed heads are about commits after the sealed segments" in report.notes
    assert checked(made, signed[2].digest).fault is None
    with pytest.raises(JournalLocked, match="is not in its sealed segments; stop the daemon, or verify a copy"):
        checked(made, signed[-1].digest)
    journal.close()


# --- what can not be told without an anchor ---------------------------------------------------------------------------


def test_without_an_anchor_a_cut_back_to_a_signed_head_is_not_found(made: Made) -> None:
    cut_off(made.folder, 6)
    assert verify(made.folder, evidence=evidence_of([], [made.signer.public_key])).fault is None


def test_without_an_anchor_what_came_after_the_newest_signed_head_may_be_rewritten(made: Made) -> None:
    keep_heads(made.folder, 6)  # the last commit was not signed yet
    edit(made.folder, 2, "UPDATE ticks SET price = 7 WHERE seq = (SELECT max(seq) - 3 FROM ticks)")
    recompute(made.folder)
    assert verify(made.folder, evidence=evidence_of([], [made.signer.public_key])).fault is None


def test_without_an_anchor_and_a_key_everything_may_be_rewritten(made: Made, tmp_path: Path) -> None:
    cheaper(made.folder)
    sign_anew(made.folder, make_signer(tmp_path))
    assert verify(made.folder).fault is None
    (made.folder / NAME).unlink()
    assert verify(made.folder).fault is None
    # the key alone tells both
    assert verify(made.folder, evidence=evidence_of([], [made.signer.public_key])).fault is not None


def test_a_fork_with_the_right_key_is_not_found_without_an_anchor(
    made: Made, commit_at: CommitAt, tmp_path: Path
) -> None:
    cut_off(made.folder, 4)
    write_run(made.folder, made.signer, range(10, 12), commit_at, tmp_path / "anchor of the fork")
    assert verify(made.folder, evidence=evidence_of([], [made.signer.public_key])).fault is None
