"""Two writers on one journal: what stands between them, one thing after the other being taken away."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from journal_child import SETTINGS, commit_at, contents

from tradingd.journal.errors import JournalFailed
from tradingd.journal.reader import JournalReader
from tradingd.journal.verify import verify
from tradingd.journal.writer import Journal

CHILD = Path(__file__).with_name("journal_child.py")


def steal_lock(folder: Path, how: str) -> None:
    (folder / "LOCK").unlink()
    if how == "replaced":
        (folder / "LOCK").write_bytes(b" " * 512)


def lose_the_locks_of_duckdb(journal: Journal) -> None:
    """POSIX: closing any descriptor of a file lets go of the locks on it."""
    for path in (journal.paths.live(1), journal.paths.wal(1)):
        os.close(os.open(path, os.O_RDONLY))


def another_writer(folder: Path, until: int) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, CHILD, folder, str(until)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def commits_in(folder: Path) -> list[tuple[object, ...]]:
    with JournalReader.open(folder) as reader:
        return [contents(commit) for commit in reader.commits()]


@pytest.mark.parametrize("how", ["removed", "replaced"])
def test_without_lock_the_database_still_refuses_a_second_writer(tmp_path: Path, how: str) -> None:
    journal = Journal.open(tmp_path / "j", SETTINGS)
    journal.append(commit_at(1))
    steal_lock(tmp_path / "j", how)
    second = another_writer(tmp_path / "j", 2)
    assert "JournalLocked" in second.stderr
    assert "is in use although LOCK is free" in second.stderr
    # and the first one goes on
    journal.append(commit_at(2))
    journal.close()
    assert commits_in(tmp_path / "j") == [contents(commit_at(number)) for number in (1, 2)]


@pytest.mark.parametrize("how", ["removed", "replaced"])
def test_without_any_lock_the_older_writer_stops_before_it_writes(tmp_path: Path, how: str) -> None:
    # given a second writer that has taken over while the first one lives
    journal = Journal.open(tmp_path / "j", SETTINGS)
    journal.append(commit_at(1))
    steal_lock(tmp_path / "j", how)
    lose_the_locks_of_duckdb(journal)
    second = another_writer(tmp_path / "j", 2)
    assert second.returncode == 0, second.stderr
    written = {path: path.read_bytes() for path in (tmp_path / "j").rglob("*") if path.is_file()}
    # when the first one appends, it acknowledges nothing and changes nothing
    with pytest.raises(JournalFailed, match="HEAD was written by another process"):
        journal.append(commit_at(2))
    with pytest.raises(JournalFailed, match="failed before"):
        journal.append(commit_at(2))
    journal.abandon()
    assert {path: path.read_bytes() for path in (tmp_path / "j").rglob("*") if path.is_file()} == written
    # then the journal is the second one's
    assert verify(tmp_path / "j").ok
    assert commits_in(tmp_path / "j") == [contents(commit_at(number)) for number in (1, 2)]
