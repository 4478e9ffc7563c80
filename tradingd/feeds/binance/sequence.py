"""What is wrong with ticks only in the light of those before them: ids, over all files of a feed, after the merge.

Trade ids go up by one. The recordings have no holes (USD-M numbers insurance-fund and auto-deleveraging trades too, and
sends them), so a hole is data that was missed. Update ids skip whatever did not move the best bid or ask, so their
holes mean nothing; one that does not go up is an old quote, or one seen before.
"""

import numpy as np

from tradingd.columns import I64, QUOTE, TRADE
from tradingd.events import Gap
from tradingd.feeds.binance.chunk import frame_rejection
from tradingd.feeds.rows import Rejection, Rows


class IdSequence:
    """Remembers the highest id of each instrument's trades and quotes."""

    def __init__(self, feed: str) -> None:
        self._feed = feed
        self._highest: dict[tuple[int, int], int] = {}

    def checked(self, rows: Rows) -> Rows:
        """The rows with repeated and old ones rejected, and with gaps."""
        rejections: dict[int, Rejection] = {}
        gaps = dict(rows.gaps)
        for kind in (TRADE, QUOTE):
            of_kind = np.flatnonzero(rows.columns["kind"] == kind)
            instruments = rows.columns["instrument"][of_kind]
            for instrument in np.unique(instruments).tolist():
                places = of_kind[instruments == instrument]
                before = self._highest_before(kind, instrument, rows.columns["venue_id"][places])
                rejections |= _stale(rows, places, before)
                if kind == TRADE:
                    gaps |= self._gaps(rows, places, before, instrument)
        return Rows(rows.columns, rows.rejected, gaps).rejecting(rejections)

    def _highest_before(self, kind: int, instrument: int, ids: I64) -> I64:
        """For each id the highest one before it; for the very first, the one that it should follow."""
        last = self._highest.get((kind, instrument), int(ids[0]) - 1)
        highest = np.maximum.accumulate(np.concatenate([[last], ids]))
        self._highest[kind, instrument] = int(highest[-1])
        return highest[:-1]

    def _gaps(self, rows: Rows, places: I64, before: I64, instrument: int) -> dict[int, Gap]:
        missed = rows.columns["venue_id"][places] - before - 1
        return {
            place: Gap(self._feed, instrument, count, f"trade ids {last + 1} to {last + count} are missing")
            for place, count, last in zip(
                places[missed > 0].tolist(), missed[missed > 0].tolist(), before[missed > 0].tolist(), strict=True
            )
        }


def _stale(rows: Rows, places: I64, before: I64) -> dict[int, Rejection]:
    stale = rows.columns["venue_id"][places] <= before
    kinds, ids, payloads = (rows.columns[name][places[stale]] for name in ("kind", "venue_id", "payload"))
    return {
        place: frame_rejection(payload, _reason(kind, venue_id, last))
        for place, kind, venue_id, payload, last in zip(
            places[stale].tolist(), kinds.tolist(), ids.tolist(), payloads, before[stale].tolist(), strict=True
        )
    }


def _reason(kind: int, venue_id: int, last: int) -> str:
    if kind == TRADE:
        return f"trade id {venue_id} was seen or passed already (last {last})"
    return f"book update {venue_id} is not newer than the last ({last})"
