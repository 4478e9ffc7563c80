"""What a feed's rows are made of: a resume cursor counts rows, and means nothing over other files.

A feed tells its inputs in the `FeedStatus` with which it begins. So the journal has them beside the rows, and the next
start can compare.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from tradingd.feeds.contract import FeedConfigError
from tradingd.feeds.settings import FeedSettings, RecordedSettings

HEAD_BYTES = 65_536
# what changes no row's place; a simulated day that goes on for longer begins in the same way
NOT_COUNTED = ("pace", "speed", "batch_rows", "time_error_s_max", "duration_s")
TOLD = re.compile(r"inputs ([0-9a-f]{16})(?: of (\d+) bytes)?")


@dataclass(frozen=True, slots=True)
class Inputs:
    """The settings that decide which row is the n-th, and the files: their names, sizes and how they begin."""

    settings: bytes
    paths: tuple[Path, ...] = ()

    def text(self) -> str:
        """Such as "inputs 0f1e2d3c4b5a6978 of 24012345 bytes"."""
        size = f" of {self._size()} bytes" if self.paths else ""
        return f"inputs {self._digest(HEAD_BYTES)}{size}"

    def check(self, feed: str, told: str, rows: int) -> None:
        """Whether the journal's rows of this feed are the first of these. `told` is what it said of its inputs then.

        A file may have grown since where it is the only one. Raises FeedConfigError.
        """
        known = TOLD.search(told)
        if known is None or known[0] == self.text() or self._has_grown_from(known[1], int(known[2] or 0)):
            return
        raise FeedConfigError(
            f"feed {feed}: the {rows:,} rows in the journal are of other files or settings than these; put those back, "
            "or give the feed another name: then all rows of these come after them"
        )

    def _has_grown_from(self, digest: str, size: int) -> bool:
        return len(self.paths) == 1 and self._size() > size and self._digest(min(size, HEAD_BYTES)) == digest

    def _size(self) -> int:
        return sum(path.stat().st_size for path in self.paths)

    def _digest(self, head_bytes: int) -> str:
        digest = hashlib.blake2b(self.settings, digest_size=8)
        for path in self.paths:
            with path.open("rb") as file:
                digest.update(hashlib.blake2b(file.read(head_bytes)).digest())
        return digest.hexdigest()


def inputs_of(settings: FeedSettings, paths: Sequence[Path] = ()) -> Inputs:
    """A file is known by its name, wherever it stands."""
    counted = {key: value for key, value in msgspec.to_builtins(settings).items() if key not in NOT_COUNTED}
    if not counted.get("funding"):  # older journals know of none
        counted.pop("funding", None)
    if isinstance(settings, RecordedSettings):
        names = iter(path.name for path in paths)
        for key in ("files", "funding"):
            counted |= {key: [file | {"path": next(names)} for file in counted[key]]} if key in counted else {}
    return Inputs(msgspec.json.encode(counted, order="deterministic"), tuple(paths))
