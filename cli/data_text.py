"""What trade data prints."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .output import Mood, counted, styled, table

if TYPE_CHECKING:
    from tradingd.catalogue.adjust import Applied, Split
    from tradingd.catalogue.adjusting import Adjusted
    from tradingd.catalogue.check import Report
    from tradingd.catalogue.importing import Imported
    from tradingd.catalogue.records import Record
    from tradingd.catalogue.rolling import Done, Rolled

SOURCES_SHOWN = 2


def import_lines(done: "Sequence[Imported]") -> list[str]:
    return [line for each in done for line in _import_lines(each)]


def _import_lines(done: "Imported") -> list[str]:
    record = done.record
    size = f"{record.file_bytes / 1e6:,.1f} MB in {done.path}"
    what = f"{counted(record.rows, 'row')}, {_span(record)}, {size}"
    if not done.changed:
        what = f"nothing changed; {done.path} holds these rows already"
    lines = [f"{record.instrument} {record.name}: {what}"]
    if done.others:
        lines.append(
            f"  {counted(done.others, 'row')} of {done.read:,} left out: of another instrument or kind, or blank"
        )
    if done.rejections.count:
        lines.append(styled(f"  {counted(done.rejections.count, 'row')} of {done.read:,} rejected:", Mood.DOUBTFUL))
        lines += [f"  {number:,} x {reason}" for reason, number in sorted(done.rejections.reasons.items())]
        lines += [f"    {line}" for line in done.rejections.first]
    return lines


def ls_lines(folder: Path, records: "Sequence[Record]") -> list[str]:
    if not records:
        return [f"{folder} is empty; `trade data import` fills it"]
    head = ("instrument", "data", "rows", "from", "to", "MB", "source")
    rows = [
        (
            record.instrument,
            record.name,
            f"{record.rows:,}",
            _date(record.first_ts_ns),
            _date(record.last_ts_ns),
            f"{record.file_bytes / 1e6:,.1f}",
            _sources(record),
        )
        for record in records
    ]
    return table([head, *rows])


def check_lines(reports: "Sequence[Report]", limit: int | None) -> list[str]:
    return [line for report in reports for line in _check_lines(report, limit)]


def _check_lines(report: "Report", limit: int | None) -> list[str]:
    record = report.record
    session = f", session {report.session}" if report.session else ", around the clock (no session)"
    said = session if record.kind == "bars" else ""
    lines = [f"{record.instrument} {record.name}: {counted(record.rows, 'row')}, {_span(record)}{said}"]
    lines += _kind_lines(report, limit)
    if report.is_clean:
        return [*lines, f"  {styled('nothing found', Mood.GOOD)}{', notes only' if report.notes else ''}"]
    return lines


def _kind_lines(report: "Report", limit: int | None) -> list[str]:
    """A line per kind, findings before notes, and under it the first rows."""
    shown = report.shown(limit)
    lines = []
    for is_note, sums in ((False, report.findings), (True, report.notes)):
        for kind, number in sums.items():
            text = f"  {kind}: {counted(number, 'note' if is_note else 'finding')}"
            lines.append(text if is_note else styled(text, Mood.BAD))
            rows = [each for each in shown if (each.kind, each.note) == (kind, is_note)]
            lines += table((f"    row {each.row}", each.ts, each.text) for each in rows)
    return lines


def report_objects(reports: "Sequence[Report]", limit: int | None) -> list[dict[str, object]]:
    return [report.to_object(limit) for report in reports]


def roll_lines(done: "Done") -> list[str]:
    record = done.written.record
    state = "" if done.written.changed else ", as before"
    head = f"{record.instrument} {record.name}: {counted(record.rows, 'bar')}, {_span(record)}{state}"
    return [head, *(line for each in done.rolls for line in _rolled_lines(each))]


def _rolled_lines(rolled: "Rolled") -> list[str]:
    from tradingd.catalogue.findings import number, time_text

    line = f"  {time_text(rolled.at_ns)}  {rolled.old} to {rolled.new}"
    if rolled.pair_ts_ns is not None:
        closes = (
            f"closes of {number(rolled.old_close)} and {number(rolled.new_close)} at {time_text(rolled.pair_ts_ns)}"
        )
        ratio = f", ratio {rolled.ratio:.6g}" if rolled.ratio is not None else ""
        line += f": {closes}, difference {number(rolled.difference)}{ratio}"
    if not rolled.sessions_missed:
        return [line]
    ends = f"after {time_text(rolled.old_last_ns)}, when {rolled.old} ends"
    return [line, styled(f"    {counted(rolled.sessions_missed, 'session')} without a bar {ends}", Mood.DOUBTFUL)]


def adjust_lines(done: "Adjusted") -> list[str]:
    record = done.record
    changed = max(each.rows for each in done.applied)
    head = f"{record.instrument} {record.name}: {changed:,} of {counted(record.rows, 'bar')} adjusted"
    return [head, *table(_applied_row(each) for each in done.applied), f"the file from before is {done.kept}"]


def found_lines(found: "Sequence[Split]") -> list[str]:
    if not found:
        return ["no split is found; nothing changed"]
    return [*(f"--split {each.day}={each.ratio}" for each in found), "nothing changed; --yes takes all of them"]


def _applied_row(applied: "Applied") -> tuple[str, ...]:
    from tradingd.catalogue.findings import number

    what = f"split of {applied.split}" if applied.split else f"dividend of {number(applied.dividend)}"
    prices = f"{number(applied.previous_close)} then {number(applied.first_price)}"
    return f"  {applied.day}", what, prices, f"factor {applied.factor:.6g}"


def _span(record: "Record") -> str:
    return f"{_date(record.first_ts_ns)} to {_date(record.last_ts_ns)}"


def _date(ts_ns: int) -> str:
    """In UTC; the day is enough for a table."""
    from tradingd.catalogue.findings import time_text

    return time_text(ts_ns).partition(" ")[0]


def _sources(record: "Record") -> str:
    names = list(dict.fromkeys(source.file for source in record.sources))
    more = f" and {len(names) - SOURCES_SHOWN} more" if len(names) > SOURCES_SHOWN else ""
    steps = "".join(f", {name}" for name in dict.fromkeys(step.name for step in record.steps))
    return ", ".join(names[:SOURCES_SHOWN]) + more + steps
