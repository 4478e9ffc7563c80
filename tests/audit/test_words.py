"""Positions and times as people write them, and events in plain words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradingd.audit import words
from tradingd.audit.errors import AuditError
from tradingd.audit.points import Position, parse_position, parse_time_ns, time_text
from tradingd.events import BODY_TYPES


def test_every_type_of_event_has_words() -> None:
    assert {kind.__name__ for kind in words._WORDS} == set(BODY_TYPES)


@given(st.integers(0, 4_000_000_000 * 10**9))
def test_a_time_is_read_as_it_is_written(ts_ns: int) -> None:
    assert parse_time_ns(time_text(ts_ns)) == ts_ns


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("1970-01-01T00:00:01Z", 10**9),
        ("1970-01-01 00:00:01.5", 1_500_000_000),
        ("1970-01-01T01:00+01:00", 0),
        ("1969-12-31T19:00:00.000000001-0500", 1),
    ],
)
def test_times(text: str, ns: int) -> None:
    assert parse_time_ns(text) == ns


@pytest.mark.parametrize("text", ["", "10:00", "2025-03-03", "2025-13-01T00:00", "2025-03-03T10:00:00.1234567890"])
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(AuditError, match="is no time"):
        parse_time_ns(text)


@given(st.integers(0, 10**12), st.integers(0, 10**6))
def test_a_position_is_read_as_it_is_written(seq: int, n: int) -> None:
    assert parse_position(str(Position(seq, n))) == (seq, n)


@pytest.mark.parametrize("text", ["", "x", "1.", ".1", "1.2.3", "-1", "1,5"])
def test_what_is_no_position(text: str) -> None:
    with pytest.raises(AuditError, match="is no position"):
        parse_position(text)
