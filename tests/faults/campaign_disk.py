"""Every write, sync and new name in turn: the disk is full from there on (ENOSPC), or this one fails (EIO)."""

import errno
import shutil
from contextlib import ExitStack
from pathlib import Path

from disk.build import build
from disk.journals import acknowledged, check, writer

COMMITS = 12
SEEDS = 1200  # two for each operation, and some over
KINDS = ((errno.ENOSPC, 1), (errno.EIO, 0))


class Campaign:
    def __init__(self, folder: Path) -> None:
        self._stack = ExitStack()
        self._said = folder / "writer.log"
        self._writer = self._stack.enter_context(writer(build(folder), self._said))
        (folder / "whole").mkdir()
        self.operations = self._writer.run(folder / "whole", COMMITS).operations

    def close(self) -> None:
        self._stack.close()

    def run(self, seed: int, folder: Path) -> str:
        """The journal fails with one clear line, or does without; what was acknowledged is there at the next start."""
        at, kind = seed // 2 + 1, KINDS[seed % 2]
        if at > self.operations:
            return "beyond the last operation"
        folder.mkdir()
        told = self._said.stat().st_size
        ended = self._writer.run(folder, COMMITS, arm=(at, *kind))
        said = self._said.read_text()[told:].splitlines()
        assert ended.code in (0, 3), (ended, said)
        assert all(line.startswith(("later: ", "failed: ")) for line in said), said
        check(folder, acknowledged(folder))
        shutil.rmtree(folder)
        return f"{errno.errorcode[kind[0]]}: {'the journal failed' if ended.code else 'done without'}"
