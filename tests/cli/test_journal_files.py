"""What is done with the files of a journal, as a shell runs it."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from audited_day import play_day

from tradingd.journal.folder import Lock, Paths

Run = Callable[..., Any]


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A closed journal. To be copied, not changed."""
    return play_day(tmp_path_factory.mktemp("day"))


@pytest.fixture
def day(played: Path, tmp_path: Path) -> Path:
    return shutil.copytree(played, tmp_path / "day")


def object_of(ran: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(ran.out)
    return found


def test_seal_says_what_it_sealed(day: Path, run: Run) -> None:
    ran = run("trade", "journal", "seal", day)
    assert (ran.code, ran.out.startswith("sealed segment 1: seq 1 to ")) == (0, True)
    assert run("trade", "journal", "seal", day).out == "all segments were sealed before\n"
    assert object_of(run("trade", "journal", "seal", day, "--json")) == {"sealed": []}
    assert run("trade", "replay", day, "--verify").code == 0


def test_backup_and_restore_print_what_they_hold(day: Path, tmp_path: Path, run: Run) -> None:
    ran = run("trade", "journal", "backup", day, tmp_path / "copy")
    assert ran.code == 0
    copied, verdict, size, digest = ran.out.splitlines()[:4]
    assert (copied.startswith("copied "), verdict) == (True, f"{tmp_path / 'copy'}: as it was written")
    assert run("trade", "verify", day).out.splitlines()[1:3] == [size, digest]
    found = object_of(run("trade", "journal", "restore", tmp_path / "copy", tmp_path / "back", "--json"))
    assert (found["ok"], found["live"], found["journal"]) == (True, False, str(tmp_path / "back"))
    assert run("trade", "replay", tmp_path / "back", "--verify").code == 0


def test_a_restore_over_a_journal_is_3(day: Path, tmp_path: Path, run: Run) -> None:
    ran = run("trade", "journal", "restore", day, day)
    assert (ran.code, ran.err.count("\n"), "holds a journal already" in ran.err) == (3, 1, True)


def test_a_copy_that_does_not_verify_is_1(day: Path, tmp_path: Path, run: Run) -> None:
    (snapshot,) = (day / "snapshots").iterdir()
    snapshot.write_bytes(b"x")
    ran = run("trade", "journal", "backup", day, tmp_path / "copy")
    assert (ran.code, "NOT as it was written" in ran.out) == (1, True)


def test_export_says_what_it_wrote(day: Path, tmp_path: Path, run: Run) -> None:
    ran = run("trade", "journal", "export", day, "--to", "csv", "--out", tmp_path / "out", "--until", "1000")
    assert (ran.code, ran.out.splitlines()[1].startswith("commits 1 to ")) == (0, True)
    found = object_of(run("trade", "journal", "export", day, "--out", tmp_path / "all", "--json"))
    assert (found["digest"], len(found["files"])) == (object_of(run("trade", "verify", day, "--json"))["digest"], 5)
    ran = run("trade", "journal", "export", day, "--out", tmp_path / "all")
    assert (ran.code, ran.err) == (2, f"error: {tmp_path / 'all'} is not empty; name a folder that is\n")


def test_archive_says_what_it_moved(tmp_path: Path, run: Run) -> None:
    (tmp_path / "of").mkdir()
    day = play_day(tmp_path / "of", "journal.roll_rows=4000")
    ran = run("trade", "journal", "archive", day, "--before", "2020-01-01", "--to", tmp_path / "old")
    assert (ran.code, ran.out) == (0, f"moved 0 segments to {tmp_path / 'old'}\n")
    ran = run("trade", "journal", "archive", day, "--before", "2100-01-01", "--to", tmp_path / "old")
    assert ran.out.splitlines()[1].startswith("segment 1: seq 1 to ")
    assert f"segment 1 is archived in {tmp_path / 'old'}" in run("trade", "verify", day).out
    assert object_of(run("trade", "verify", day, "--archive", tmp_path / "old", "--json"))["notes"] == []
    assert run("trade", "replay", day, "--verify").code == 0
    ran = run("trade", "journal", "archive", day, "--before", "soon", "--to", tmp_path / "old")
    assert (ran.code, "'soon' is no time" in ran.err) == (2, True)


def test_compact_says_what_it_made(tmp_path: Path, run: Run) -> None:
    day = play_day(tmp_path, "journal.roll_rows=2000")
    run("trade", "journal", "seal", day)
    digest = object_of(run("trade", "verify", day, "--json"))["digest"]
    members = len(object_of(run("trade", "journal", "ls", day, "--json"))["segments"])
    assert members > 2
    assert run("trade", "journal", "compact", day, "--mb", "1").out == "nothing to join\n"
    ran = run("trade", "journal", "compact", day)
    assert (ran.code, ran.out.startswith(f"made segments 1 to {members}: seq 1 to ")) == (0, True)
    assert f"000001-{members:06d}.duckdb" in run("trade", "journal", "ls", day).out
    assert object_of(run("trade", "verify", day, "--json"))["digest"] == digest
    assert run("trade", "replay", day, "--verify").code == 0
    assert object_of(run("trade", "journal", "compact", day, "--json")) == {"compacted": []}


def test_compact_beside_another_is_3(day: Path, run: Run) -> None:
    with Lock.upkeep(Paths(day)):
        ran = run("trade", "journal", "compact", day)
    assert (ran.code, ran.err) == (3, f"error: another process compacts or archives {day}; wait until it is done\n")
