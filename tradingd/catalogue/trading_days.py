"""Dates that people write, as moments: where a trading day begins."""

from datetime import date, timedelta

import polars as pl

from tradingd.catalogue.errors import CatalogueError
from tradingd.catalogue.records import Record
from tradingd.catalogue.sessions import days_of, parse_session
from tradingd.columns import I64
from tradingd.instruments import DAY_NS, DAY_S, Session

_EPOCH = date(1970, 1, 1)


def parse_date(text: str) -> date:
    """Raises CatalogueError."""
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise CatalogueError(f"{text!r} is no date; write it as 2014-06-09") from error


def session_of(records: list[Record], text: str | None) -> Session:
    """As the command line says it, else that of all records. Raises CatalogueError where there is none, or several."""
    texts = [text] if text else sorted({record.session or "" for record in records})
    if len(texts) > 1:
        raise CatalogueError(f"the instruments have several sessions ({', '.join(filter(None, texts))}); say --session")
    if not texts[0]:
        raise CatalogueError("a date needs a session: --session mon-fri/09:30-16:00@America/New_York, or @UTC")
    return parse_session(texts[0])


def day_start_ns(session: Session, day: date) -> int:
    """The opening of a session that runs over midnight, else midnight: what trades before hours is of the day too."""
    at = (day - _EPOCH).days * DAY_NS
    table = days_of(_whole(session), at, at).table
    return int(table.filter(pl.col("open_date") == day)["open_ns"].item())


def next_day_ns(session: Session, day: date) -> int:
    return day_start_ns(session, day + timedelta(days=1))


def day_starts_ns(session: Session, opened: I64) -> pl.Series:
    """Of the day of each bar, by its opening."""
    days = days_of(_whole(session), int(opened.min()), int(opened.max())).table.select("open_ns")
    bars = pl.DataFrame({"ts_open_ns": opened})
    joined = bars.join_asof(days, left_on="ts_open_ns", right_on="open_ns", check_sortedness=False, coalesce=False)
    return joined["open_ns"]


def local_date(session: Session, ts_ns: int) -> date:
    """Of the day that a bar is of, by its opening."""
    days = days_of(_whole(session), ts_ns, ts_ns).table
    found: date = days.filter(pl.col("open_ns") <= ts_ns)["open_date"][-1]
    return found


def missed_sessions(session: Session, from_ns: int, to_ns: int) -> int:
    """How many of them lie between two moments as a whole."""
    days = days_of(session, from_ns, to_ns)
    return int(((days.opens >= from_ns) & (days.closes <= to_ns)).sum())


def _whole(session: Session) -> Session:
    over_midnight = session.open_s + session.length_s > DAY_S
    return session if over_midnight else parse_session(f"@{session.timezone}")
