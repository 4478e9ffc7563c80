"""The power goes at any operation on the disk, again and again, also while recovering from the last time."""

import random
import shutil
from contextlib import ExitStack
from pathlib import Path

from disk.build import build
from disk.journals import acknowledged, check, writer
from disk.power import Disk, read_log

SEEDS = 200
CUTS = 4
COMMITS = 24


class Campaign:
    def __init__(self, folder: Path) -> None:
        self._stack = ExitStack()
        self._writer = self._stack.enter_context(writer(build(folder), folder / "writer.log"))

    def close(self) -> None:
        self._stack.close()

    def run(self, seed: int, folder: Path) -> str:
        """`CUTS` power cuts in a row; what was acknowledged before any of them is there after all of them."""
        rng = random.Random(seed)
        root = folder / "disk0"
        root.mkdir(parents=True)
        (root / "ACKS").touch()
        for cut in range(1, CUTS + 1):
            before, log = Disk(root), folder / f"log{cut}"
            ended = self._writer.run(root, COMMITS, log)
            assert ended.code == 0, f"cut {cut}: the writer ended with {ended}"
            root = folder / f"disk{cut}"
            _cut(before, log, rng, root)
        commits = check(root, acknowledged(root))
        shutil.rmtree(folder)
        return "whole" if commits > COMMITS else "cut short"


def _cut(disk: Disk, log: Path, rng: random.Random, root: Path) -> None:
    """What may be there after the first so many operations. ACKS is the outside's and loses nothing."""
    operations = read_log(log)
    done = operations[: rng.randint(1, len(operations))]
    for operation in done:
        disk.take(operation)
    told = disk.names.pop("ACKS")
    assert told is not None
    told.sync()
    disk.cut(rng, root)
    (root / "ACKS").write_bytes(told.content)
