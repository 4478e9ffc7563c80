"""The catalogue's folder: one folder per instrument, in it Parquet files and their records."""

import difflib
import fcntl
import hashlib
import io
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import msgspec
import polars as pl
from msgspec.structs import replace

from tradingd.catalogue.digests import content_sha256
from tradingd.catalogue.errors import CatalogueError, DataDamagedError, DataRefusedError
from tradingd.catalogue.names import check_instrument, folder_name, is_data, parse_name
from tradingd.catalogue.records import FORMAT, Record, Source, Step
from tradingd.catalogue.shapes import SCHEMAS, Kind, end_column, time_column, timeframe_ns
from tradingd.journal.folder import fsync_folder, make_folder, write_durably


class Written(NamedTuple):
    """`changed` is False where the same rows were there already."""

    record: Record
    changed: bool


class Catalogue:
    """Reads and writes one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def records(self) -> list[Record]:
        """All of them by instrument, kind and length. Raises CatalogueError, DataDamagedError."""
        if not self.folder.is_dir():
            raise CatalogueError(f"there is no catalogue {self.folder}; `trade data import` makes one")
        files = self.folder.glob("*/*.json")
        return sorted((_read_record(file) for file in files if is_data(file.stem)), key=_place)

    def of(self, instrument: str) -> list[Record]:
        """Raises CatalogueError where there is nothing of it."""
        check_instrument(instrument)
        records = self.records()
        found = [record for record in records if record.instrument == instrument]
        if not found:
            raise CatalogueError(f"{self.folder} has nothing of {instrument}; {_suggested(instrument, records)}")
        return found

    def record(self, instrument: str, name: str) -> Record:
        """Of a name as people write it: 1m, trades. Raises CatalogueError."""
        wanted, found = parse_name(name), self.of(instrument)
        for record in found:
            if record.name == wanted:
                return record
        there = ", ".join(record.name for record in found)
        raise CatalogueError(f"{self.folder} has no {wanted} of {instrument}; it has {there}")

    def path(self, record: Record) -> Path:
        return self.folder / folder_name(record.instrument) / f"{record.name}.parquet"

    def read(self, record: Record) -> pl.DataFrame:
        """The rows, as they were written. Raises DataDamagedError."""
        path = self.path(record)
        try:
            content = path.read_bytes()
        except FileNotFoundError as error:
            raise DataDamagedError(f"{path} is missing; import it again with --replace") from error
        if hashlib.sha256(content).hexdigest() != record.file_sha256:
            raise DataDamagedError(f"{path} is not what its record describes; import it again with --replace")
        return pl.read_parquet(io.BytesIO(content))

    def bars(self, instrument: str, timeframe: str) -> pl.DataFrame:
        """Raises CatalogueError, DataDamagedError."""
        return self.read(self.record(instrument, timeframe))

    def write(self, record: Record, frame: pl.DataFrame, *, over: bool = False) -> Written:
        """Puts rows and their record in place; the same rows change nothing, unless the record names another session.
        `over` other rows, or another session, only where asked.

        Raises CatalogueError, OSError.
        """
        record, content = described(record, frame), _parquet(frame)
        with self._locked(record.instrument) as folder:
            there = self._there(record, over)
            if there is not None and _says_as_much(there, record) and self._is_whole(there):
                return Written(there, changed=False)
            if there is not None and not over:
                raise CatalogueError(_occupied(self.folder, there, record))
            return Written(_put(folder, record, content), changed=True)

    def amend(self, before: Record, frame: pl.DataFrame, steps: Sequence[Step]) -> tuple[Record, Path]:
        """Other rows of the same data; the former file and record are kept beside, under the path that comes back."""
        record = described(before.after(steps), frame)
        with self._locked(before.instrument) as folder:
            kept = _keep(folder, before.name)
            return _put(folder, record, _parquet(frame)), kept

    def _there(self, record: Record, over: bool) -> Record | None:
        """What is in its place; a damaged record counts as nothing where it is to be replaced."""
        file = self.path(record).with_suffix(".json")
        try:
            return _read_record(file) if file.exists() else None
        except DataDamagedError:
            if over:
                return None
            raise

    def _is_whole(self, record: Record) -> bool:
        path = self.path(record)
        return path.exists() and hashlib.sha256(path.read_bytes()).hexdigest() == record.file_sha256

    @contextmanager
    def _locked(self, instrument: str) -> Iterator[Path]:
        """One writer at a time: a file and its record belong together."""
        folder = self.folder / folder_name(instrument)
        make_folder(folder)
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            yield folder
        finally:
            os.close(fd)


def new_record(
    instrument: str, kind: Kind, timeframe: str | None, sources: tuple[Source, ...], session: str | None = None
) -> Record:
    """Without what only the rows can say."""
    check_instrument(instrument)
    return Record(
        instrument=instrument,
        kind=kind,
        timeframe=timeframe,
        session=session,
        rows=0,
        first_ts_ns=0,
        last_ts_ns=0,
        sources=sources,
    )


def described(record: Record, frame: pl.DataFrame) -> Record:
    """The record with what the rows say. Raises DataRefusedError where there are none."""
    if frame.is_empty():
        raise DataRefusedError(f"no rows of {record.instrument} {record.name} are left; nothing is written")
    assert frame.schema == SCHEMAS[record.kind], frame.schema
    first, last = frame[time_column(record.kind)].min(), frame[end_column(record.kind)].max()
    assert isinstance(first, int)
    assert isinstance(last, int)
    return replace(record, rows=len(frame), first_ts_ns=first, last_ts_ns=last, content_sha256=content_sha256(frame))


def _put(folder: Path, record: Record, content: bytes) -> Record:
    record = replace(record, file_bytes=len(content), file_sha256=hashlib.sha256(content).hexdigest())
    write_durably(folder / f"{record.name}.parquet", content)
    write_durably(folder / f"{record.name}.json", msgspec.json.format(msgspec.json.encode(record)) + b"\n")
    return record


def _keep(folder: Path, name: str) -> Path:
    """Links of the file and its record under the next free number."""
    number = 1
    while (folder / f"{name}.before-{number}.parquet").exists():
        number += 1
    for suffix in ("json", "parquet"):
        (folder / f"{name}.before-{number}.{suffix}").hardlink_to(folder / f"{name}.{suffix}")
    fsync_folder(folder)
    return folder / f"{name}.before-{number}.parquet"


def _parquet(frame: pl.DataFrame) -> bytes:
    content = io.BytesIO()
    frame.write_parquet(content, compression="zstd")
    return content.getvalue()


def _read_record(file: Path) -> Record:
    try:
        record = msgspec.json.decode(file.read_bytes(), type=Record)
    except msgspec.DecodeError as error:
        raise DataDamagedError(
            f"{file} is no record of a catalogue ({error}); import it again with --replace"
        ) from error
    if record.format > FORMAT:
        raise CatalogueError(f"{file} was written by a newer version: it has format {record.format}, and this {FORMAT}")
    return record


def _place(record: Record) -> tuple[str, Kind, int]:
    return record.instrument, record.kind, timeframe_ns(record.timeframe) if record.timeframe else 0


def _suggested(instrument: str, records: list[Record]) -> str:
    ids = sorted({record.instrument for record in records})
    near = difflib.get_close_matches(instrument, ids, n=3)
    if near:
        return f"did you mean {' or '.join(near)}?"
    return f"it has {', '.join(ids[:10])}{' ...' if len(ids) > 10 else ''}" if ids else "it is empty"


def _says_as_much(there: Record, record: Record) -> bool:
    """The same rows, of the same session if one is named."""
    return there.content_sha256 == record.content_sha256 and record.session in (None, there.session)


def _occupied(folder: Path, there: Record, record: Record) -> str:
    if there.content_sha256 == record.content_sha256 and not _says_as_much(there, record):
        session = f"session {there.session}" if there.session else "no session"
        of = f"{there.instrument} {there.name}"
        return f"{folder} holds these rows of {of} with {session}; --replace records {record.session}"
    steps = f", after {' and '.join(step.name for step in there.steps)}" if there.steps else ""
    return (
        f"{folder} holds {there.rows:,} other rows of {there.instrument} {there.name}{steps}; "
        f"--replace puts these {record.rows:,} in their place"
    )
