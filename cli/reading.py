"""How commands open a journal."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tradingd.journal.reader import JournalReader


@contextmanager
def opened(journal: Path) -> "Iterator[JournalReader]":
    """Of a journal in use only the sealed segments can be read, which is said."""
    from tradingd.journal.reader import JournalReader

    with JournalReader.open(journal) as reader:
        if reader.is_live:
            print(f"in use, so sealed segments only; the daemon itself: tradingd tail -j {journal}", file=sys.stderr)
        yield reader
