"""The daemon dies at every named point; started again until the day is done, it has traded the same day."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from small_day import CONFIG, journal_of, re_executed, write_config

from tradingd.core.snapshot import state_digest
from tradingd.journal.reader import JournalReader
from tradingd.journal.signing import make_key
from tradingd.journal.verify import verify
from tradingd.journal.witness import evidence_of

CHILD = Path(__file__).with_name("daemon_child.py")
ROWS = 5000
DAY = CONFIG.replace("duration_s = 400", "duration_s = 500")
SIGNED = """
[journal.signing]
key_file = "signing.pem"
every_commits = 2

[[journal.anchors]]
kind = "file"
name = "archive"
path = "archive.jsonl"
"""
# so that every point is passed in half a second
OFTEN = [
    "journal.roll_rows=2000",
    "journal.roll_daily=false",
    "daemon.snapshot_interval_s=0.04",
]
# Each list is one day: killed at one point after the other, then left alone.
DAYS = {
    "first start": [
        "recovery.after-identity", "recovery.after-new-head", "segment.before-rename", "segment.after-rename",
        "recovery.before-head", "recovery.after-head", "append.before-commit", "append.after-commit", "perform.before",
    ],
    "appending": ["append.before-commit:4", "append.after-commit:4", "append.after-head:4", "perform.before:4"],
    "rolling over": [
        "roll.before", "segment.before-rename", "segment.after-rename", "roll.before-head",
        "roll.after-head",
    ],
    "sealing": [
        "seal.before-compact", "seal.after-compact", "segment.before-rename", "seal.before-manifest",
        "seal.after-manifest",
    ],
    "snapshots": ["snapshot.before", "snapshot.after"],
    "recovering, twice in a row": [
        "append.after-commit:12", "recovery.before-head", "recovery.before-head", "recovery.after-head",
        "recovery.after-head", "append.before-commit", "append.before-commit", "perform.before", "perform.before",
    ],
}  # fmt: skip


class Child:
    """The process that the daemons are forks of."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def _ask(self, order: dict[str, object]) -> int:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def start(self, config: Path, kill_at: str = "") -> int:
        """A run of the daemon; its pid."""
        logs = {"log": str(config.parent / "log"), "acks": str(config.parent / "acks")}
        return self._ask({"config": str(config), "overrides": OFTEN, "kill_at": kill_at, **logs})

    def wait(self, pid: int) -> int:
        """Its exit code, or minus the signal that ended it."""
        return self._ask({"wait": pid})

    def play(self, config: Path, kill_at: str = "") -> int:
        return self.wait(self.start(config, kill_at))


@pytest.fixture(scope="module")
def child(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Child]:
    config = write_config(tmp_path_factory.mktemp("child"), DAY)
    with subprocess.Popen(
        [sys.executable, CHILD, config], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield Child(process)
        assert process.stdin is not None
        process.stdin.close()


@pytest.fixture(scope="module")
def undisturbed(child: Child, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Digest of the state after a day without a fault."""
    config = write_config(tmp_path_factory.mktemp("undisturbed"), DAY)
    assert child.play(config) == 0, log_of(config)
    return state_digest(re_executed(journal_of(config)))


class Acknowledged(NamedTuple):
    seq: int
    digest: str


def acknowledged(config: Path) -> list[Acknowledged]:
    """What the outside has seen: the last seq of each commit, and the digest of the journal there."""
    lines = [line.split() for line in (config.parent / "acks").read_text().splitlines()]
    return [Acknowledged(int(seq), digest) for seq, digest in lines]


def log_of(config: Path) -> str:
    return (config.parent / "log").read_text()


def check(config: Path, undisturbed: str) -> None:
    """Nothing acknowledged is lost, nothing is there twice, the record is sound, and the day is the same."""
    folder = journal_of(config)
    with JournalReader.open(folder) as reader:
        commits = reader.sql("SELECT last_seq, digest FROM commits").rows()
        ticks = reader.sql("SELECT count(*) FROM ticks").item()
    kept = {int(seq): bytes(digest).hex() for seq, digest in commits}
    for seen in acknowledged(config):
        assert kept[seen.seq] == seen.digest
    report = verify(folder)
    assert report.ok, report.fault
    assert ticks == ROWS
    state = re_executed(folder)
    assert state_digest(state) == undisturbed
    assert state.ledger.run is not None
    assert state.ledger.run.epoch > 1


@pytest.mark.parametrize("day", DAYS)
def test_killed_at_points(child: Child, undisturbed: str, tmp_path: Path, day: str) -> None:
    config = write_config(tmp_path, DAY)
    for point in DAYS[day]:
        assert child.play(config, point) == -signal.SIGKILL, (point, log_of(config))
    assert child.play(config) == 0, log_of(config)
    check(config, undisturbed)


def test_killed_while_heads_are_signed(child: Child, tmp_path: Path) -> None:
    """What came to the anchor is in the journal, signed and acknowledged, wherever the daemon died."""
    public_key = make_key(tmp_path / "signing.pem")
    config = write_config(tmp_path, DAY + SIGNED)
    for point in ("heads.before-write", "heads.after-write", "heads.before-write:3", "heads.after-write:3"):
        assert child.play(config, point) == -signal.SIGKILL, (point, log_of(config))
    assert child.play(config) == 0, log_of(config)
    report = verify(journal_of(config), evidence=evidence_of([str(tmp_path / "archive.jsonl")], [public_key]))
    assert report.fault is None
    assert report.anchored > 0


@pytest.mark.parametrize("seed", range(3))
def test_killed_at_any_moment(child: Child, undisturbed: str, tmp_path: Path, seed: int) -> None:
    config = write_config(tmp_path, DAY)
    rng = random.Random(seed)
    for _ in range(5):
        pid = child.start(config)
        time.sleep(rng.uniform(0.02, 0.4))
        os.kill(pid, signal.SIGKILL)
        assert child.wait(pid) in (0, -signal.SIGKILL), log_of(config)
    assert child.play(config) == 0, log_of(config)
    check(config, undisturbed)
