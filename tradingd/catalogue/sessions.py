"""When an instrument trades: read from a line of text, laid out day by day, and counted in bars."""

import re
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl

from tradingd.catalogue.errors import CatalogueError
from tradingd.columns import I64
from tradingd.config.zones import UnknownZoneError, utc_offsets
from tradingd.instruments import DAY_NS, DAY_S, NS, Session

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
FORM = "mon-fri/09:30-16:00@America/New_York, or a part of it"
_HOURS = re.compile(r"(?P<open>([01]\d|2[0-3]):[0-5]\d)-(?P<close>([01]\d|2[0-3]):[0-5]\d)")


def parse_session(text: str, timezone: str | None = None) -> Session:
    """[DAYS/][OPEN-CLOSE][@ZONE]: all days, around the clock, and `timezone` or UTC where nothing else is said.

    Raises CatalogueError.
    """
    body, _, zone = text.strip().partition("@")
    named, hours = body.split("/", 1) if "/" in body else ("", body) if body[:1].isdecimal() else (body, "")
    days, match = _days(named), _HOURS.fullmatch(hours or "00:00-00:00")
    if match is None or days is None or not text.strip():
        raise CatalogueError(f"{text!r} is no session; write it as {FORM}")
    zone = zone or timezone or "UTC"
    return Session(zone, match["open"], match["close"], days, _offsets(zone))


def session_text(session: Session) -> str:
    """As `parse_session` reads it."""
    first = next((day for day in session.days if (day - 1) % 7 not in session.days), 0)
    last = (first + len(session.days) - 1) % 7
    days = f"{WEEKDAYS[first]}-{WEEKDAYS[last]}"
    if _days(days) != session.days:
        days = ",".join(WEEKDAYS[day] for day in session.days)
    return f"{days}/{session.open}-{session.close}@{session.timezone}"


def _days(text: str) -> tuple[int, ...] | None:
    """Of mon-fri, or mon,wed,fri; all of them where none is named, None where a name is none."""
    found: set[int] = set()
    for part in (text or "mon-sun").split(","):
        first, _, last = part.partition("-")
        if first not in WEEKDAYS or (last or first) not in WEEKDAYS:
            return None
        start, stop = WEEKDAYS.index(first), WEEKDAYS.index(last or first)
        found.update((start + step) % 7 for step in range((stop - start) % 7 + 1))
    return tuple(sorted(found))


def _offsets(zone: str) -> tuple[tuple[int, int], ...]:
    try:
        return utc_offsets(zone)
    except UnknownZoneError as error:
        raise CatalogueError(str(error)) from error


@dataclass(frozen=True)
class Days:
    """Sessions in order; `open` says whether the session trades on that weekday.

    Columns of `table`: open_ns, close_ns, open_date, close_date (local, of the last moment), open.
    """

    table: pl.DataFrame

    @cached_property
    def opens(self) -> I64:
        return self._trading["open_ns"].to_numpy()

    @cached_property
    def closes(self) -> I64:
        return self._trading["close_ns"].to_numpy()

    @cached_property
    def _trading(self) -> pl.DataFrame:
        return self.table.filter("open")

    def holds(self, ts_ns: I64) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        """Whether a session trades then."""
        last = np.searchsorted(self.opens, ts_ns, side="right") - 1
        return (last >= 0) & (ts_ns < self.closes[np.maximum(last, 0)])

    def bars_before(self, ts_ns: I64, length_ns: int | None) -> I64:
        """How many bars of a length open in sessions before a time; None: bars that last a session."""
        if length_ns is None:
            return np.searchsorted(self.opens, ts_ns, side="left").astype(np.int64)
        counts = -((self.opens - self.closes) // length_ns)
        before = np.concatenate([[0], np.cumsum(counts)])
        last = np.searchsorted(self.opens, ts_ns, side="right") - 1
        inside = -((self.opens[last] - ts_ns) // length_ns)
        return np.where(last < 0, 0, before[last] + np.clip(inside, 0, counts[last])).astype(np.int64)


def days_of(session: Session, first_ns: int, last_ns: int) -> Days:
    """Every session that may touch [first_ns, last_ns], and a week on both sides, so that one at least trades."""
    first, last = (ts_ns // DAY_NS for ts_ns in (first_ns, last_ns))
    rows = [_day(session, day) for day in range(first - 8, last + 9)]
    names = {
        "open_ns": pl.Int64,
        "close_ns": pl.Int64,
        "open_date": pl.Int32,
        "close_date": pl.Int32,
        "open": pl.Boolean,
    }
    table = pl.DataFrame(rows, schema=names, orient="row")
    return Days(table.with_columns(pl.col("open_date", "close_date").cast(pl.Date)))


def _day(session: Session, day: int) -> tuple[int, int, int, int, bool]:
    """The session that opens on a local date.

    Half a day after its opening is within a day of it, whatever the clocks do.
    """
    local_ns = (day * DAY_S + session.open_s + DAY_S // 2) * NS
    open_ns, close_ns = session.bounds(local_ns - session.offset_s(local_ns) * NS)
    return open_ns, close_ns, day, _local_day(session, close_ns - 1), (day + 3) % 7 in session.days


def _local_day(session: Session, ts_ns: int) -> int:
    return (ts_ns // NS + session.offset_s(ts_ns)) // DAY_S


def offsets_s(ts_ns: I64, session: Session) -> I64:
    """Seconds that local time is ahead of UTC, as `Session.offset_s` has them."""
    if not session.utc_offsets:
        return np.zeros(len(ts_ns), np.int64)
    since, offsets = np.array(session.utc_offsets, np.int64).T
    return np.where(ts_ns < since[0], 0, offsets[np.searchsorted(since, ts_ns, side="right") - 1])
