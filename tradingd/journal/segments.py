"""Segments: one DuckDB file each, made with its schema, appended to by its log alone, rolled over, sealed."""

import hashlib
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import duckdb
import msgspec
from msgspec import Struct

from tradingd.journal import database, schema
from tradingd.journal.chain import ChainPoint, check_chain
from tradingd.journal.copying import sync_file
from tradingd.journal.database import Connection
from tradingd.journal.errors import UNREADABLE, JournalDamaged, JournalError, one_line
from tradingd.journal.faults import point
from tradingd.journal.folder import Paths, fsync_folder, write_durably
from tradingd.journal.settings import JournalSettings


class Manifest(Struct, frozen=True, omit_defaults=True):
    """<number>.manifest.json: what a sealed segment holds. Digests and sums are hex.

    `first_segment` is 0 but where those from it on were joined to `segment`.
    """

    segment: int
    first_commit: int
    last_commit: int
    first_seq: int
    last_seq: int
    rows: dict[str, int]
    digest_before: str
    digest: str
    file_bytes: int
    sha256: str
    sealed_ns: int
    first_segment: int = 0


def read_manifest(paths: Paths, number: int) -> Manifest | None:
    """None where the segment is not sealed. Raises JournalDamaged."""
    path = paths.manifest(number)
    try:
        return msgspec.json.decode(path.read_bytes(), type=Manifest)
    except FileNotFoundError:
        return None
    except UNREADABLE as error:
        raise JournalDamaged(f"{path} can not be read ({error}); restore the file") from error


def read_start(connection: Connection) -> ChainPoint:
    """Where the chain stood when the segment was made. Raises JournalDamaged."""
    rows = connection.execute("SELECT commits_before, seq_before, digest_before FROM segment").fetchall()
    if len(rows) != 1:
        raise JournalDamaged(f"a segment has {len(rows)} rows in its table `segment` instead of one; restore the file")
    return ChainPoint(*rows[0])


def created_ns(connection: Connection) -> int:
    return int(connection.execute("SELECT created_ns FROM segment").fetchall()[0][0])


def create(paths: Paths, number: int, genesis_id: str, start: ChainPoint, settings: JournalSettings) -> None:
    """A new, empty segment, complete or not there at all."""
    unfinished = paths.segments / f"{number:06d}.live.duckdb.new"
    unfinished.unlink(missing_ok=True)
    connection = database.open_writable(unfinished, settings)
    _create_schema(connection)
    connection.execute("INSERT INTO segment VALUES (?, ?, ?, ?, ?, ?)", [genesis_id, number, time.time_ns(), *start])
    connection.execute("CHECKPOINT")
    connection.close()
    _put_in_place(unfinished, paths.live(number))


def _create_schema(connection: Connection) -> None:
    connection.execute("; ".join(["BEGIN", *schema.table_statements(), *schema.view_statements(), "COMMIT"]))


def _put_in_place(unfinished: Path, path: Path) -> None:
    sync_file(unfinished)
    point("segment.before-rename")
    unfinished.replace(path)
    fsync_folder(path.parent)
    point("segment.after-rename")


# --- sealing ----------------------------------------------------------------------------------------------------------


def unsealed(paths: Paths, active: int) -> list[int]:
    """Segments that were rolled over, `active` being the one after them, and have no manifest yet.

    Those that were joined have no files of their own; where they are being removed the manifest goes last.
    """
    return [number for number in range(1, active) if not paths.manifest(number).exists() and _has_rows(paths, number)]


def _has_rows(paths: Paths, number: int) -> bool:
    return paths.live(number).exists() or paths.spanning(number, number).exists()


def seal(paths: Paths, number: int, settings: JournalSettings) -> Manifest:
    """Compacts a segment that nothing writes any more, verifies it, makes it read-only and states what it holds.

    Raises JournalError (JournalDamaged if its chain does not hold); what it was before is then still there.
    """
    try:
        return _seal(paths, number, settings)
    except (duckdb.Error, OSError) as error:
        raise JournalError(f"sealing {paths.segment(number)} failed: {one_line(error)}") from error


