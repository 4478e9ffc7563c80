"""A compaction is killed at any of its steps, a writer after it: nothing is lost, and nothing is there twice."""

import os
import runpy
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tradingd.journal.compact import compact
from tradingd.journal.reader import JournalReader
from tradingd.journal.verify import verify
from tradingd.journal.writer import Journal

CHILD = Path(__file__).with_name("journal_child.py")
child = runpy.run_path(str(CHILD), run_name="journal_child")
commit_at, contents, settings = child["commit_at"], child["contents"], child["SETTINGS"]

COMPACT = (
    "import sys; from pathlib import Path; from tradingd.journal.compact import compact; compact(Path(sys.argv[1]))"
)
COMMITS = 10  # three segments are sealed
POINTS = (
    "compact.before-copy",
    "compact.after-copy",
    "segment.before-rename",
    "segment.after-rename",
    "compact.before-manifest",
    "compact.after-manifest",
    "compact.after-removal",
)


def killed_at(point: str, *arguments: object) -> None:
    env = os.environ | {"TRADINGD_KILL_AT": point}
    done = subprocess.run([sys.executable, *map(str, arguments)], env=env, timeout=60, check=False)
    assert done.returncode == -signal.SIGKILL


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    subprocess.run([sys.executable, str(CHILD), str(tmp_path / "j"), str(COMMITS)], timeout=60, check=True)
    assert len(list((tmp_path / "j" / "segments").glob("*.manifest.json"))) == 3
    return tmp_path / "j"


def check(folder: Path, commits: int) -> bytes:
    report = verify(folder)
    assert (report.fault, report.end.commit_no) == (None, commits)
    with JournalReader.open(folder) as reader:
        found = [contents(commit) for commit in reader.commits()]
    assert found == [contents(commit_at(number)) for number in range(1, commits + 1)]
    return report.end.digest


@pytest.mark.parametrize("point", POINTS)
def test_the_journal_is_whole_and_the_next_one_finishes(folder: Path, point: str) -> None:
    before = check(folder, COMMITS)
    killed_at(point, "-c", COMPACT, folder)
    assert check(folder, COMMITS) == before
    journal = Journal.open(folder, settings)
    journal.append(commit_at(COMMITS + 1))
    journal.close()
    compact(folder)
    names = sorted(path.name for path in (folder / "segments").iterdir())
    assert names == [
        "000001-000003.duckdb", "000003.manifest.json", "000004.live.duckdb", "000004.live.duckdb.wal",
    ]  # fmt: skip
    check(folder, COMMITS + 1)


@pytest.mark.parametrize("point", POINTS)
def test_a_writer_that_dies_after_it_is_recovered(folder: Path, point: str) -> None:
    killed_at(point, "-c", COMPACT, folder)
    killed_at("seal.before-manifest", CHILD, folder, COMMITS + 9)
    journal = Journal.open(folder, settings)
    commits = journal.head.commit_no
    assert commits > COMMITS
    journal.seal()
    journal.close()
    check(folder, commits)
    compact(folder)
    check(folder, commits)
