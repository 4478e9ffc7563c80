"""Copies of journals: of closed ones, of live ones at any byte of their log, and of those that change meanwhile."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tradingd.commit import Commit
from tradingd.journal import backup as module
from tradingd.journal.backup import backup, restore
from tradingd.journal.errors import JournalDamaged, JournalError, JournalForeign, JournalLocked
from tradingd.journal.folder import Paths
from tradingd.journal.reader import JournalReader
from tradingd.journal.settings import JournalSettings
from tradingd.journal.verify import verify
from tradingd.journal.writer import Journal

MadeAt = Callable[[int], Commit]


@pytest.fixture
def folder(two_segments: Path, tmp_path: Path) -> Path:
    return shutil.copytree(two_segments, tmp_path / "j")


def files(folder: Path) -> dict[str, bytes]:
    found = [path for path in folder.rglob("*") if path.is_file() and path.name != "LOCK"]
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


def backed_up(folder: Path, target: Path) -> tuple[int, str]:
    """By another process, as a person does beside a daemon: the code and the output."""
    code = "import sys; sys.argv[0] = 'trade'; from tradingd_cli.trade import main; main()"
    command = [sys.executable, "-c", code, "journal", "backup", str(folder), str(target)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def extend(folder: Path, settings: JournalSettings, *commits: Commit, seals: bool = False) -> None:
    journal = Journal.open(folder, settings)
    for commit in commits:
        journal.append(commit)
    if seals:
        journal.roll()
        journal.seal()
    journal.close()


# --- what a copy is ---------------------------------------------------------------------------------------------------


def test_a_copy_holds_what_the_journal_holds(folder: Path, tmp_path: Path) -> None:
    (folder / "control.sock.txt").write_text("not a part of it")
    done = backup(folder, tmp_path / "deep" / "copy")
    assert (done.report.ok, done.live, done.kept) == (True, False, 0)
    assert done.report.end == verify(folder).end
    mine, copied = files(folder), files(tmp_path / "deep" / "copy")
    assert set(mine) - set(copied) == {"control.sock.txt"}
    assert {name for name in copied if copied[name] != mine[name]} <= {"HEAD"}
    with JournalReader.open(folder) as one, JournalReader.open(tmp_path / "deep" / "copy") as other:
        assert (one.head.commit_no, one.head.digest) == (other.head.commit_no, other.head.digest)


def test_the_journal_is_left_as_it_was(folder: Path, tmp_path: Path) -> None:
    before = files(folder)
    backup(folder, tmp_path / "copy")
    assert files(folder) == before


def test_a_restored_journal_goes_on_under_a_new_id(
    folder: Path, tmp_path: Path, settings: JournalSettings, commit_at: MadeAt
) -> None:
    backup(folder, tmp_path / "copy")
    done = restore(tmp_path / "copy", tmp_path / "restored")
    assert done.report.end == verify(folder).end
    opened = Journal.open(tmp_path / "restored", settings)
    with JournalReader.open(tmp_path / "copy") as reader:
        assert opened.id != reader.id
    opened.append(commit_at(7))
    opened.close()
    assert verify(tmp_path / "restored").end.commit_no == 7


def test_snapshots_and_signed_heads_go_with_it(folder: Path, tmp_path: Path, settings: JournalSettings) -> None:
    journal = Journal.open(folder, settings)
    journal.write_snapshot(78, b"state")
    journal.close()
    (folder / "heads.jsonl").write_bytes(b"one line\nhalf a l")
    backup(folder, tmp_path / "copy")
    assert (tmp_path / "copy" / "snapshots" / "000000000078.snap").read_bytes() == b"state"
    assert (tmp_path / "copy" / "heads.jsonl").read_bytes() == b"one line\n"


# --- extended ---------------------------------------------------------------------------------------------------------


def test_a_copy_is_extended_and_its_sealed_segments_are_kept(
    folder: Path, tmp_path: Path, settings: JournalSettings, commit_at: MadeAt
) -> None:
    Journal.open(folder, settings).close()  # from here on it has its own id
    backup(folder, tmp_path / "copy")
    extend(folder, settings, commit_at(7))
    done = backup(folder, tmp_path / "copy")
    assert (done.kept, done.report.end.commit_no) == (1, 7)
    extend(folder, settings, commit_at(8), seals=True)
    done = backup(folder, tmp_path / "copy")
    assert (done.kept, done.report.end.commit_no, done.report.notes) == (1, 8, [])
    assert not Paths(tmp_path / "copy").live(2).exists()
    assert backup(folder, tmp_path / "copy").kept == 2


def test_a_sealed_segment_of_the_copy_that_went_bad_is_replaced(folder: Path, tmp_path: Path) -> None:
    backup(folder, tmp_path / "copy")
    path = Paths(tmp_path / "copy").sealed(1)
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    done = backup(folder, tmp_path / "copy")
    assert (done.kept, done.report.ok) == (0, True)


def test_an_interrupted_copy_is_no_journal_and_is_completed(
    folder: Path, tmp_path: Path, settings: JournalSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Cut(Exception):
        pass

    def cut(name: str) -> None:
        if name == "backup.before-head":
            raise Cut

    with monkeypatch.context() as patched:
        patched.setattr(module, "point", cut)
        with pytest.raises(Cut):
            backup(folder, tmp_path / "copy")
    with pytest.raises(JournalForeign):
        Journal.open(tmp_path / "copy", settings)
    done = backup(folder, tmp_path / "copy")
    assert (done.kept, done.report.ok) == (1, True)


# --- refused ----------------------------------------------------------------------------------------------------------


def test_what_is_not_a_copy_of_this_journal_is_left_alone(
    folder: Path, two_segments: Path, tmp_path: Path, settings: JournalSettings
) -> None:
    Journal.open(tmp_path / "other", settings).close()
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.txt").write_text("mine")
    before = files(tmp_path / "other")
    with pytest.raises(JournalError, match=r"holds journal \w+ \(genesis \w+\), not"):
        backup(folder, tmp_path / "other")
    with pytest.raises(JournalForeign, match=r"holds a\.txt and no copy"):
        backup(folder, tmp_path / "notes")
    with pytest.raises(JournalError, match="within each other"):
        backup(folder, folder / "backup")
    with pytest.raises(JournalError, match="holds a journal already"):
        restore(folder, tmp_path / "other")
    assert files(tmp_path / "other") == before
    assert [path.name for path in (tmp_path / "notes").iterdir()] == ["a.txt"]


def test_an_older_journal_does_not_replace_a_newer_copy(
    folder: Path, tmp_path: Path, settings: JournalSettings, commit_at: MadeAt
) -> None:
    Journal.open(folder, settings).close()
    shutil.copytree(folder, tmp_path / "older")
    extend(folder, settings, commit_at(7))
    backup(folder, tmp_path / "copy")
    before = files(tmp_path / "copy")
    with pytest.raises(JournalError, match=r"holds commit 7, .* only 6"):
        backup(tmp_path / "older", tmp_path / "copy")
    assert files(tmp_path / "copy") == before


def test_a_log_that_does_not_continue_the_copy_is_refused(
    folder: Path, tmp_path: Path, settings: JournalSettings, commit_at: MadeAt
) -> None:
    """A cloned disk: two journals of the same id went on from the same commit."""
    backup(folder, tmp_path / "copy")
    wal = Paths(tmp_path / "copy").wal(2)
    wal.write_bytes(wal.read_bytes()[:-1] + b"?")
    before = files(tmp_path / "copy")
    with pytest.raises(JournalError, match="is not the beginning of what"):
        backup(folder, tmp_path / "copy")
    after = files(tmp_path / "copy")
    assert {name: after[name] for name in before} == before


def test_a_damaged_segment_is_not_copied(folder: Path, tmp_path: Path) -> None:
    path = Paths(folder).sealed(1)
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(JournalDamaged, match="is not what its manifest says"):
        backup(folder, tmp_path / "copy")
    assert not Paths(tmp_path / "copy").identity.exists()


def test_a_copy_that_is_used_as_a_journal_is_not_written(
    folder: Path, tmp_path: Path, settings: JournalSettings
) -> None:
    backup(folder, tmp_path / "copy")
    opened = Journal.open(tmp_path / "copy", settings)
    with pytest.raises(JournalError, match="name another folder"):
        backup(folder, tmp_path / "copy")
    opened.close()


# --- beside a writer --------------------------------------------------------------------------------------------------


def test_a_live_journal_is_copied_up_to_what_is_durable(
    folder: Path, tmp_path: Path, settings: JournalSettings, commit_at: MadeAt
) -> None:
    journal = Journal.open(folder, settings)
    for number in (7, 8):
        journal.append(commit_at(number))
        code, said = backed_up(folder, tmp_path / "copy")
        assert code == 0, said
        assert verify(tmp_path / "copy").end.commit_no == number
    journal.append(commit_at(9))  # nobody took its lock
    journal.close()


def test_a_log_may_be_copied_in_the_middle_of_a_commit(
    folder: Path, tmp_path: Path, settings: JournalSettings, commit_at: MadeAt
) -> None:
    Journal.open(folder, settings).close()
    sizes, older = Paths(folder).wal(2).stat().st_size, (folder / "HEAD").read_bytes()
    extend(folder, settings, commit_at(7))
    (folder / "HEAD").write_bytes(older)
    whole = Paths(folder).wal(2).read_bytes()
    cuts = sorted({*range(sizes, len(whole), 509), *range(sizes, sizes + 20), len(whole) - 1})
    for cut in cuts:
        Paths(folder).wal(2).write_bytes(whole[:cut])
        done = backup(folder, tmp_path / f"copy{cut}")
        assert (done.report.ok, done.report.end.commit_no) == (True, 6), (cut, done.report.fault)


@pytest.mark.parametrize("change", ["seal", "reopen"])
def test_a_journal_that_changes_meanwhile_is_copied_again(
    folder: Path,
    tmp_path: Path,
    settings: JournalSettings,
    commit_at: MadeAt,
    change: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Here the writer is in the same process, which only a test may do: it lets go before it is copied."""
    Journal.open(folder, settings).close()
    passed: list[str] = []

    def meanwhile(name: str) -> None:
        if name == "backup.before-check":
            passed.append(name)
            if len(passed) == 1:
                extend(folder, settings, commit_at(7), seals=change == "seal")

    monkeypatch.setattr(module, "point", meanwhile)
    monkeypatch.setattr(module.Lock, "shared", classmethod(lambda kind, paths: None))
    said: list[str] = []
    done = backup(folder, tmp_path / "copy", say=said.append)
    assert [len(passed), sum(line.startswith("once more") for line in said)] == [2, 1]
    monkeypatch.undo()
    assert verify(tmp_path / "copy").end.commit_no == 7
    assert done.live


def test_a_journal_that_never_rests_is_given_up(
    folder: Path, tmp_path: Path, settings: JournalSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module.Lock, "shared", classmethod(lambda kind, paths: None))
    monkeypatch.setattr(module, "point", lambda name: Journal.open(folder, settings).close())
    with pytest.raises(JournalError, match="changed 5 times while it was copied"):
        backup(folder, tmp_path / "copy")


def test_two_copies_to_one_place_take_turns(folder: Path, tmp_path: Path) -> None:
    backup(folder, tmp_path / "copy")
    other = module.Lock.exclusive(Paths(tmp_path / "copy"))
    with pytest.raises(JournalLocked):
        backup(folder, tmp_path / "copy")
    other.release()
    assert backup(folder, tmp_path / "copy").report.ok
