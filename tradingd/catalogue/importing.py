"""Files into the catalogue."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from tradingd.catalogue.digests import file_sha256
from tradingd.catalogue.errors import CatalogueError, DataRefusedError
from tradingd.catalogue.names import check_instrument, data_name
from tradingd.catalogue.plan import Asked, Plan, plan_of
from tradingd.catalogue.reading import parts_of
from tradingd.catalogue.records import Record, Source
from tradingd.catalogue.shapes import SCHEMAS
from tradingd.catalogue.store import Catalogue, new_record
from tradingd.catalogue.tables import open_file

SHOWN = 5  # rejected rows that are told one by one


@dataclass(frozen=True, slots=True)
class Rejections:
    """What could not be read: the first rows as `file:line: reason: text`, and a count by reason."""

    first: list[str]
    reasons: dict[str, int]

    @property
    def count(self) -> int:
        return sum(self.reasons.values())


@dataclass(frozen=True, slots=True)
class Imported:
    record: Record
    path: Path
    changed: bool
    read: int
    others: int
    rejections: Rejections


def import_files(
    catalogue: Catalogue, files: Sequence[Path], instrument: str, asked: Asked, *, replace: bool, strict: bool
) -> Imported:
    """Rows of several files follow each other in the order of the files.

    Raises CatalogueError, DataRefusedError, OSError.
    """
    check_instrument(instrument)
    tally = Tally()
    read = [_read(path, asked, tally) for path in files]
    plans = [plan for plan, _, _ in read]
    _check_alike(plans, files)
    frame = pl.concat([rows for _, rows, _ in read])
    refuse_where(tally, frame, _names(files), strict=strict)
    sources = tuple(source for _, _, source in read)
    record = new_record(instrument, plans[0].kind, plans[0].timeframe, sources, plans[0].session_text)
    written = catalogue.write(record, frame, over=replace)
    others = sum(source.others for source in sources)
    read_rows = sum(source.rows + source.rejected + source.others for source in sources)
    return Imported(written.record, catalogue.path(record), written.changed, read_rows, others, tally.rejections())


class Tally:
    """Counts what is rejected and keeps the first rows."""

    def __init__(self) -> None:
        self.reasons: Counter[str] = Counter()
        self.first: list[str] = []

    def add(self, file: str, line: int, reason: str, text: str) -> None:
        self.reasons[reason] += 1
        if len(self.first) < SHOWN:
            self.first.append(f"{file}:{line}: {reason}: {text}" if text else f"{file}:{line}: {reason}")

    def rejections(self) -> Rejections:
        return Rejections(self.first, dict(self.reasons))


def refuse_where(tally: Tally, frame: pl.DataFrame, files: str, *, strict: bool) -> None:
    """Raises DataRefusedError for no rows, and for rejected ones where there may be none."""
    count = sum(tally.reasons.values())
    first = f"; the first: {tally.first[0]}" if tally.first else ""
    if frame.is_empty():
        why = (
            f"all {count:,} were rejected{first}"
            if count
            else "no row is this instrument's, or of this kind, or there are none"
        )
        raise DataRefusedError(f"nothing to import from {files}: {why}{_hint(tally)}")
    if strict and count:
        raise DataRefusedError(f"{count:,} rows of {files} were rejected, and --strict allows none{first}")


def _names(files: Sequence[Path]) -> str:
    return files[0].name if len(files) == 1 else f"{files[0].name} and {len(files) - 1} more"


def _hint(tally: Tally) -> str:
    if any("is no time" in reason for reason in tally.reasons):
        return "; --ts-format says how times are written, like %m/%d/%Y or ms"
    return ""


def _read(path: Path, asked: Asked, tally: Tally) -> tuple[Plan, pl.DataFrame, Source]:
    table = open_file(path, asked.format)
    plan = plan_of(asked, path, table.columns)
    frames, rejected, others = [SCHEMAS[plan.kind].to_frame()], 0, 0
    try:
        for part in parts_of(table, plan, path.name):
            frames.append(part.frame)
            others += part.others
            rejected += len(part.rejected)
            for each in part.rejected:
                tally.add(path.name, *each)
    except CatalogueError as error:
        raise CatalogueError(f"{path}: {error}") from error
    frame = pl.concat(frames)
    return plan, frame, _source(path, plan, len(frame), rejected, others)


def _source(path: Path, plan: Plan, rows: int, rejected: int, others: int) -> Source:
    return Source(
        file=path.name,
        bytes=path.stat().st_size,
        sha256=file_sha256(path),
        format=plan.format,
        columns={role: name for role, name in plan.columns.items() if not role.startswith("_")},
        ts_format=plan.ts_format,
        timezone=plan.timezone,
        stamp=plan.stamp,
        where=", ".join("=".join(each) for each in plan.where) or None,
        rows=rows,
        rejected=rejected,
        others=others,
    )


def _check_alike(plans: Sequence[Plan], files: Sequence[Path]) -> None:
    names = [data_name(plan.kind, plan.timeframe) for plan in plans]
    for name, path in zip(names, files, strict=True):
        if name != names[0]:
            raise CatalogueError(f"{path} holds {name}, {files[0]} {names[0]}; import them one after the other")
