"""Ids of one instrument's trades or quotes as they come: which are old, which leap ahead, and what each came after."""

from typing import NamedTuple

import numpy as np

from tradingd.columns import I64
from tradingd.feeds.checks import Mask
from tradingd.instruments import NS

SLACK_S = 10


class Looked(NamedTuple):
    """Places of the rows whose ids are believed and of those that leap; of both, the highest id before each.

    faulty_before   of the believed, how many rows since the last one were not
    """

    believed: I64
    before: I64
    faulty_before: I64
    leaping: I64
    before_leap: I64


class Ids:
    """An id that is further ahead than `per_s_max` ids for each second since the last one leaps: it is believed only
    when the next one goes on from there. The first id of all can be judged by the next alone: if that is far below, the
    first one was the odd one.
    """

    def __init__(self, per_s_max: int) -> None:
        self._per_s_max = per_s_max
        self._highest: int | None = None
        self._last_ns = 0
        self._suspect: int | None = None
        self._is_first = True  # nothing has followed the first id yet
        self._faulty_since = 0

    def look(self, ids: I64, times_ns: I64, faulty: Mask) -> Looked:
        """Rows in order, with their receive times; the ids of faulty ones are not believed."""
        sound = np.flatnonzero(~faulty)
        before, leaps = self._walked(ids[sound], times_ns[sound])
        believed, leaping = sound[~leaps], sound[leaps]
        unbelieved = faulty.copy()
        unbelieved[leaping] = True
        until = np.cumsum(unbelieved)
        counts = np.concatenate([[-self._faulty_since], until[believed]])
        self._faulty_since = int(until[-1] - counts[-1])
        return Looked(believed, before[~leaps], np.diff(counts), leaping, before[leaps])

    def _walked(self, ids: I64, times_ns: I64) -> tuple[I64, Mask]:
        """(before, leaps). The first two ids of all one by one, the others at once where nothing leaps."""
        alone = 2 if self._is_first else 0
        first, rest = self._stepped(ids[:alone], times_ns[:alone]), self._at_once(ids[alone:], times_ns[alone:])
        return np.concatenate([first[0], rest[0]]), np.concatenate([first[1], rest[1]])

    def _at_once(self, ids: I64, times_ns: I64) -> tuple[I64, Mask]:
        if self._suspect is not None or not len(ids) or self._highest is None:
            return self._stepped(ids, times_ns)
        highest = np.maximum.accumulate(np.concatenate([[self._highest], ids]))
        if (ids - highest[:-1]).max() > self._per_s_max * SLACK_S:
            return self._stepped(ids, times_ns)
        self._highest, self._last_ns = int(highest[-1]), int(times_ns[-1])
        return highest[:-1], np.zeros(len(ids), np.bool_)

    def _stepped(self, ids: I64, times_ns: I64) -> tuple[I64, Mask]:
        steps = [self._step(*row) for row in zip(ids.tolist(), times_ns.tolist(), strict=True)]
        return np.array([step[0] for step in steps], np.int64), np.array([step[1] for step in steps], np.bool_)

    def _step(self, venue_id: int, ts_ns: int) -> tuple[int, bool]:
        """One id: the highest before it, and whether it leaps."""
        before = self._before(venue_id)
        step_max = self._per_s_max * (SLACK_S + max(ts_ns - self._last_ns, 0) // NS)
        confirmed = self._suspect is not None and 0 < venue_id - self._suspect <= step_max
        if venue_id - before > step_max and not confirmed:
            self._suspect = venue_id
            return before, True
        self._suspect = None
        self._highest, self._last_ns = max(before, venue_id), ts_ns
        return before, False

    def _before(self, venue_id: int) -> int:
        if self._highest is None:
            return venue_id - 1
        is_odd = self._is_first and self._highest - venue_id > self._per_s_max * SLACK_S
        self._is_first = False
        return venue_id - 1 if is_odd else self._highest
