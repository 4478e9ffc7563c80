"""Bakes a zone's transitions into the instruments, so that a journal explains its own days wherever it is replayed."""

from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from tradingd.instruments import NS, Instrument

FIRST, LAST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2040, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)


class UnknownZoneError(ValueError):
    """There is no such time zone on this host."""


def bake(instrument: Instrument) -> Instrument:
    """The same instrument with `session.utc_offsets` filled in. Raises UnknownZoneError."""
    session = instrument.session
    baked = msgspec.structs.replace(session, utc_offsets=utc_offsets(session.timezone))
    return msgspec.structs.replace(instrument, session=baked)


@cache
def utc_offsets(timezone: str) -> tuple[tuple[int, int], ...]:
    """(from_ns, offset_s) of each stretch from 1970 to 2040; empty for UTC. Raises UnknownZoneError."""
    zone = _zone(timezone)
    changes = [(FIRST, _offset(zone, FIRST))]
    day = FIRST
    while day < LAST:
        following = day + DAY
        offset = _offset(zone, following)
        if offset != changes[-1][1]:
            changes.append((_change(zone, day, following), offset))
        day = following
    pairs = tuple((int(at.timestamp()) * NS, round(offset.total_seconds())) for at, offset in changes)
    return () if pairs == ((0, 0),) else pairs


def _change(zone: ZoneInfo, before: datetime, after: datetime) -> datetime:
    """The first second of the later one of two offsets."""
    old = _offset(zone, before)
    while after - before > SECOND:
        middle = before + timedelta(seconds=(after - before) // SECOND // 2)
        before, after = (middle, after) if _offset(zone, middle) == old else (before, middle)
    return after


def _offset(zone: ZoneInfo, at: datetime) -> timedelta:
    offset = at.astimezone(zone).utcoffset()
    assert offset is not None
    return offset


def _zone(timezone: str) -> ZoneInfo:
    try:
        return ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise UnknownZoneError(
            f'unknown time zone "{timezone}"; names are as in "America/New_York", '
            "and a host without zone data needs: pip install 'tradingd[zones]'"
        ) from error
