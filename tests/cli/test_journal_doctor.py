"""trade journal doctor, as a shell runs it: plain words, one object, exit codes, and a journal that is left alone."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest
from audited_day import play_day
from tradingd_cli.journal_doctor import MEANINGS

from tradingd.journal.diagnosis import Kind
from tradingd.journal.folder import Paths
from tradingd.journal.verify import verify
from tradingd.journal.writer import Journal

Run = Callable[..., Any]
KEYS = {
    "ok", "verdict", "journal", "journal_id", "genesis", "last_commit", "last_seq", "digest", "acknowledged_commit",
    "acknowledged_seq", "findings", "lost", "later", "notes", "recovered",
}  # fmt: skip


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A closed journal. To be copied, not changed."""
    return play_day(tmp_path_factory.mktemp("day"))


@pytest.fixture
def damaged(day: Path, tmp_path: Path) -> Path:
    """A copy without one fact of its last but one commit."""
    folder = shutil.copytree(day, tmp_path / "j")
    with duckdb.connect(Paths(folder).live(1)) as connection:
        last = "(SELECT last_seq FROM commits ORDER BY commit_no DESC LIMIT 1 OFFSET 1)"
        newest = f"(SELECT rowid FROM facts WHERE seq <= {last} ORDER BY seq DESC, n DESC LIMIT 1)"
        connection.execute(f"DELETE FROM facts WHERE rowid = {newest}")
    return folder


def object_of(ran: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(ran.out)
    return found


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_every_kind_has_its_plain_words() -> None:
    assert set(MEANINGS) == {kind.value for kind in Kind}


def test_a_healthy_journal_is_0(day: Path, run: Run) -> None:
    ran = run("trade", "journal", "doctor", day)
    assert (ran.code, ran.out.splitlines()[0]) == (0, f"{day}: healthy")
    found = object_of(run("trade", "journal", "doctor", day, "--json"))
    assert set(found) == KEYS
    assert (found["ok"], found["verdict"], found["findings"], found["lost"]) == (True, "healthy", [], None)
    assert (found["last_commit"], found["last_seq"]) == (found["acknowledged_commit"], found["acknowledged_seq"])


def test_what_a_crash_leaves_is_0_and_said(day: Path, tmp_path: Path, run: Run) -> None:
    folder = shutil.copytree(day, tmp_path / "j")
    with (folder / "heads.jsonl").open("ab") as file:
        file.write(b'{"format":1,')
    ran = run("trade", "journal", "doctor", folder)
    assert (ran.code, ran.out.splitlines()[0]) == (0, f"{folder}: as a crash leaves it; the next start heals that")
    assert MEANINGS["signed_heads_torn"] in ran.out


def test_a_damaged_journal_is_1_and_says_what_is_lost_and_what_to_do(damaged: Path, run: Run) -> None:
    before = files(damaged)
    ran = run("trade", "journal", "doctor", damaged)
    assert (ran.code, ran.err) == (1, "")
    found = object_of(run("trade", "journal", "doctor", damaged, "--json"))
    last, total = found["last_commit"], found["acknowledged_commit"]
    lines = ran.out.splitlines()
    assert lines[0] == f"{damaged}: DAMAGED"
    assert lines[1].startswith(f"holds up to commit {last}, seq {found['last_seq']}, digest {found['digest']}")
    assert f"lost: commits {last + 1} to {total}, seq {found['last_seq'] + 1} to " in ran.out
    assert "still say what they held: " in ran.out
    assert f"trade journal doctor {damaged} --recover NEW" in ran.out
    assert "look at the venue" in ran.out
    assert (found["findings"][0]["kind"], found["findings"][0]["commit_no"]) == ("rows", last + 1)
    assert found["lost"]["known_commits"] == total - last
    assert set(found["lost"]["known_rows"]) == {"ticks", "frames", "bars", "facts"}
    assert files(damaged) == before


def test_what_holds_is_recovered_and_verified(damaged: Path, tmp_path: Path, run: Run) -> None:
    before, new = files(damaged), tmp_path / "new"
    found = object_of(run("trade", "journal", "doctor", damaged, "--json"))
    ran = run("trade", "journal", "doctor", damaged, "--recover", new)
    assert ran.code == 0
    assert f"recovered commits 1 to {found['last_commit']}, seq 1 to {found['last_seq']}" in ran.out
    assert f"{new}: as it was written" in ran.out
    assert "--recover NEW" not in ran.out
    assert files(damaged) == before
    assert verify(new).end.digest.hex() == found["digest"]
    assert run("trade", "verify", new).code == 0
    assert run("trade", "replay", new, "--verify").code == 0


def test_the_object_of_a_recovery_has_both(damaged: Path, tmp_path: Path, run: Run) -> None:
    ran = run("trade", "journal", "doctor", damaged, "--recover", tmp_path / "new", "--json")
    found = object_of(ran)
    assert (ran.code, found["ok"], found["recovered"]["ok"]) == (0, False, True)
    assert found["recovered"]["digest"] == found["digest"]


def test_without_head_it_says_that_more_may_be_lost(day: Path, tmp_path: Path, run: Run) -> None:
    folder = shutil.copytree(day, tmp_path / "j")
    (folder / "HEAD").unlink()
    ran = run("trade", "journal", "doctor", folder)
    assert ran.code == 1
    assert "can not be told without HEAD: more than this may be lost" in ran.out
    assert object_of(run("trade", "journal", "doctor", folder, "--json"))["acknowledged_commit"] is None


def test_a_place_that_is_taken_is_3_and_one_line(damaged: Path, tmp_path: Path, run: Run) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "a.txt").write_text("mine")
    ran = run("trade", "journal", "doctor", damaged, "--recover", tmp_path / "full")
    assert (ran.code, ran.out, len(ran.err.splitlines())) == (3, "", 1)
    assert "is not empty; name a new folder" in ran.err


def test_a_journal_in_use_is_3_and_one_line(day: Path, tmp_path: Path, run: Run) -> None:
    folder = shutil.copytree(day, tmp_path / "j")
    journal = Journal.open(folder)
    ran = run("trade", "journal", "doctor", folder)
    journal.close()
    assert (ran.code, ran.out, len(ran.err.splitlines())) == (3, "", 1)
    assert "is in use; stop its daemon first" in ran.err