def _seal(paths: Paths, number: int, settings: JournalSettings) -> Manifest:
    unfinished = paths.segments / f"{number:06d}.duckdb.new"
    point("seal.before-compact")
    copy_rows([paths.segment(number)], unfinished, settings)
    point("seal.after-compact")
    manifest = describe(unfinished, number, settings)
    put_sealed(unfinished, paths.spanning(number, number))
    point("seal.before-manifest")
    write_manifest(paths, manifest)
    point("seal.after-manifest")
    remove_live(paths, number)
    return manifest


def put_sealed(unfinished: Path, path: Path) -> None:
    """Durably, as a file that nobody writes any more."""
    unfinished.chmod(0o444)
    _put_in_place(unfinished, path)


def write_manifest(paths: Paths, manifest: Manifest) -> None:
    content = msgspec.json.format(msgspec.json.encode(manifest), indent=2)
    write_durably(paths.manifest(manifest.segment), content + b"\n")


def remove_live(paths: Paths, number: int) -> None:
    """What a segment was appended to, once it is sealed."""
    paths.wal(number).unlink(missing_ok=True)
    paths.live(number).unlink(missing_ok=True)


def copy_rows(sources: Sequence[Path], target: Path, settings: JournalSettings) -> None:
    """Of segments that follow one another, into full row groups of one; small commits leave many small ones."""
    target.unlink(missing_ok=True)
    target.with_name(target.name + ".wal").unlink(missing_ok=True)  # of one that was killed
    with closing(database.for_copies(database.open_writable(target, settings))) as connection:
        _create_schema(connection)
        for at, path in enumerate(sources):
            connection.execute(f"ATTACH '{database.quoted(path)}' AS old{at} (READ_ONLY)")
        connection.execute("INSERT INTO segment SELECT * FROM old0.segment")
        for table in schema.TABLES:
            rows = " UNION ALL ".join(f"SELECT * FROM old{at}.{table}" for at in range(len(sources)))
            connection.execute(f"INSERT INTO {table} {rows}")
        for at in range(len(sources)):
            connection.execute(f"DETACH old{at}")
        connection.execute("CHECKPOINT")


def describe(path: Path, number: int, settings: JournalSettings) -> Manifest:
    """Reads a finished file back. Raises JournalDamaged if its chain does not hold."""
    with closing(database.open_read_only(path, settings)) as connection:
        start = read_start(connection)
        end = check_chain(connection, start, path.name)
        rows = count_rows(connection)
    return Manifest(
        segment=number,
        first_commit=start.commit_no + 1,
        last_commit=end.commit_no,
        first_seq=start.last_seq + 1,
        last_seq=end.last_seq,
        rows=rows,
        digest_before=start.digest.hex(),
        digest=end.digest.hex(),
        file_bytes=path.stat().st_size,
        sha256=sha256(path),
        sealed_ns=time.time_ns(),
    )


def count_rows(connection: Connection) -> dict[str, int]:
    query = ", ".join(f"(SELECT count(*) FROM {table})" for table in schema.TABLES)
    counts = connection.execute(f"SELECT {query}").fetchall()[0]
    return dict(zip(schema.TABLES, counts, strict=True))


def committed_rows(connection: Connection) -> dict[str, int]:
    """What the table `commits` says that the other tables hold."""
    query = ", ".join(f"coalesce(sum({table}), 0)::BIGINT" for table in schema.ROW_TABLES)
    counts = connection.execute(f"SELECT {query} FROM commits").fetchall()[0]
    return dict(zip(schema.ROW_TABLES, counts, strict=True))


def sha256(path: Path) -> str:
    """Of a sealed file; opening a live one here would drop DuckDB's lock on it."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
