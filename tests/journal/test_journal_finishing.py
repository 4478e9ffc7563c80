"""A closed journal becomes sealed segments only, and goes on in a new one."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tradingd.commit import Commit
from tradingd.journal import head, segments
from tradingd.journal.errors import JournalError, JournalForeign, JournalLocked
from tradingd.journal.finishing import seal_all
from tradingd.journal.settings import JournalSettings
from tradingd.journal.verify import verify
from tradingd.journal.writer import Journal

MadeAt = Callable[[int], Commit]


@pytest.fixture
def journal(two_segments: Path, tmp_path: Path) -> Path:
    return shutil.copytree(two_segments, tmp_path / "j")


def names(journal: Path) -> list[str]:
    return sorted(path.name for path in (journal / "segments").iterdir())


def test_all_segments_are_sealed_and_nothing_else_is_left(journal: Path, settings: JournalSettings) -> None:
    before = verify(journal).end
    assert [manifest.segment for manifest in seal_all(journal, settings)] == [2]
    assert names(journal) == ["000001.duckdb", "000001.manifest.json", "000002.duckdb", "000002.manifest.json"]
    report = verify(journal)
    assert (report.ok, report.end, report.notes) == (True, before, [])


def test_the_next_opening_begins_a_segment(journal: Path, settings: JournalSettings, commit_at: MadeAt) -> None:
    seal_all(journal, settings)
    opened = Journal.open(journal, settings)
    assert (opened.head.segment, opened.last_seq) == (3, 78)
    opened.append(commit_at(7))
    opened.close()
    assert verify(journal).end.commit_no == 7


def test_what_is_sealed_already_is_left_as_it_is(journal: Path, settings: JournalSettings) -> None:
    seal_all(journal, settings)
    content = (journal / "HEAD").read_bytes()
    assert seal_all(journal, settings) == []
    assert (journal / "HEAD").read_bytes() == content
    assert len(names(journal)) == 4


def test_commits_that_lead_head_are_kept(journal: Path, settings: JournalSettings, commit_at: MadeAt) -> None:
    opened = Journal.open(journal, settings)
    older = (journal / "HEAD").read_bytes()
    opened.append(commit_at(7))
    opened.close()
    (journal / "HEAD").write_bytes(older)
    assert seal_all(journal, settings)[-1].last_commit == 7
    assert head.read(journal / "HEAD").commit_no == 7


def test_a_journal_without_commits_is_sealed_too(tmp_path: Path, settings: JournalSettings, commit_at: MadeAt) -> None:
    Journal.open(tmp_path / "j", settings).close()
    (manifest,) = seal_all(tmp_path / "j", settings)
    assert (manifest.first_commit, manifest.last_commit) == (1, 0)
    opened = Journal.open(tmp_path / "j", settings)
    opened.append(commit_at(1))
    opened.close()
    assert verify(tmp_path / "j").ok


def test_a_journal_in_use_is_refused(journal: Path, settings: JournalSettings) -> None:
    opened = Journal.open(journal, settings)
    with pytest.raises(JournalLocked, match="is in use by process"):
        seal_all(journal, settings)
    opened.close()
    with pytest.raises(JournalForeign):
        seal_all(journal / "segments", settings)


def test_a_seal_that_fails_leaves_the_journal_as_a_close_does(
    journal: Path, settings: JournalSettings, commit_at: MadeAt, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(segments, "copy_rows", full)
        with pytest.raises(JournalError, match=r"sealing .* failed: .*No space left"):
            seal_all(journal, settings)
    opened = Journal.open(journal, settings)
    opened.append(commit_at(7))
    opened.close()
    assert verify(journal).end.commit_no == 7
