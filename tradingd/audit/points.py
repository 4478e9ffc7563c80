"""Places in a journal as people write them: SEQ, SEQ.N, or a time, which means core time."""

import re
from datetime import UTC, datetime
from typing import NamedTuple

from tradingd.audit.errors import AuditError
from tradingd.journal.reader import JournalReader

_POSITION = re.compile(r"(\d{1,18})(?:\.(\d{1,9}))?")
_TIME = re.compile(r"(\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d)?)(?:\.(\d{1,9}))?\s*(Z|UTC|[+-]\d\d:?\d\d)?")
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Position(NamedTuple):
    seq: int
    n: int = 0

    def __str__(self) -> str:
        return f"{self.seq}.{self.n}" if self.n else str(self.seq)


def parse_position(text: str) -> Position:
    """SEQ or SEQ.N. Raises AuditError."""
    match = _POSITION.fullmatch(text)
    if match is None:
        raise AuditError(f"{text!r} is no position; write SEQ, or SEQ.N as `trade journal tail` shows it")
    return Position(int(match[1]), int(match[2] or 0))


def parse_time_ns(text: str) -> int:
    """Nanoseconds since 1970 of an ISO time with up to nine decimals; UTC without an offset. Raises AuditError."""
    match = _TIME.fullmatch(text)
    try:
        whole = datetime.fromisoformat(match[1] + _offset(match[3])) if match else None
    except ValueError:
        whole = None
    if match is None or whole is None:
        raise AuditError(f"{text!r} is no time; write it as 2025-03-03T10:00:00-05:00, or without an offset for UTC")
    elapsed = whole.astimezone(UTC) - EPOCH
    return (elapsed.days * 86_400 + elapsed.seconds) * 10**9 + int((match[2] or "").ljust(9, "0"))


def parse_date_ns(text: str) -> int:
    """As `parse_time_ns`, of a date alone its beginning in UTC. Raises AuditError."""
    return parse_time_ns(f"{text}T00:00" if _DATE.fullmatch(text) else text)


def _offset(text: str | None) -> str:
    return "+00:00" if text in (None, "Z", "UTC") else str(text)


def time_text(ts_ns: int) -> str:
    """UTC, with as many decimals (in threes) as it takes."""
    seconds, ns = divmod(ts_ns, 10**9)
    decimals = f"{ns:09d}"
    while decimals.endswith("000"):
        decimals = decimals[:-3]
    when = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{when}.{decimals}Z" if decimals else f"{when}Z"


def seq_at(reader: JournalReader, point: str | None) -> int:
    """The last input that belongs to a point: SEQ itself, the last one of core time <= TIME, or the newest one.

    Raises AuditError for a point before the first input or after the last.
    """
    last = reader.last_seq
    if last == 0:
        raise AuditError("nothing can be read: the journal is empty, or a writer has not sealed its first segment yet")
    if point is None:
        return last
    seq = int(point) if point.isdecimal() else _last_by(reader, parse_time_ns(point), last)
    if not 1 <= seq <= last:
        raise AuditError(f"{point} is outside of what can be read of this journal: seq 1 to {last}")
    return seq


def first_seq_at(reader: JournalReader, point: str | None) -> int:
    """The first input that a point begins with: SEQ itself, the first one of core time >= TIME, or the first of all.

    Raises AuditError for a point before the first input or after the last.
    """
    if point is None or point.isdecimal():
        return seq_at(reader, point or "1")
    last = seq_at(reader, None)
    return seq_at(reader, str(_last_by(reader, parse_time_ns(point) - 1, last) + 1))


def _last_by(reader: JournalReader, ts_ns: int, last: int) -> int:
    """Core time is the running maximum of receive times, so the first input after a time ends what belongs to it."""
    found = reader.sql(
        f"SELECT min(seq) FROM (SELECT seq FROM ticks WHERE ts_received_ns > {ts_ns} "
        f"UNION ALL SELECT seq FROM facts WHERE n = 0 AND ts_received_ns > {ts_ns})"
    ).item()
    return last if found is None else int(found) - 1
