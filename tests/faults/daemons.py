"""The warm process that daemons are forks of, and what must hold of a day however often they were killed."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from small_day import CONFIG, journal_of, re_executed, write_config

from tradingd.core.snapshot import state_digest
from tradingd.journal.reader import JournalReader
from tradingd.journal.signing import make_key
from tradingd.journal.verify import verify

CHILD = Path(__file__).with_name("daemon_child.py")
ROWS = 5000
DAY = CONFIG.replace("duration_s = 400", "duration_s = 500")
SIGNED = """
[journal.signing]
key_file = "signing.pem"
every_commits = 2
"""
# so that every point is passed in half a second
OFTEN = [
    "journal.roll_rows=2000",
    "journal.roll_daily=false",
    "daemon.snapshot_interval_s=0.04",
]

Arm = tuple[int, int, int]  # which operation on the disk fails, with which error, and whether all after it do


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

    def start(self, config: Path, kill_at: str = "", arm: Arm | None = None) -> int:
        """A run of the daemon; its pid."""
        logs = {"log": str(config.parent / "log"), "acks": str(config.parent / "acks")}
        return self._ask({"config": str(config), "overrides": OFTEN, "kill_at": kill_at, "arm": arm, **logs})

    def wait(self, pid: int) -> int:
        """Its exit code, or minus the signal that ended it."""
        return self._ask({"wait": pid})

    def play(self, config: Path, kill_at: str = "", arm: Arm | None = None) -> int:
        return self.wait(self.start(config, kill_at, arm))

    def play_until_a_moment(self, config: Path, rng: random.Random) -> int:
        """Killed then, wherever it is; it may have ended before."""
        pid = self.start(config)
        time.sleep(rng.uniform(0.02, 0.4))
        os.kill(pid, signal.SIGKILL)
        return self.wait(pid)


@contextmanager
def daemons(folder: Path, shim: Path | None = None) -> Iterator[Child]:
    """`shim` is loaded before the C library, where runs are to be armed with it."""
    command = [sys.executable, CHILD, write_config(folder, DAY)]
    env = os.environ | ({"LD_PRELOAD": str(shim)} if shim else {})
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env) as process:
        yield Child(process)
        assert process.stdin is not None
        process.stdin.close()


def signed_day(folder: Path) -> Path:
    """Its config; heads are signed in it."""
    make_key(folder / "signing.pem")
    return write_config(folder, DAY + SIGNED)


def undisturbed_digest(child: Child, config: Path) -> str:
    """Of the state after a day without a fault."""
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


def check_day(config: Path, undisturbed: str) -> None:
    """Nothing acknowledged is lost, nothing is there twice, the record is sound, and the day is the same."""
    folder = journal_of(config)
    with JournalReader.open(folder) as reader:
        commits = reader.sql("SELECT last_seq, digest FROM commits").rows()
        ticks = reader.sql("SELECT count(*) FROM ticks").item()
    kept = {int(seq): bytes(digest).hex() for seq, digest in commits}
    for seen in acknowledged(config):
        assert kept.get(seen.seq) == seen.digest, f"{seen} is not there"
    report = verify(folder)
    assert report.ok, report.fault
    assert ticks == ROWS
    assert state_digest(re_executed(folder)) == undisturbed
