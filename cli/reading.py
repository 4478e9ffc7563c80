"""How commands open a journal."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tradingd.journal.reader import JournalReader

NICENESS = 10  # beside a daemon


@contextmanager
def opened(journal: Path) -> "Iterator[JournalReader]":
    """Of a journal in use live segments are copied first, which is said."""
    from tradingd.journal.reader import JournalReader

    with JournalReader.open(journal, with_live=True) as reader:
        if reader.is_live:
            os.nice(NICENESS)
            said = f"in use: read up to seq {reader.last_seq}, as of now; what comes next: tradingd tail -j {journal}"
            print(said, file=sys.stderr)
        yield reader
