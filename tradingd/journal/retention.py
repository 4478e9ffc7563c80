"""Joins and archives old segments in a process of its own, beside who trades.

    python -m tradingd.journal.retention FOLDER SETTINGS RETENTION

Standard input is a pipe from the journal's writer and ends with it; so does this process. It may be cut short anywhere.
"""

import os
import sys
import time
from pathlib import Path

import msgspec

from tradingd.journal.archive import archive
from tradingd.journal.compact import compact
from tradingd.journal.errors import JournalError
from tradingd.journal.folder import Paths
from tradingd.journal.sealer import NICENESS, encoded, end_with_writer
from tradingd.journal.settings import JournalSettings, RetentionSettings

DAY_NS = 86_400 * 1_000_000_000


def command(paths: Paths, settings: JournalSettings, wanted: RetentionSettings) -> list[str]:
    """What starts the process; safe in a working folder that holds a `tradingd` of its own."""
    texts = encoded(settings), msgspec.json.encode(wanted).decode()
    return [sys.executable, "-P", "-m", __name__, str(paths.folder.absolute()), *texts]


def retain(folder: Path, settings: JournalSettings, wanted: RetentionSettings) -> None:
    """Raises as `compact` and `archive` do; what was done until then stays."""
    if wanted.compact_to_mb:
        compact(folder, wanted.compact_to_mb, settings)
    before_ns = time.time_ns() - int(wanted.archive_after_days * DAY_NS)
    archive(folder, Path(wanted.archive_to), before_ns, settings)


def main() -> None:
    folder, settings, wanted = sys.argv[1:]
    os.nice(NICENESS)
    end_with_writer()
    try:
        retain(
            Path(folder),
            msgspec.json.decode(settings, type=JournalSettings),
            msgspec.json.decode(wanted, type=RetentionSettings),
        )
    except (JournalError, OSError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
