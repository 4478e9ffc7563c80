"""The wall clock jumps while the daemon runs: order is by seq, and nothing that is decided depends on it."""

import subprocess
import sys
import time
from collections.abc import Callable
from itertools import count, pairwise
from pathlib import Path

import pytest
from small_day import journal_of, play_config, re_executed, write_config

from tradingd.core.snapshot import state_digest
from tradingd.instruments import NS
from tradingd.journal.reader import JournalReader
from tradingd.journal.verify import verify

TRADE = Path(sys.executable).with_name("trade")
BEFORE_MIDNIGHT_NS = 1_741_046_100 * NS  # 2025-03-03, 23:55 UTC
HOUR_NS = 3600 * NS
JUMPS = {
    "an hour forwards": HOUR_NS,
    "an hour backwards": -HOUR_NS,
    "a leap second, told twice": -NS,
}
ASKED_BEFORE = 8  # how often the clock is asked before it jumps; more often than to begin a run, less than in a day


def jumping(by_ns: int) -> Callable[[], int]:
    """Goes on a millisecond each time that it is asked."""
    asked = count()

    def time_ns() -> int:
        number = next(asked)
        return BEFORE_MIDNIGHT_NS + number * 1_000_000 + (by_ns if number >= ASKED_BEFORE else 0)

    return time_ns


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> str:
    return state_digest(play_config(write_config(tmp_path_factory.mktemp("undisturbed"))).state)


@pytest.mark.parametrize("jump", JUMPS)
def test_a_clock_that_jumps(undisturbed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jump: str) -> None:
    config = write_config(tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(time, "time_ns", jumping(JUMPS[jump]))
        daemon = play_config(config)
    folder = journal_of(config)
    with JournalReader.open(folder) as reader:
        rows = reader.sql("SELECT first_seq, last_seq, committed_ns FROM commits ORDER BY commit_no").rows()
        segments = len(reader.segments())
    # the clock has jumped while commits were made, and these stand in the order of their seq
    steps = [later[2] - earlier[2] for earlier, later in pairwise(rows)]
    assert sum(abs(step - JUMPS[jump]) < NS / 2 for step in steps) == 1
    assert [first for first, _, _ in rows] == [1, *(last + 1 for _, last, _ in rows[:-1])]
    # a day that begins rolls over, one that comes again does not
    assert segments == (2 if JUMPS[jump] > 0 else 1)
    # it was traded as ever, and the record holds
    assert state_digest(daemon.state) == undisturbed
    assert verify(folder).ok
    assert state_digest(re_executed(folder)) == undisturbed
    replayed = subprocess.run([TRADE, "replay", folder, "--verify"], capture_output=True, text=True, check=False)
    assert replayed.returncode == 0, replayed.stdout + replayed.stderr


def test_runs_of_a_clock_that_went_back_follow_one_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = write_config(tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(time, "time_ns", jumping(0))
        play_config(config)
        patched.setattr(time, "time_ns", jumping(-HOUR_NS))
        play_config(config)
    assert verify(journal_of(config)).ok
    state = re_executed(journal_of(config))
    assert state.ledger.run is not None
    assert state.ledger.run.epoch == 2
