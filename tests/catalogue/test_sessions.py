"""Sessions as text, as days and as counts of bars."""

from datetime import UTC, date, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradingd.catalogue.errors import CatalogueError
from tradingd.catalogue.sessions import days_of, offsets_s, parse_session, session_text

NEW_YORK = "mon-fri/09:30-16:00@America/New_York"
MINUTE_NS = 60 * 10**9


def ns(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 10**9


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        (NEW_YORK, NEW_YORK),
        ("mon-fri", "mon-fri/00:00-00:00@UTC"),
        ("sun-thu/17:00-17:00", "sun-thu/17:00-17:00@UTC"),
        ("09:30-16:00@Europe/Berlin", "mon-sun/09:30-16:00@Europe/Berlin"),
        ("@America/New_York", "mon-sun/00:00-00:00@America/New_York"),
        ("mon,wed,fri/10:00-11:00", "mon,wed,fri/10:00-11:00@UTC"),
        ("sat", "sat-sat/00:00-00:00@UTC"),
    ],
)
def test_text_is_read_and_written(text: str, whole: str) -> None:
    assert session_text(parse_session(text)) == whole
    assert parse_session(whole) == parse_session(text)


@pytest.mark.parametrize("text", ["", "weekdays", "mon-fri/9:30-16:00", "mon/25:00-26:00", "mon-xyz", "10:00"])
def test_what_is_no_session_is_said(text: str) -> None:
    with pytest.raises(CatalogueError, match="is no session"):
        parse_session(text)


def test_an_unknown_zone_is_said() -> None:
    with pytest.raises(CatalogueError, match="unknown time zone"):
        parse_session("mon-fri@Mars/Olympus")


@given(st.sets(st.integers(0, 6), min_size=1))
def test_any_days_come_back(days: set[int]) -> None:
    names = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
    session = parse_session(",".join(names[day] for day in days))
    assert session.days == tuple(sorted(days))
    assert parse_session(session_text(session)) == session


def test_days_follow_the_clocks_of_their_zone() -> None:
    """New York went to daylight saving on Sunday 2020-03-08."""
    table = days_of(parse_session(NEW_YORK), ns("2020-03-06"), ns("2020-03-10")).table.filter("open")
    opens = dict(zip(table["open_date"], table["open_ns"], strict=True))
    assert opens[date(2020, 3, 6)] == ns("2020-03-06 14:30")
    assert opens[date(2020, 3, 9)] == ns("2020-03-09 13:30")
    assert date(2020, 3, 7) not in opens


def test_a_session_over_midnight_closes_on_the_next_date() -> None:
    table = days_of(parse_session("sun-thu/17:00-17:00@America/New_York"), ns("2020-01-05"), ns("2020-01-07")).table
    row = table.filter(open_date=date(2020, 1, 5)).row(0, named=True)
    assert (row["close_date"], row["open_ns"], row["open"]) == (date(2020, 1, 6), ns("2020-01-05 22:00"), True)
    calendar = days_of(parse_session("@UTC"), ns("2020-01-05"), ns("2020-01-06")).table
    assert (calendar["open_date"] == calendar["close_date"]).all()


def test_there_is_a_session_wherever_one_looks() -> None:
    """A Tuesday, for whoever trades on Saturdays."""
    tuesday = ns("2020-01-07 12:00")
    days = days_of(parse_session("sat"), tuesday, tuesday)
    assert days.holds(np.array([tuesday, tuesday + 4 * 86_400 * 10**9])).tolist() == [False, True]


@given(st.integers(0, ns("2030-01-01")), st.sampled_from(["mon-sun", "08:00-08:00"]))
def test_what_never_closes_is_open_at_any_time(ts_ns: int, text: str) -> None:
    session = parse_session(text)
    assert session.never_closes and session.is_open(ts_ns)


@pytest.mark.parametrize("text", ["mon-fri", "09:30-16:00", NEW_YORK, "mon-sun@Europe/London"])
def test_of_a_session_that_may_close_nothing_is_promised(text: str) -> None:
    assert not parse_session(text).never_closes


@given(st.integers(ns("2020-01-01"), ns("2020-12-31")))
def test_a_time_is_inside_where_the_session_says_so(ts_ns: int) -> None:
    session = parse_session(NEW_YORK)
    days = days_of(session, ts_ns, ts_ns)
    assert days.holds(np.array([ts_ns])).tolist() == [session.is_open(ts_ns)]
    assert offsets_s(np.array([ts_ns]), session).tolist() == [session.offset_s(ts_ns)]


@given(
    st.lists(st.integers(ns("2020-03-01") // MINUTE_NS, ns("2020-03-20") // MINUTE_NS), min_size=2, max_size=2).map(
        sorted
    )
)
def test_bars_between_two_minutes_are_counted_one_by_one(borders: list[int]) -> None:
    session = parse_session(NEW_YORK)
    start, stop = (minute * MINUTE_NS for minute in borders)
    days = days_of(session, start, stop)
    before = days.bars_before(np.array([start, stop]), MINUTE_NS)
    assert before[1] - before[0] == sum(session.is_open(ts_ns) for ts_ns in range(start, stop, MINUTE_NS))
