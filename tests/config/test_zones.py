"""Baked offsets say what the zone says, at any moment and to the second around each change."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradingd.config.zones import UnknownZoneError, bake, utc_offsets
from tradingd.instruments import NS, AssetClass, Instrument, Session

ZONES = [
    "America/New_York",
    "Europe/London",
    "Asia/Tokyo",
    "Australia/Lord_Howe",
    "Africa/Casablanca",
    "America/Sao_Paulo",
]


def true_offset_s(zone: str, ts_s: int) -> int:
    offset = datetime.fromtimestamp(ts_s, UTC).astimezone(ZoneInfo(zone)).utcoffset()
    assert offset is not None
    return round(offset.total_seconds())


@given(st.sampled_from(ZONES), st.integers(0, int(datetime(2040, 1, 1, tzinfo=UTC).timestamp()) - 1))
def test_any_moment_has_the_offset_of_its_zone(zone: str, ts_s: int) -> None:
    assert Session(zone, utc_offsets=utc_offsets(zone)).offset_s(ts_s * NS) == true_offset_s(zone, ts_s)


@pytest.mark.parametrize("zone", ZONES)
def test_every_change_is_right_to_the_second(zone: str) -> None:
    for from_ns, offset_s in utc_offsets(zone)[1:]:
        assert true_offset_s(zone, from_ns // NS) == offset_s
        assert true_offset_s(zone, from_ns // NS - 1) != offset_s


SESSIONS = [("09:30", "16:00"), ("17:00", "17:00"), ("00:00", "00:00"), ("22:30", "02:15")]


def bounds_of(session: Session, ts_s: int) -> tuple[int, int]:
    """By the offset of each of the two moments alone."""
    local_s = ts_s + session.offset_s(ts_s * NS)
    opening_s = (local_s - session.open_s) // 86_400 * 86_400 + session.open_s
    return utc_of(session, opening_s), utc_of(session, opening_s + session.length_s)


def utc_of(session: Session, local_s: int) -> int:
    guess_s = local_s - session.offset_s(local_s * NS)
    return local_s - session.offset_s(guess_s * NS)


@given(st.sampled_from(ZONES), st.sampled_from(SESSIONS), st.data())
def test_bounds_are_right_near_a_change_of_the_clock_and_far_from_it(
    zone: str, hours: tuple[str, str], data: st.DataObject
) -> None:
    session = Session(zone, *hours, utc_offsets=utc_offsets(zone))
    change_s = data.draw(st.sampled_from([from_ns // NS for from_ns, _ in session.utc_offsets[1:]] or [0]))
    ts_s = change_s + data.draw(st.integers(-8 * 86_400, 8 * 86_400))
    assert session.bounds(ts_s * NS) == tuple(s * NS for s in bounds_of(session, ts_s))


def test_utc_needs_no_offsets() -> None:
    assert utc_offsets("UTC") == ()


def test_a_new_york_session_moves_with_daylight_saving() -> None:
    session = Session("America/New_York", "09:30", "16:00")
    instrument = bake(Instrument("X:Y", AssetClass.EQUITY, 0.01, 1, "USD", session=session))
    for day, hour in ((datetime(2025, 3, 7, 20, tzinfo=UTC), 14), (datetime(2025, 3, 10, 19, tzinfo=UTC), 13)):
        open_ns, close_ns = instrument.session.bounds(int(day.timestamp()) * NS)
        assert datetime.fromtimestamp(open_ns / NS, UTC) == day.replace(hour=hour, minute=30)
        assert close_ns - open_ns == int(6.5 * 3600) * NS


@pytest.mark.parametrize("zone", ["America/New_Yrok", "", "/etc/passwd", "../UTC", "New York"])
def test_an_unknown_zone_is_said(zone: str) -> None:
    with pytest.raises(UnknownZoneError, match="unknown time zone"):
        utc_offsets(zone)
