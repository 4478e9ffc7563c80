"""Old segments leave a running daemon's journal as the config says, and nothing of them is lost."""

import asyncio
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from small_day import ROWS, held, journal_of, play, play_config, prepared, re_executed, rows_of, write_config

from tradingd.core.snapshot import state_digest
from tradingd.daemon import retention as module
from tradingd.daemon.daemon import Daemon
from tradingd.journal import retention
from tradingd.journal.folder import Lock, Paths
from tradingd.journal.settings import JournalSettings, RetentionSettings
from tradingd.journal.verify import verify

HELD = 15
WAIT_S_MAX = 120.0
SMALL_SEGMENTS = "journal.roll_rows=800"


def wanted(archive_to: Path, days: float) -> str:
    return f'journal.retention={{archive_after_days={days}, archive_to="{archive_to}", compact_to_mb=1000}}'


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("*.duckdb"))


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "EVERY_S", 0.05)


def played(config: Path, until: Callable[[], object], *overrides: str) -> Daemon:
    """A day that waits in its midst until something has come about."""
    p, feed = held(prepared(config, SMALL_SEGMENTS, *overrides), HELD)

    async def wait(_: Daemon) -> None:
        async with asyncio.timeout(WAIT_S_MAX):
            while not until():
                await asyncio.sleep(0.02)
        feed.let_go[HELD].set()

    return play(p, wait)


def test_what_is_old_is_joined_and_archived_while_the_day_goes_on(tmp_path: Path) -> None:
    # given a day that is left alone, and one that waits until its first segments have been archived
    (tmp_path / "whole").mkdir()
    whole = play_config(write_config(tmp_path / "whole"))
    config, old = write_config(tmp_path), tmp_path / "old"
    # when it is played to its end
    daemon = played(config, lambda: names(old), wanted(old, 1e-9))
    # then segments are there, and not here; the journal is whole, and what was decided is the same
    assert names(old)
    assert not set(names(old)) & set(names(journal_of(config) / "segments"))
    report = verify(journal_of(config), archive=old)
    assert (report.fault, report.notes) == (None, [])
    assert rows_of(journal_of(config)) == ROWS
    assert state_digest(daemon.state) == state_digest(re_executed(journal_of(config))) == state_digest(whole.state)


def test_what_is_not_old_stays(tmp_path: Path) -> None:
    config, old = write_config(tmp_path), tmp_path / "old"
    segments = journal_of(config) / "segments"
    played(config, lambda: list(segments.glob("*-*.duckdb")), wanted(old, 1.0))
    assert not old.exists()
    assert verify(journal_of(config)).ok


def test_a_failure_is_said_and_trading_goes_on(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    # given a place that can not be a folder yet
    caplog.set_level("WARNING", logger="tradingd")  # whatever a test before has set
    config, taken = write_config(tmp_path), tmp_path / "taken"
    taken.write_text("mine")
    p, feed = held(prepared(config, SMALL_SEGMENTS, wanted(taken / "old", 1e-9)), HELD)

    async def until_it_is_said(_: Daemon) -> None:
        async with asyncio.timeout(WAIT_S_MAX):
            while "old segments are not archived: " not in caplog.text:
                await asyncio.sleep(0.02)
            # when there is room
            taken.unlink()
            while not names(taken / "old"):
                await asyncio.sleep(0.02)
        feed.let_go[HELD].set()

    play(p, until_it_is_said)
    # then it is done after all, and the day was played
    assert taken.name in caplog.text
    assert rows_of(journal_of(config)) == ROWS
    assert verify(journal_of(config), archive=taken / "old").ok


def test_it_ends_with_the_daemon_and_is_done_again(tmp_path: Path) -> None:
    # given a process that waits for a reader
    config, old = write_config(tmp_path), tmp_path / "old"
    play_config(config, SMALL_SEGMENTS)
    paths = Paths(journal_of(config))
    asked = RetentionSettings(archive_after_days=1e-9, archive_to=str(old), compact_to_mb=1000)
    command = retention.command(paths, JournalSettings(), asked)
    with Lock.reading(paths), subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        while not list(paths.segments.glob("*-*.duckdb")):
            assert process.poll() is None
        # when its daemon is gone
        assert process.stdin is not None
        process.stdin.close()
        # then it ends, and nothing has changed
        assert process.wait(WAIT_S_MAX) == 1
    assert verify(paths.folder).ok
    assert not old.exists()
    # and the next one does it
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        assert process.wait(WAIT_S_MAX) == 0
    assert names(old)
    assert verify(paths.folder, archive=old).ok
