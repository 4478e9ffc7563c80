"""Positions and times as people write them, and events in plain words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from world import SETTINGS

from tradingd.audit import words
from tradingd.audit.errors import AuditError
from tradingd.audit.points import Position, parse_position, parse_time_ns, time_text
from tradingd.audit.runs import Names
from tradingd.events import BODY_TYPES, Decision, OrderRequested, OrdType, Side, TimeInForce


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


NAMES = Names(SETTINGS, ())


def ordered(ord_type: OrdType, **fields: float | None) -> str:
    order = OrderRequested(
        cl_ord_id="o",
        instrument=0,
        side=Side.BUY,
        quantity=2.0,
        ord_type=ord_type,
        time_in_force=TimeInForce.GTC,
        **fields,
    )
    return words.in_words(order, NAMES)


def test_the_prices_of_orders_and_decisions_are_named() -> None:
    assert ordered(OrdType.MARKET, stop_loss=90.0) == "buy 2 SIM:ALFA at market, for decision, stop 90"
    assert ordered(OrdType.LIMIT, price=99.0) == "buy 2 SIM:ALFA at limit 99, for decision"
    assert ordered(OrdType.STOP_LIMIT, price=99.0, stop_px=98.0) == "buy 2 SIM:ALFA at stop 98, limit 99, for decision"
    trailing = ordered(OrdType.TRAILING_STOP, stop_px=98.0, trail=2.0)
    assert trailing == "buy 2 SIM:ALFA at stop 98, for decision, trailing by 2"
    decision = Decision(0, 1.0, 100.0, ("a",), "one", limit=99.0, trigger=101.0, trail=2.0)
    assert words.in_words(decision, NAMES).endswith("(one), limit 99, trigger 101, trail 2")
