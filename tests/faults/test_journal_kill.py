"""A writer dies; whoever opens the journal next finds all that was acknowledged, once. `campaign_kill.py` has more."""

import os
import runpy
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tradingd.journal.errors import JournalDamaged, JournalLocked
from tradingd.journal.reader import JournalReader
from tradingd.journal.verify import verify
from tradingd.journal.writer import Journal

CHILD = Path(__file__).with_name("journal_child.py")
child = runpy.run_path(str(CHILD), run_name="journal_child")
commit_at, contents, settings = child["commit_at"], child["contents"], child["SETTINGS"]

COMMITS = 9  # enough for a rollover


def run_child(folder: Path, *args: object, kill_at: str = "") -> subprocess.CompletedProcess[str]:
    env = os.environ | ({"TRADINGD_KILL_AT": kill_at} if kill_at else {})
    command = [sys.executable, str(CHILD), str(folder), *map(str, args)]
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)


def acknowledged(output: str) -> int:
    """The last seq that the child printed."""
    return max((int(line.split()[1]) for line in output.splitlines() if line.startswith("ack")), default=0)


def finish_and_check(folder: Path, commits: int = COMMITS) -> None:
    """Appends what is missing; then the journal holds exactly the commits, and verifies."""
    journal = Journal.open(folder, settings)
    for number in range(journal.head.commit_no + 1, commits + 1):
        journal.append(commit_at(number))
    journal.seal()
    journal.close()
    with JournalReader.open(folder) as reader:
        found = [contents(commit) for commit in reader.commits()]
    assert found == [contents(commit_at(number)) for number in range(1, commits + 1)]
    report = verify(folder)
    assert report.fault is None
    assert report.end.commit_no == commits


def test_a_commit_that_head_has_not_seen_is_kept(tmp_path: Path) -> None:
    killed = run_child(tmp_path / "j", COMMITS, kill_at="append.after-commit:3")
    journal = Journal.open(tmp_path / "j", settings)
    assert journal.last_seq == commit_at(3).last_seq > acknowledged(killed.stdout)
    assert journal.epoch == 2
    journal.close()


@pytest.fixture(scope="module")
def crashed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A journal with a write-ahead log, of which every commit is acknowledged."""
    folder = tmp_path_factory.mktemp("crashed") / "j"
    run_child(folder, COMMITS, kill_at="append.after-head:3")
    return folder


def wal_of(folder: Path) -> Path:
    return folder / "segments" / "000001.live.duckdb.wal"


def test_a_lost_write_ahead_log_is_noticed(crashed: Path, tmp_path: Path) -> None:
    shutil.copytree(crashed, tmp_path / "j")
    wal_of(tmp_path / "j").unlink()
    with pytest.raises(JournalDamaged, match="trails HEAD"):
        Journal.open(tmp_path / "j", settings)


@pytest.mark.parametrize("junk", [b"\0" * 500, b"\x11" * 500])
def test_a_torn_end_after_all_that_was_acknowledged_is_cut_off(crashed: Path, tmp_path: Path, junk: bytes) -> None:
    """As a power cut leaves it: the file has grown, the content of the last entry has not reached the disk."""
    shutil.copytree(crashed, tmp_path / "j")
    wal_of(tmp_path / "j").write_bytes(wal_of(crashed).read_bytes() + junk)
    finish_and_check(tmp_path / "j")


def test_a_torn_end_that_was_acknowledged_is_damage_and_the_log_is_left_as_it_is(crashed: Path, tmp_path: Path) -> None:
    shutil.copytree(crashed, tmp_path / "j")
    torn = wal_of(crashed).read_bytes()[:-200] + b"\0" * 200
    wal_of(tmp_path / "j").write_bytes(torn)
    with pytest.raises(JournalDamaged, match="trails HEAD"):
        Journal.open(tmp_path / "j", settings)
    assert wal_of(tmp_path / "j").read_bytes() == torn


def test_a_commit_that_was_torn_before_it_was_acknowledged_is_dropped(tmp_path: Path) -> None:
    killed = run_child(tmp_path / "j", COMMITS, kill_at="append.after-commit:3")
    wal = wal_of(tmp_path / "j")
    wal.write_bytes(wal.read_bytes()[:-200] + b"\0" * 200)
    journal = Journal.open(tmp_path / "j", settings)
    assert journal.last_seq == commit_at(2).last_seq == acknowledged(killed.stdout)
    journal.close()
    finish_and_check(tmp_path / "j")


def test_kills_at_any_moment_with_seals_in_a_second_thread(tmp_path: Path) -> None:
    kept = 0
    for wait_s in (0.05, 0.2, 0.35, 0.5):
        with subprocess.Popen(
            [sys.executable, CHILD, tmp_path / "j", "storm"], stdout=subprocess.PIPE, text=True
        ) as one:
            assert one.stdout is not None
            one.stdout.readline()  # it is open
            time.sleep(wait_s)
            one.kill()
            output, _ = one.communicate()
        journal = Journal.open(tmp_path / "j", settings)
        assert journal.last_seq >= max(kept, acknowledged(output))
        kept, commits = journal.last_seq, journal.head.commit_no
        journal.abandon()
    finish_and_check(tmp_path / "j", commits)


def test_the_lock_of_a_killed_process_is_free_and_that_of_a_living_one_is_not(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path / "j", settings)
    with pytest.raises(JournalLocked, match=f"in use by process {os.getpid()}"):
        Journal.open(tmp_path / "j", settings)
    refused = run_child(tmp_path / "j", 1)
    assert "JournalLocked" in refused.stderr
    journal.append(commit_at(1))
    journal.close()
    Journal.open(tmp_path / "j", settings).close()
