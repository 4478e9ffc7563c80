"""The disk of a whole daemon is full from some operation on (ENOSPC), or one operation fails (EIO)."""

import errno
import random
import shutil
from contextlib import ExitStack
from pathlib import Path

from daemons import check_day, daemons, log_of, signed_day, undisturbed_digest
from disk.build import build

from tradingd.daemon.daemon import EXIT_OUTSIDE_FAILED

SEEDS = 200
OPERATIONS_MAX = 450  # some fall after the end of a day
OUTAGES_MAX = 3
KINDS = ((errno.ENOSPC, 1), (errno.EIO, 0))


class Campaign:
    def __init__(self, folder: Path) -> None:
        self._stack = ExitStack()
        for name in ("child", "undisturbed"):
            (folder / name).mkdir()
        self._child = self._stack.enter_context(daemons(folder / "child", build(folder)))
        self._undisturbed = undisturbed_digest(self._child, signed_day(folder / "undisturbed"))

    def close(self) -> None:
        self._stack.close()

    def run(self, seed: int, folder: Path) -> str:
        """The run ends with one clear line or goes on without; once there is room the day goes on as if nothing was."""
        folder.mkdir()
        rng = random.Random(seed)
        config = signed_day(folder)
        error, stays = KINDS[seed % 2]
        codes = [
            self._child.play(config, arm=(rng.randint(1, OPERATIONS_MAX), error, stays))
            for _ in range(rng.randint(1, OUTAGES_MAX))
        ]
        assert set(codes) <= {0, EXIT_OUTSIDE_FAILED}, (codes, log_of(config))
        assert "Traceback" not in log_of(config), log_of(config)
        assert self._child.play(config) == 0, log_of(config)
        check_day(config, self._undisturbed)
        shutil.rmtree(folder)
        return f"{errno.errorcode[error]}: the daemon ended {codes.count(EXIT_OUTSIDE_FAILED)}x"
