"""The warm writer as its users see it, and what must hold of a journal that it left."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from journal_child import SETTINGS, commit_at, contents

from tradingd.journal.reader import JournalReader
from tradingd.journal.verify import verify
from tradingd.journal.writer import Journal

WRITER = Path(__file__).with_name("writer.py")


class Ended(NamedTuple):
    code: int
    operations: int


class Writer:
    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def run(
        self, root: Path, until: int, log: Path | None = None, arm: tuple[int, int, int] = (0, 0, 0), kill_at: str = ""
    ) -> Ended:
        """Opens `root/journal` and appends up to commit `until`."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        order = {"root": str(root), "log": str(log) if log else "", "until": until, "arm": arm, "kill_at": kill_at}
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return Ended(*map(int, self._process.stdout.readline().split()))


@contextmanager
def writer(shim: Path, said: Path) -> Iterator[Writer]:
    """`said` is a file for what it writes to standard error."""
    with said.open("a") as stderr:
        environment = os.environ | {"LD_PRELOAD": str(shim)}
        process = subprocess.Popen(
            [sys.executable, WRITER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            env=environment,
        )
    with process:
        yield Writer(process)
        assert process.stdin is not None
        process.stdin.close()


def acknowledged(root: Path) -> int:
    """The newest commit that the outside was told of."""
    acks = root / "ACKS"
    return max(map(int, acks.read_text().split()), default=0) if acks.exists() else 0


def check(root: Path, at_least: int) -> int:
    """Recovers the journal: everything acknowledged is there, once, bit by bit, and nothing that was not appended.

    The number of its commits.
    """
    folder = root / "journal"
    with_one_more = Journal.open(folder, SETTINGS)
    commits = with_one_more.head.commit_no
    assert commits >= at_least, f"{at_least} commits were acknowledged, {commits} are there"
    with_one_more.append(commit_at(commits + 1))
    with_one_more.seal()
    with_one_more.close()
    report = verify(folder)
    assert report.ok, report.fault
    with JournalReader.open(folder) as reader:
        found = [contents(commit) for commit in reader.commits()]
    assert found == [contents(commit_at(number)) for number in range(1, commits + 2)]
    return commits + 1
