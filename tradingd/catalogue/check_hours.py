"""Rules over the times of day: what a wrong zone, a wrong end of the bar or a wrong timeframe leaves behind."""

from collections.abc import Iterator

import numpy as np

from tradingd.catalogue.findings import Found, Limits, where
from tradingd.catalogue.sessions import Days, offsets_s
from tradingd.columns import I64
from tradingd.instruments import DAY_NS, NS, Session

HOUR_S = 3600
NIGHT_NS = 4 * HOUR_S * NS  # between two bars: a day begins after it


def hour_rules(
    opened: I64, length_ns: int | None, session: Session | None, days: Days | None, limits: Limits
) -> list[Found]:
    if length_ns is None:
        return list(_outside_days(opened, days))
    found = list(where("grid", opened % length_ns != 0, lambda _: "opens off the multiples of the timeframe"))
    if session is not None and days is not None:
        found += _outside(opened, length_ns, days, limits)
    return found + list(_beginnings(opened, session, limits))


def _outside_days(opened: I64, days: Days | None) -> Iterator[Found]:
    if days is not None:
        yield from where("outside", ~days.holds(opened), lambda _: "a day on which no session opens")


def _outside(opened: I64, length_ns: int, days: Days, limits: Limits) -> Iterator[Found]:
    """A bar that holds the opening belongs to the session. Few bars outside are extended hours, many a wrong zone."""
    outside = ~(days.holds(opened) | days.holds(opened + length_ns - 1))
    share = float(outside.mean())
    hint = _end_hint(opened, length_ns, days)
    text = f"outside of the session, as are {share:.1%} of the bars{hint}"
    yield from where("outside", outside, lambda _: text, is_note=share < limits.hours_share and not hint)


def _end_hint(opened: I64, length_ns: int, days: Days) -> str:
    """Where most days have bars outside: whether nearly all would be inside if every bar were moved by one."""
    outside = ~days.holds(opened)
    if len(np.unique(opened[outside] // DAY_NS)) < len(np.unique(opened // DAY_NS)) / 2:
        return ""
    for shift, end in ((length_ns, "close"), (-length_ns, "open")):
        moved = ~days.holds(opened + shift)
        if moved.sum() < 0.1 * outside.sum():
            return f"; one bar {'later' if shift > 0 else 'earlier'} they were inside: is --stamp {end} wrong?"
    return ""


def _beginnings(opened: I64, session: Session | None, limits: Limits) -> Iterator[Found]:
    """Days that begin whole hours before or after most days, local time: zones were mixed, or the wrong one was given.

    A day begins after four hours without a bar. Seen in UTC, where no session says better, daylight saving looks like
    this too, so that it is a note.
    """
    zone = session or Session()
    rows = np.flatnonzero(np.diff(opened, prepend=opened[:1]) >= NIGHT_NS)
    if len(rows) < 20:
        return
    local_s = opened[rows] // NS + offsets_s(opened[rows], zone)
    of_day = local_s % (DAY_NS // NS)
    values, numbers = np.unique(of_day, return_counts=True)
    usual = int(values[np.argmax(numbers)])
    hours = (of_day - usual) % HOUR_S == 0
    moved = hours & (of_day != usual)
    if numbers.max() < 0.4 * len(rows) or moved.sum() < limits.hours_share * len(rows):
        return
    odd = np.zeros(len(opened), np.bool_)
    odd[rows[moved]] = True
    clock = dict(zip(rows.tolist(), of_day.tolist(), strict=True))
    yield from where(
        "hours",
        odd,
        lambda row: (
            f"the day begins at {_clock(clock[row])} {zone.timezone}, most begin at {_clock(usual)}: "
            "another zone, or clocks that were changed?"
        ),
        is_note=session is None,
    )


def _clock(second: int) -> str:
    return f"{second // HOUR_S:02d}:{second % HOUR_S // 60:02d}"
