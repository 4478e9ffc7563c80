"""A journal's tables as files for other tools: whole commits, one file per segment and table, and what proves them.

A segment at a time, streamed: memory is bounded however long the journal is. The chain is recomputed before a segment
is written out, so what is exported is what was committed.
"""

from collections.abc import Iterator
from contextlib import closing
from enum import StrEnum
from pathlib import Path

import duckdb
import polars as pl
from msgspec import Struct

from tradingd.audit.errors import AuditError
from tradingd.journal import segments
from tradingd.journal.chain import ChainPoint, check_chain
from tradingd.journal.copying import sync_file
from tradingd.journal.database import NO_BAR, OFFLINE, Connection, quoted
from tradingd.journal.errors import JournalDamaged, one_line
from tradingd.journal.folder import fsync_folder, make_folder, write_durably
from tradingd.journal.reader import JournalReader
from tradingd.journal.schema import TABLES
from tradingd.journal.settings import JournalSettings

SUMS = "SHA256SUMS"
BINARY = {"frames": "payload", "commits": "digest"}  # columns that text can not hold


class Form(StrEnum):
    PARQUET = "parquet"
    ARROW = "arrow"
    CSV = "csv"


class ExportedFile(Struct, frozen=True):
    name: str
    rows: int
    bytes: int
    sha256: str


class Export(Struct):
    """`digest_before` and `digest` are the chain's around the commits that are in the files."""

    journal_id: str
    genesis: str
    live: bool
    first_commit: int
    last_commit: int
    first_seq: int
    last_seq: int
    digest_before: str
    digest: str
    files: list[ExportedFile]


class _Part(Struct, frozen=True):
    """What is taken of one segment."""

    number: int
    before: ChainPoint
    first_seq: int
    last_seq: int


def export(
    reader: JournalReader, folder: Path, form: Form, first_seq: int, last_seq: int, settings: JournalSettings
) -> Export:
    """The commits that hold `first_seq` to `last_seq`. SHA256SUMS comes last: without it an export is not complete.

    Raises AuditError where there is nothing or the folder is not empty, JournalDamaged at the first fault, OSError.
    """
    if first_seq > last_seq:
        raise AuditError(f"seq {first_seq} comes after seq {last_seq}; begin before the end")
    if folder.exists() and any(folder.iterdir()):
        raise AuditError(f"{folder} is not empty; name a folder that is")
    make_folder(folder)
    files: list[ExportedFile] = []
    points: list[tuple[ChainPoint, ChainPoint]] = []
    for number, path in reader.files():
        with closing(_connect(path, folder, settings)) as connection:
            part = _part_of(connection, number, first_seq, last_seq)
            if part is not None:
                points.append((part.before, check_chain(connection, part.before, path.name, to_seq=part.last_seq)))
                files += _write(connection, part, folder, form)
    if not points:
        raise AuditError(f"no commit that can be read holds seq {first_seq} to {last_seq}")
    done = _described(reader, files, points[0][0], points[-1][1])
    write_durably(folder / SUMS, _sums(done).encode())
    return done


def _connect(path: Path, folder: Path, settings: JournalSettings) -> Connection:
    """Reaches the segment and the folder, and no other file, whatever a segment's views would like."""
    limits: dict[str, str | int] = {
        "threads": settings.threads,
        "memory_limit": f"{settings.memory_mb}MB",
        "temp_directory": "",
    }
    connection = duckdb.connect(config={**OFFLINE, **limits})
    try:
        connection.execute(f"{NO_BAR}; ATTACH '{quoted(path)}' AS journal (READ_ONLY); USE journal")
        connection.execute(f"SET allowed_directories = ['{quoted(folder.absolute())}/']")
        connection.execute("SET enable_external_access = false; SET lock_configuration = true")
    except duckdb.Error as error:
        connection.close()
        raise JournalDamaged(f"{path} can not be read ({one_line(error)}); see `trade verify`") from error
    return connection


def _part_of(connection: Connection, number: int, first_seq: int, last_seq: int) -> _Part | None:
    chosen = "FROM commits WHERE last_seq >= ? AND first_seq <= ?"
    query = f"SELECT min(first_seq), max(last_seq) {chosen}"
    first, last = connection.execute(query, [first_seq, last_seq]).fetchall()[0]
    if first is None:
        return None
    earlier = "SELECT commit_no, last_seq, digest FROM commits WHERE last_seq = ?"
    found = connection.execute(earlier, [first - 1]).fetchall()
    before = ChainPoint(*found[0]) if found else segments.read_start(connection)
    return _Part(number, before, first, last)


# --- files ------------------------------------------------------------------------------------------------------------


def _write(connection: Connection, part: _Part, folder: Path, form: Form) -> Iterator[ExportedFile]:
    for table in TABLES:
        path = folder / f"{part.number:06d}.{table}.{form.value}"
        rows = _copy(connection, _query(table, part, form), path, form)
        sync_file(path)
        yield ExportedFile(path.name, rows, path.stat().st_size, segments.sha256(path))
    fsync_folder(folder)


def _query(table: str, part: _Part, form: Form) -> str:
    column = BINARY.get(table)
    columns = f"* REPLACE (lower(hex({column})) AS {column})" if column and form is Form.CSV else "*"
    name = "first_seq" if table == "commits" else "seq"
    return f"SELECT {columns} FROM {table} WHERE {name} BETWEEN {part.first_seq} AND {part.last_seq}"


def _copy(connection: Connection, query: str, path: Path, form: Form) -> int:
    """In the order of the table, which is that of the commits; how many rows."""
    if form is Form.CSV:
        return _copied(connection, query, path, "FORMAT csv, HEADER")
    if form is Form.PARQUET:
        return _copied(connection, query, path, "FORMAT parquet, COMPRESSION zstd")
    passing = path.with_suffix(".parquet")  # DuckDB writes no Arrow files, and polars streams from this one
    rows = _copied(connection, query, passing, "FORMAT parquet")
    pl.scan_parquet(passing).sink_ipc(path, compression="zstd")
    passing.unlink()
    return rows


def _copied(connection: Connection, query: str, path: Path, options: str) -> int:
    (row,) = connection.execute(f"COPY ({query}) TO '{quoted(path.absolute())}' ({options})").fetchall()
    return int(row[0])


# --- proof ------------------------------------------------------------------------------------------------------------


def _described(reader: JournalReader, files: list[ExportedFile], before: ChainPoint, end: ChainPoint) -> Export:
    return Export(
        journal_id=reader.id,
        genesis=reader.identity.genesis,
        live=reader.is_live,
        first_commit=before.commit_no + 1,
        last_commit=end.commit_no,
        first_seq=before.last_seq + 1,
        last_seq=end.last_seq,
        digest_before=before.digest.hex(),
        digest=end.digest.hex(),
        files=files,
    )


def _sums(done: Export) -> str:
    """As `sha256sum -c` takes it; lines that begin with # are none of its."""
    lines = [f"{file.sha256}  {file.name}" for file in done.files]
    lines += [
        f"# journal {done.journal_id}, genesis {done.genesis}",
        f"# commits {done.first_commit} to {done.last_commit}, seq {done.first_seq} to {done.last_seq}",
        f"# digest before {done.digest_before}",
        f"# digest after {done.digest}",
    ]
    return "\n".join([*lines, ""])
