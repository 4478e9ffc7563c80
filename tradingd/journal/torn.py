"""A power cut can leave the last entry of a write-ahead log half written, and DuckDB 1.5 then refuses the whole log.

Such a tail is cut off, but only if everything that HEAD acknowledged stands before it; else the log is put back.
"""

import os
import re
import shutil
from pathlib import Path

import duckdb

TORN = re.compile(r"Corrupt WAL file: entry at byte position (\d+)")
ENTRY_HEADER_SIZE = 16  # size and checksum, before the position that DuckDB names


def copy_of(wal: Path) -> Path:
    return wal.with_name(wal.name + ".torn")


def cut_tail(wal: Path, error: duckdb.Error) -> bool:
    """Keeps a copy of the log and cuts it before the entry that `error` names; False if it names none."""
    found = TORN.search(str(error))
    if found is None or not wal.exists():
        return False
    shutil.copy2(wal, copy_of(wal))
    os.truncate(wal, int(found[1]) - ENTRY_HEADER_SIZE)
    return True


def put_back(wal: Path) -> None:
    copy_of(wal).replace(wal)
