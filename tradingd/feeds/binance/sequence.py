"""What is wrong with ticks only in the light of those before them: ids, over all files of a feed, after the merge.

Trade ids go up by one. The recordings have no holes (USD-M numbers insurance-fund and auto-deleveraging trades too, and
sends them), so a hole is data that was missed. Update ids skip whatever did not move the best bid or ask, so their
holes mean nothing; one that does not go up is an old quote, or one seen before.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tradingd.columns import I64, QUOTE, TRADE
from tradingd.events import Gap
from tradingd.feeds.binance.chunk import frame_rejection
from tradingd.feeds.checks import Mask
from tradingd.feeds.rows import Rejection, Rows


@dataclass(slots=True)
class _Mark:
    """The highest id of one instrument's trades or quotes, and how many faulty ones came after it."""

    highest: int
    faulty_since: int = 0


class IdSequence:
    """Remembers the ids of each instrument's trades and quotes."""

    def __init__(self, feed: str) -> None:
        self._feed = feed
        self._marks: dict[tuple[int, int], _Mark] = {}

    def checked(self, rows: Rows, faults: Mapping[int, str]) -> Rows:
        """The rows with faulty, repeated and old ones rejected, and with gaps.

        The id of a faulty row is not believed, but a faulty trade is not a missing one.
        """
        payloads = rows.columns["payload"]
        rejections = {row: frame_rejection(payloads[row], reason) for row, reason in faults.items()}
        faulty = np.zeros(len(rows), np.bool_)
        faulty[list(faults)] = True
        gaps = dict(rows.gaps)
        for kind in (TRADE, QUOTE):
            of_kind = np.flatnonzero(rows.columns["kind"] == kind)
            instruments = rows.columns["instrument"][of_kind]
            for instrument in np.unique(instruments).tolist():
                places = of_kind[instruments == instrument]
                sound, before, faulty_before = self._sound(kind, instrument, rows, places, faulty[places])
                rejections |= _stale(rows, sound, before)
                if kind == TRADE:
                    gaps |= self._gaps(rows, sound, before, faulty_before)
        return Rows(rows.columns, rows.rejected, gaps).rejecting(rejections)

    def _sound(self, kind: int, instrument: int, rows: Rows, places: I64, faulty: Mask) -> tuple[I64, I64, I64]:
        """Places of the rows that are not faulty; for each the highest id before it, and the faulty rows since then."""
        sound = places[~faulty]
        faulty_until = np.cumsum(faulty)
        if not len(sound):
            if (kind, instrument) in self._marks:
                self._marks[kind, instrument].faulty_since += len(places)
            return sound, sound, sound
        ids = rows.columns["venue_id"][sound]
        mark = self._marks.get((kind, instrument), _Mark(int(ids[0]) - 1))
        highest = np.maximum.accumulate(np.concatenate([[mark.highest], ids]))
        counts = np.concatenate([[-mark.faulty_since], faulty_until[~faulty]])
        self._marks[kind, instrument] = _Mark(int(highest[-1]), int(faulty_until[-1] - counts[-1]))
        return sound, highest[:-1], np.diff(counts)

    def _gaps(self, rows: Rows, places: I64, before: I64, faulty_before: I64) -> dict[int, Gap]:
        ids = rows.columns["venue_id"][places]
        missed = ids - before - 1 - faulty_before
        return {
            int(places[i]): Gap(
                feed=self._feed,
                instrument=int(rows.columns["instrument"][places[i]]),
                missed=int(missed[i]),
                detail=f"trade ids from {before[i] + 1} to {ids[i] - 1}",
            )
            for i in np.flatnonzero(missed > 0)
        }


def _stale(rows: Rows, places: I64, before: I64) -> dict[int, Rejection]:
    kinds, ids, payloads = (rows.columns[name][places] for name in ("kind", "venue_id", "payload"))
    return {
        int(places[i]): frame_rejection(payloads[i], _reason(int(kinds[i]), int(ids[i]), int(before[i])))
        for i in np.flatnonzero(ids <= before)
    }


def _reason(kind: int, venue_id: int, last: int) -> str:
    if kind == TRADE:
        return f"trade id {venue_id} was seen or passed already (last {last})"
    return f"book update {venue_id} is not newer than the last ({last})"
