"""All rules over one piece of data."""

from typing import NamedTuple

import polars as pl

from tradingd.catalogue.check_bars import bar_rules
from tradingd.catalogue.check_ticks import tick_rules
from tradingd.catalogue.findings import Finding, Found, Limits, counts, shown
from tradingd.catalogue.records import Record
from tradingd.catalogue.sessions import offsets_s, parse_session, session_text
from tradingd.catalogue.shapes import DAY, Kind, time_column
from tradingd.instruments import DAY_S, NS, Session


class Report(NamedTuple):
    """`session` is the one that bars were checked against, None for around the clock; `found` holds everything."""

    record: Record
    session: str | None
    found: list[Found]
    frame: pl.DataFrame

    @property
    def is_clean(self) -> bool:
        return not any(self.findings)

    @property
    def findings(self) -> dict[str, int]:
        return counts(self.found)[0]

    @property
    def notes(self) -> dict[str, int]:
        return counts(self.found)[1]

    def shown(self, limit: int | None) -> list[Finding]:
        """The first ones of each kind, None = all, in words."""
        return shown(self.found, self.frame[time_column(self.record.kind)].to_numpy(), limit)

    def to_object(self, limit: int | None) -> dict[str, object]:
        """For JSON: stable keys."""
        return {
            "instrument": self.record.instrument,
            "name": self.record.name,
            "rows": len(self.frame),
            "session": self.session,
            "findings": self.findings,
            "notes": self.notes,
            "shown": self.shown(limit),
        }


def check(record: Record, frame: pl.DataFrame, session: str | None, limits: Limits) -> Report:
    """`session` as people write it; else the record's. Raises CatalogueError."""
    text = session or record.session
    parsed = parse_session(text) if text else None
    if record.kind is not Kind.BARS or record.timeframe is None:
        return Report(record, None, tick_rules(frame, record.kind, limits), frame)
    if session is None and record.timeframe == DAY and parsed is not None:
        parsed = _without_weekends(parsed, frame)
    found = bar_rules(frame, record.timeframe, parsed, limits)
    return Report(record, session_text(parsed) if parsed else None, found, frame)


def _without_weekends(session: Session, frame: pl.DataFrame) -> Session:
    """Whoever imports days says their zone and seldom their weekdays: where no day is on a weekend, none is missed."""
    opened = frame["ts_open_ns"].to_numpy()
    weekday = ((opened // NS + offsets_s(opened, session)) // DAY_S + 3) % 7
    if len(session.days) < 7 or (weekday >= 5).any():
        return session
    return parse_session(f"mon-fri/{session.open}-{session.close}@{session.timezone}")
