"""Killed at named points, at operations on the disk and at any moment, again and again: daemons and bare writers."""

import random
import shutil
import signal
from contextlib import ExitStack
from pathlib import Path

from daemons import check_day, daemons, log_of, signed_day, undisturbed_digest
from disk.build import build
from disk.journals import acknowledged, check, writer

SEEDS = 1000
DAEMON_EVERY = 8  # of the seeds; the others are bare writers
KILLS_MAX = 5
COMMITS = 12
OPERATIONS_MAX = 250  # of a writer that is left alone
APPENDING = ("append.before-commit", "append.after-commit", "append.after-head")
CREATING = ("recovery.after-identity", "recovery.after-new-head")
RECOVERING = ("recovery.before-head", "recovery.after-head")
ROLLING = ("roll.before", "segment.before-rename", "segment.after-rename", "roll.before-head", "roll.after-head")
SEALING = ("seal.before-compact", "seal.after-compact", "seal.before-manifest", "seal.after-manifest")
SNAPSHOTS = ("snapshot.before", "snapshot.after")
POINTS = (*CREATING, *RECOVERING, *APPENDING, *ROLLING, *SEALING, *SNAPSHOTS)
DAEMON_POINTS = (*POINTS, "perform.before", "heads.before-write", "heads.after-write")


class Campaign:
    def __init__(self, folder: Path) -> None:
        self._stack = ExitStack()
        (folder / "child").mkdir()
        (folder / "undisturbed").mkdir()
        self._writer = self._stack.enter_context(writer(build(folder), folder / "writer.log"))
        self._child = self._stack.enter_context(daemons(folder / "child"))
        self._undisturbed = undisturbed_digest(self._child, signed_day(folder / "undisturbed"))

    def close(self) -> None:
        self._stack.close()

    def run(self, seed: int, folder: Path) -> str:
        folder.mkdir()
        number, is_writer = divmod(seed, DAEMON_EVERY)
        rng = random.Random(seed)
        if is_writer:
            outcome = self._writers(rng, POINTS[(seed - number) % len(POINTS)], folder)
        else:
            outcome = self._daemons(rng, DAEMON_POINTS[number % len(DAEMON_POINTS)], folder)
        shutil.rmtree(folder)
        return outcome

    def _writers(self, rng: random.Random, first: str, root: Path) -> str:
        """Each journal has a point of its own at which it dies first."""
        codes = [self._writer.run(root, COMMITS, kill_at=first).code]
        for _ in range(rng.randrange(KILLS_MAX)):
            if rng.random() < 0.5:
                ended = self._writer.run(root, COMMITS, kill_at=_passage(rng, POINTS))
            else:
                ended = self._writer.run(root, COMMITS, arm=(rng.randint(1, OPERATIONS_MAX), -signal.SIGKILL, 0))
            codes.append(ended.code)
        check(root, acknowledged(root))
        return f"writers killed {_kills(codes)}x"

    def _daemons(self, rng: random.Random, first: str, folder: Path) -> str:
        config = signed_day(folder)
        codes = [self._child.play(config, first)]
        for _ in range(rng.randrange(KILLS_MAX)):
            if rng.random() < 0.5:
                codes.append(self._child.play(config, _passage(rng, DAEMON_POINTS)))
            else:
                codes.append(self._child.play_until_a_moment(config, rng))
        assert self._child.play(config) == 0, log_of(config)
        check_day(config, self._undisturbed)
        return f"daemons killed {_kills(codes)}x"


def _passage(rng: random.Random, points: tuple[str, ...]) -> str:
    return f"{rng.choice(points)}:{rng.randint(1, 6)}"


def _kills(codes: list[int]) -> int:
    """A point may not be passed so often; then the run came to its end."""
    assert set(codes) <= {0, -signal.SIGKILL}, codes
    return codes.count(-signal.SIGKILL)
