"""One bit flips in any file of a journal: told, or without any effect."""

import random
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from damage.made import KINDS, file_of, make
from damage.trial import trial
from damage.wal import size_fields
from isolated import isolated

from tradingd.journal.head import SLOT_OFFSETS, SLOT_SIZE

SEEDS = 10_000
SIZES = "size in the log"  # DuckDB itself loses commits by these and says nothing
SLOTS = "slot of HEAD"  # the rest of HEAD is room for nothing


class Campaign:
    def __init__(self, folder: Path) -> None:
        self._made = folder / "made"
        isolated(partial(make, self._made))
        self._places = {kind: self._all_of(kind) for kind in KINDS}
        log = file_of(self._made, "log")
        self._places[SIZES] = log, size_fields((self._made / log).read_bytes())
        slots = [offset + byte for offset in SLOT_OFFSETS for byte in range(SLOT_SIZE)]
        self._places[SLOTS] = file_of(self._made, "HEAD"), slots

    def _all_of(self, kind: str) -> tuple[Path, Sequence[int]]:
        file = file_of(self._made, kind)
        return file, range((self._made / file).stat().st_size)

    def close(self) -> None:
        pass

    def run(self, seed: int, folder: Path) -> str:
        rng = random.Random(seed)
        kind = tuple(self._places)[seed % len(self._places)]
        file, places = self._places[kind]
        content = bytearray((self._made / file).read_bytes())
        content[rng.choice(places)] ^= 1 << rng.randrange(8)
        return f"{kind}: {isolated(partial(trial, self._made, folder, file, bytes(content)))}"
