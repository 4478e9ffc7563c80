"""How commands open a journal."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tradingd.journal.reader import JournalReader

NICENESS = 10


@contextmanager
def opened(journal: Path) -> "Iterator[JournalReader]":
    """Of a journal in use live segments are copied first, which is said."""
    from tradingd.journal.reader import JournalReader

    give_way(journal)
    with JournalReader.open(journal, with_live=True) as reader:
        if reader.is_live:
            said = f"in use: read up to seq {reader.last_seq}, as of now; what comes next: tradingd tail -j {journal}"
            print(said, file=sys.stderr)
        yield reader


def give_way(journal: Path) -> None:
    """Beside a daemon a command gets what all others leave of the processors; threads that it makes later too.

    A lower priority is not enough: commits then still wait for ten auditors (benchmarks/README.md). Not for what holds
    a lock that a daemon waits for: it might get no processor to release it.

    Raises JournalForeign, JournalTooNew, JournalDamaged.
    """
    from tradingd.journal.folder import Lock, Paths, read_identity

    paths = Paths(journal)
    read_identity(paths)
    if Lock.has_writer(paths):
        try:
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
        except PermissionError:  # a hardened unit
            os.nice(NICENESS)
