"""A file of a journal has lost its end: told, or without any effect."""

import random
from functools import partial
from pathlib import Path

from damage.made import KINDS, file_of, make
from damage.trial import trial
from isolated import isolated

SEEDS = 1000
SECTOR = 512


class Campaign:
    def __init__(self, folder: Path) -> None:
        self._made = folder / "made"
        isolated(partial(make, self._made))

    def close(self) -> None:
        pass

    def run(self, seed: int, folder: Path) -> str:
        rng = random.Random(seed)
        kind = tuple(KINDS)[seed % len(KINDS)]
        file = file_of(self._made, kind)
        content = (self._made / file).read_bytes()
        kept = rng.randrange(len(content))
        kept = rng.choice((kept, kept, kept // SECTOR * SECTOR, 0, len(content) - 1))
        return f"{kind}: {isolated(partial(trial, self._made, folder, file, content[:kept]))}"
