"""The power goes at any operation on the disk, again and again, also while recovering from the last time."""

import random
import shutil
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from disk.build import build
from disk.journals import acknowledged, check, writer
from disk.power import Disk, read_log

SEEDS = 200
CUTS = 4
COMMITS = 24
EARLY = 30


class Campaign:
    def __init__(self, folder: Path) -> None:
        self._stack = ExitStack()
        self._writer = self._stack.enter_context(writer(build(folder), folder / "writer.log"))

    def close(self) -> None:
        self._stack.close()

    def run(self, seed: int, folder: Path) -> str:
        """`CUTS` power cuts in a row, some of them soon after a kill, when what was not synced is still in memory only.

        What was acknowledged before any of them is there after all of them.
        """
        rng = random.Random(seed)
        root = folder / "disk0"
        root.mkdir(parents=True)
        (root / "ACKS").touch()
        for cut in range(1, CUTS + 1):
            disk = Disk(root)
            for kill in range(rng.randint(0, 2)):
                root = self._after(disk, rng, root, folder / f"killed{cut}{kill}", disk.killed)
            root = self._after(disk, rng, root, folder / f"disk{cut}", partial(disk.cut, rng))
        commits = check(root, acknowledged(root))
        shutil.rmtree(folder)
        return "whole" if commits > COMMITS else "cut short"

    def _after(self, disk: Disk, rng: random.Random, root: Path, target: Path, write: Callable[[Path], None]) -> Path:
        """What is there after the first so many operations of a run. ACKS is the outside's and loses nothing."""
        log = target.with_suffix(".log")
        ended = self._writer.run(root, COMMITS, log)
        assert ended.code == 0, f"{target.name}: the writer ended with {ended}"
        operations = read_log(log)
        until = rng.choice((EARLY, len(operations)))  # often while it recovers
        for operation in operations[: rng.randint(1, until)]:
            disk.take(operation)
        told = disk.names["ACKS"]
        assert told is not None
        told.sync()
        write(target)
        (target / "ACKS").write_bytes(told.content)
        return target
