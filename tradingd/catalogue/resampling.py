"""Data of the catalogue to longer bars in it."""

from typing import NamedTuple

from tradingd.catalogue.errors import DataRefusedError
from tradingd.catalogue.findings import time_text
from tradingd.catalogue.names import parse_name
from tradingd.catalogue.records import Step
from tradingd.catalogue.resample import Resampled, resample
from tradingd.catalogue.sessions import parse_session, session_text
from tradingd.catalogue.shapes import Kind
from tradingd.catalogue.store import Catalogue, Written, new_record


class Done(NamedTuple):
    written: Written
    before: int
    made: Resampled
    lines: list[str]


def resample_data(
    catalogue: Catalogue,
    instrument: str,
    source: str,
    target: str,
    session: str | None,
    *,
    keep_partial: bool,
    replace: bool,
) -> Done:
    """`source` is a timeframe, trades or quotes. Raises CatalogueError, DataRefusedError, DataDamagedError, OSError."""
    record = catalogue.record(instrument, parse_name(source))
    text = session or record.session
    parsed = parse_session(text) if text else None
    made = resample(catalogue.read(record), record.kind, record.timeframe, target, parsed, keep_partial=keep_partial)
    if made.bars.is_empty():
        raise DataRefusedError(f"{instrument} {record.name} fill no bar of {target}{_why(made)}; nothing is written")
    step = Step(
        name="resample",
        parameters={"from": record.name, "content_sha256": record.content_sha256, "keep_partial": keep_partial},
        rows_before=record.rows,
        rows_after=len(made.bars),
    )
    new = new_record(instrument, Kind.BARS, target, record.sources, session_text(parsed) if parsed else None)
    written = catalogue.write(new.after([*record.steps, step]), made.bars, over=replace)
    return Done(written, record.rows, made, _told(made, keep_partial))


def _why(made: Resampled) -> str:
    if made.partial:
        return f", only parts of those of {', '.join(map(time_text, made.partial))} (--keep-partial keeps them)"
    return f": {made.outside:,} rows are outside of the session or across a border"


def _told(made: Resampled, keep_partial: bool) -> list[str]:
    """What did not become part of a bar, or of a whole one."""
    lines = []
    if made.outside:
        lines.append(f"  {made.outside:,} rows outside of the session or across a border make no bar")
    if made.ineligible:
        lines.append(f"  {made.ineligible:,} ticks that are not to be traded on, or without a price, make no bar")
    if made.partial:
        kept = "kept" if keep_partial else "left out (--keep-partial keeps them)"
        lines.append(f"  partial bars {kept}: {', '.join(map(time_text, made.partial))}")
    return lines
