"""A new journal of what holds of a damaged one: whole segments as copies, others written anew up to where they hold.

HEAD and then journal.json come last: what was cut short is no journal that a daemon would go on with.
"""

from contextlib import closing
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import duckdb
import msgspec

from tradingd.journal import database, head, heads, segments
from tradingd.journal.chain import ChainPoint
from tradingd.journal.copying import copy_file, unfinished
from tradingd.journal.database import Connection
from tradingd.journal.diagnosis import Diagnosis, Part
from tradingd.journal.errors import JournalDamaged, JournalError, one_line
from tradingd.journal.faults import point
from tradingd.journal.folder import Lock, Paths, fsync_folder, make_folder, write_durably
from tradingd.journal.head import Head
from tradingd.journal.salvage import Say, examined
from tradingd.journal.schema import ROW_TABLES
from tradingd.journal.settings import JournalSettings
from tradingd.journal.tables import BAR_FLOATS, TICK_FLOATS
from tradingd.journal.verify import VerifyReport, verify

# NaN and -1 are what the digest takes for NULL, which is what a journal has.
_AS_NULL = "CASE WHEN isnan({0}) THEN NULL ELSE {0} END AS {0}"
_TICK_NULLS = ", ".join([*map(_AS_NULL.format, TICK_FLOATS), "nullif(venue_id, -1) AS venue_id"])
_BAR_NULLS = ", ".join(map(_AS_NULL.format, BAR_FLOATS))
COLUMNS = {"ticks": f"* REPLACE ({_TICK_NULLS})", "bars": f"* REPLACE ({_BAR_NULLS})"}


@dataclass(slots=True)
class Recovery:
    """`diagnosis` is of the damaged journal, `report` what verifying the new one said."""

    diagnosis: Diagnosis
    report: VerifyReport


def recover(folder: Path, new: Path, settings: JournalSettings | None = None, say: Say = lambda line: None) -> Recovery:
    """Makes `new` a verified, closed journal of the commits of `folder` that hold; `folder` stays as it is.

    Raises JournalForeign, JournalTooNew, JournalLocked, JournalDamaged, JournalError where `new` is no place for it or
    nothing holds, OSError; `new` is then no journal.
    """
    settings = settings or JournalSettings()
    _check_place(folder, new)
    with examined(folder, settings, say) as diagnosis:
        if diagnosis.end.commit_no == 0:
            raise JournalError(f"no commit of {folder} holds, so there is nothing to recover; restore a backup")
        _write(Paths(folder), Paths(new), diagnosis, settings, say)
    return Recovery(diagnosis, verify(new, settings, say))


def _check_place(folder: Path, new: Path) -> None:
    """Raises JournalError where `new` is not an empty folder, or none, elsewhere."""
    here, there = folder.resolve(), new.resolve()
    if here == there or here in there.parents or there in here.parents:
        raise JournalError(f"{new} and {folder} are within each other; name a folder elsewhere")
    if there.exists() and not (there.is_dir() and not any(there.iterdir())):
        raise JournalError(f"{new} is there already and is not empty; name a new folder")


def _write(paths: Paths, copy: Paths, diagnosis: Diagnosis, settings: JournalSettings, say: Say) -> None:
    for place in (copy.folder, copy.segments, copy.snapshots):
        make_folder(place)
    with Lock.exclusive(copy):
        for part in diagnosis.parts:
            if part.points[0].commit_no < min(part.points[-1].commit_no, diagnosis.end.commit_no):
                _segment(paths, copy, part, diagnosis, settings)
                say(f"segment {part.number}: recovered")
        for path in diagnosis.snapshots:
            _copy(path, copy.snapshots / path.name)
        for folder in (copy.segments, copy.snapshots):
            fsync_folder(folder)
        point("recover.before-head")
        _finish(copy, diagnosis)


def _segment(paths: Paths, copy: Paths, part: Part, diagnosis: Diagnosis, settings: JournalSettings) -> None:
    number, end = part.number, diagnosis.end
    if not part.is_whole or part.points[-1].commit_no > end.commit_no:
        _write_anew(copy, part, diagnosis, settings)
        return
    if part.is_away:
        write_durably(copy.archived(number), paths.archived(number).read_bytes())
    else:
        _copy(part.path, copy.spanning(part.first, number))
        copy.spanning(part.first, number).chmod(0o444)
    write_durably(copy.manifest(number), paths.manifest(number).read_bytes())


def _copy(path: Path, target: Path) -> None:
    copy_file(path, unfinished(target))
    unfinished(target).replace(target)


def _write_anew(copy: Paths, part: Part, diagnosis: Diagnosis, settings: JournalSettings) -> None:
    """Sealed at once; its chain is then recomputed from what was written."""
    if part.is_away:
        raise JournalDamaged(f"the chain ends within segment {part.number}, which is archived; bring it back first")
    segments.create(copy, part.number, diagnosis.identity.genesis, part.points[0], settings)
    end = min(part.points[-1], diagnosis.end)
    try:
        with closing(database.open_writable(copy.live(part.number), settings)) as connection:
            _insert(connection, part, end)
    except duckdb.Error as error:
        raise JournalError(f"segment {part.number} could not be written anew: {one_line(error)}") from error
    manifest = segments.seal(copy, part.number, settings)
    if manifest.digest != end.digest.hex():
        raise JournalDamaged(f"segment {part.number} ends with digest {manifest.digest} instead of {end.digest.hex()}")
    if part.first != part.number:
        copy.spanning(part.number, part.number).replace(copy.spanning(part.first, part.number))
        segments.write_manifest(copy, msgspec.structs.replace(manifest, first_segment=part.first))


def _insert(connection: Connection, part: Part, end: ChainPoint) -> None:
    """In the ranges that could be read; what lies between them and the end of the file may not."""
    connection.execute(f"ATTACH '{database.quoted(part.path)}' AS old (READ_ONLY)")
    for before, after in pairwise(part.points):
        first, last = before.last_seq + 1, min(after.last_seq, end.last_seq)
        for table in ROW_TABLES:
            columns = COLUMNS.get(table, "*")
            where = f"seq BETWEEN {first} AND {last}"
            connection.execute(f"INSERT INTO {table} SELECT {columns} FROM old.{table} WHERE {where}")
        commits = f"commit_no BETWEEN {before.commit_no + 1} AND {min(after.commit_no, end.commit_no)}"
        connection.execute(f"INSERT INTO commits SELECT * FROM old.commits WHERE {commits}")
        connection.execute("CHECKPOINT")  # what is in the log is in memory, too
    connection.execute("DETACH old")


def _finish(copy: Paths, diagnosis: Diagnosis) -> None:
    identity, end = diagnosis.identity, diagnosis.end
    if diagnosis.signed:
        write_durably(copy.folder / heads.NAME, b"".join(claim.line + b"\n" for claim in diagnosis.signed))
    newest = max(copy.segment_numbers())
    found = Head(identity.id, diagnosis.epoch, newest, end.commit_no, end.last_seq, end.digest)
    write_durably(copy.head, head.whole_content(found))
    write_durably(copy.identity, msgspec.json.format(msgspec.json.encode(identity), indent=2) + b"\n")
