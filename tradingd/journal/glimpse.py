"""What a journal in use holds beyond its sealed segments, for a reader in another process: copies of the live ones.

The process that trades takes no part. HEAD is read first; the database of a live segment never changes and its log only
grows, so all that was acknowledged by then stands in the bytes that are copied later. What stands after it is taken out
of the copy again: it may not be durable yet.
"""

import shutil
from contextlib import closing
from pathlib import Path

import duckdb

from tradingd.journal import database, head, schema, torn
from tradingd.journal.errors import JournalDamaged, JournalError, one_line
from tradingd.journal.folder import Paths
from tradingd.journal.head import Head
from tradingd.journal.settings import JournalSettings

ATTEMPTS_MAX = 5


class _Sealed(Exception):
    """A segment was sealed while it was copied."""


def glimpse(source: Paths, folder: Path, settings: JournalSettings) -> dict[int, Path]:
    """The segments that are not sealed, by number, as databases in `folder`, up to HEAD as it was.

    Raises JournalError where the journal changes faster than it can be copied, JournalDamaged.
    """
    for _ in range(ATTEMPTS_MAX):
        acknowledged = head.read(source.head)
        try:
            copies = _copies(source, Paths(folder))
        except (FileNotFoundError, _Sealed):
            continue
        for copy in copies.values():
            _cut(copy, acknowledged, settings)
        return copies
    raise JournalError(f"{source.folder} changed {ATTEMPTS_MAX} times while it was copied; try again")


def _copies(source: Paths, copy: Paths) -> dict[int, Path]:
    copy.segments.mkdir(exist_ok=True)
    numbers = [number for number in source.segment_numbers() if not source.manifest(number).exists()]
    for number in numbers:
        shutil.copyfile(source.live(number), copy.live(number))
        if source.wal(number).exists():  # it is made with the first commit
            shutil.copyfile(source.wal(number), copy.wal(number))
    if any(source.manifest(number).exists() for number in numbers):
        raise _Sealed  # a log that a seal removed looks like one that was never made
    return {number: copy.live(number) for number in numbers}


def _cut(copy: Path, acknowledged: Head, settings: JournalSettings) -> None:
    with closing(_opened(copy, settings)) as connection:
        for table in schema.ROW_TABLES:
            connection.execute(f"DELETE FROM {table} WHERE seq > {acknowledged.last_seq}")
        connection.execute(f"DELETE FROM commits WHERE last_seq > {acknowledged.last_seq}")


def _opened(copy: Path, settings: JournalSettings) -> database.Connection:
    wal = copy.with_name(copy.name + ".wal")
    try:
        try:
            return database.open_writable(copy, settings)
        except duckdb.Error as error:  # the last entry was still being written
            if not torn.cut_tail(wal, error):
                raise
            return database.open_writable(copy, settings)
    except duckdb.Error as error:
        raise JournalDamaged(
            f"the copy of {copy.name} can not be read ({one_line(error)}); see `trade verify`"
        ) from error
