"""Seals what a daemon left, so that a closed journal is sealed segments only."""

from pathlib import Path

from tradingd.journal.folder import Paths, read_identity
from tradingd.journal.segments import Manifest
from tradingd.journal.settings import JournalSettings
from tradingd.journal.writer import Journal


def seal_all(folder: Path, settings: JournalSettings | None = None) -> list[Manifest]:
    """What it sealed, none where all segments were. Opening is recovery: what led HEAD is verified and kept.

    Raises JournalForeign, JournalTooNew, JournalLocked, JournalDamaged, JournalError.
    """
    paths = Paths(folder)
    read_identity(paths)
    numbers = paths.segment_numbers()
    if numbers and all(paths.manifest(number).exists() for number in numbers):
        return []  # to open it would begin another segment
    return Journal.open(folder, settings).finish()
