"""What no row's time may be: one absurd time would make every later row late, or stop the clock that timers follow.

The time of a rejected row is not believed either: it takes that of the row before it.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import numpy as np

from tradingd.columns import I64
from tradingd.feeds.checks import Mask
from tradingd.feeds.rows import REJECTED, UNKNOWN_NS, Rejection, Rows, filled_times
from tradingd.feeds.settings import RecordedSettings
from tradingd.instruments import DAY_NS, NS

EARLIEST_NS = 315_532_800 * NS  # 1980-01-01: no market data is older, and what is not a date is 1970
OUTSIDE = "time is before 1980 or more than a day after now"
APART = "event and receive time are further apart than time_error_s_max"
AHEAD = "time is further ahead of the rows around it than time_error_s_max"

Text = Callable[[int], str]  # a row as it stood in its file


class TimeLimits(NamedTuple):
    latest_ns: int
    error_ns: int


def time_limits(settings: RecordedSettings, now_ns: int) -> TimeLimits:
    return TimeLimits(now_ns + DAY_NS, int(settings.time_error_s_max * NS))


def checked_times(pieces: Iterable[tuple[Rows, Text]], limits: TimeLimits) -> Iterator[Rows]:
    """The rows of one file, those with an absurd time rejected. A piece waits for the next: how does time go on?"""
    check = _Check(limits)
    held: tuple[Rows, Text] | None = None
    for piece in pieces:
        if not len(piece[0]):
            continue
        if held is not None:
            yield check.checked(*held, next_ns=int(piece[0].columns["ts_received_ns"][0]))
        held = piece
    if held is not None:
        yield check.checked(*held, next_ns=None)


class _Check:
    """Goes over one file, piece by piece."""

    def __init__(self, limits: TimeLimits) -> None:
        self._limits = limits
        self._last_ns: int | None = None
        self._wrong_ns = np.empty(0, np.int64)

    def checked(self, rows: Rows, text: Text, next_ns: int | None) -> Rows:
        found = dict(self._faults(rows, next_ns))
        if found or len(self._wrong_ns):
            rejected = rows.columns["kind"] == REJECTED
            new = {row: why for row, why in found.items() if not rejected[row]}
            rows = self._refilled(rows.rejecting({row: Rejection(why, text(row)) for row, why in new.items()}), found)
        self._last_ns = int(rows.columns["ts_received_ns"][-1])
        return rows

    def _faults(self, rows: Rows, next_ns: int | None) -> Iterator[tuple[int, str]]:
        """Every row of an absurd time with its reason; also rows that are rejected already, for other reasons."""
        received, event = rows.columns["ts_received_ns"], rows.columns["ts_event_ns"]
        sound = rows.columns["kind"] != REJECTED
        # the weakest reason first, since a later one replaces it
        for reason, mask in (
            (AHEAD, self._ahead(received, next_ns)),
            (APART, sound & (abs(received - event) > self._limits.error_ns)),
            (OUTSIDE, self._outside(received) | sound & self._outside(event)),
        ):
            yield from ((row, reason) for row in np.flatnonzero(mask).tolist())

    def _outside(self, times_ns: I64) -> Mask:
        return (times_ns < EARLIEST_NS) | (times_ns > self._limits.latest_ns)

    def _ahead(self, times_ns: I64, next_ns: int | None) -> Mask:
        """Rows of one time from which the next time goes back to where the one before it was. A time that nothing goes
        back from is no outlier: history has weekends, and years between two sessions."""
        before = times_ns[0] if self._last_ns is None else self._last_ns
        after = times_ns[-1] if next_ns is None else next_ns
        line = np.concatenate([[before], times_ns, [after]])
        if (line[:-1] - line[1:]).max() <= self._limits.error_ns:
            return np.zeros(len(times_ns), np.bool_)
        return _peaks(line, self._limits.error_ns)[1:-1]

    def _refilled(self, rows: Rows, found: dict[int, str]) -> Rows:
        """Absurd times, and copies of them that rows without a time were given, become the last time before them."""
        times_ns = rows.columns["ts_received_ns"]
        wrong_ns = times_ns[list(found)]
        copied = (rows.columns["kind"] == REJECTED) & np.isin(times_ns, np.concatenate([self._wrong_ns, wrong_ns]))
        self._wrong_ns = wrong_ns
        filled = filled_times(np.where(copied, UNKNOWN_NS, times_ns), self._last_ns)
        return Rows(rows.columns | {"ts_received_ns": filled}, rows.rejected, rows.gaps)


def _peaks(line: I64, error_ns: int) -> Mask:
    """Runs of one time that are ahead of the times on both sides, where those two are close to each other."""
    starts = np.flatnonzero(np.diff(line, prepend=line[0] - 1))
    before, peak, after = line[starts[:-2]], line[starts[1:-1]], line[starts[2:]]
    found = (peak - before > error_ns) & (peak - after > error_ns) & (abs(after - before) <= error_ns)
    is_peak = np.zeros(len(starts), np.bool_)
    is_peak[1:-1] = found
    return np.repeat(is_peak, np.diff(np.append(starts, len(line))))
