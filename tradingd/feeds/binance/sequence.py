"""What is wrong with ticks only in the light of those before them: ids, over all files of a feed, after the merge.

Trade ids go up by one. The recordings have no holes (USD-M numbers insurance-fund and auto-deleveraging trades too, and
sends them), so a hole is data that was missed. Update ids skip whatever did not move the best bid or ask, so their
holes mean nothing; one that does not go up is an old quote, or one seen before.
"""

from collections.abc import Mapping

import numpy as np

from tradingd.columns import I64, QUOTE, TRADE
from tradingd.events import Gap
from tradingd.feeds.binance.chunk import frame_rejection
from tradingd.feeds.binance.ids import Ids, Looked
from tradingd.feeds.rows import Rejection, Rows

# All symbols of USD-M share one count of updates: some 33,000 a second over the years, forty times that in bursts.
PER_S_MAX = {TRADE: 10_000, QUOTE: 1_500_000}


class IdSequence:
    """Remembers the ids of each instrument's trades and quotes."""

    def __init__(self, feed: str) -> None:
        self._feed = feed
        self._ids: dict[tuple[int, int], Ids] = {}

    def checked(self, rows: Rows, faults: Mapping[int, str]) -> Rows:
        """The rows with faulty, repeated, old and leaping ones rejected, and with gaps.

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
                ids, times_ns = (rows.columns[name][places] for name in ("venue_id", "ts_received_ns"))
                seen = self._ids.setdefault((kind, instrument), Ids(PER_S_MAX[kind]))
                looked = _at(places, seen.look(ids, times_ns, faulty[places]))
                rejections |= _stale(rows, looked) | _leaping(rows, looked)
                if kind == TRADE:
                    gaps |= self._gaps(rows, looked)
        return Rows(rows.columns, rows.rejected, gaps).rejecting(rejections)

    def _gaps(self, rows: Rows, looked: Looked) -> dict[int, Gap]:
        places, before = looked.believed, looked.before
        ids = rows.columns["venue_id"][places]
        missed = ids - before - 1 - looked.faulty_before
        return {
            int(places[i]): Gap(
                feed=self._feed,
                instrument=int(rows.columns["instrument"][places[i]]),
                missed=int(missed[i]),
                detail=f"trade ids from {before[i] + 1} to {ids[i] - 1}",
            )
            for i in np.flatnonzero(missed > 0)
        }


def _at(places: I64, looked: Looked) -> Looked:
    """Places among all rows."""
    return looked._replace(believed=places[looked.believed], leaping=places[looked.leaping])


def _stale(rows: Rows, looked: Looked) -> dict[int, Rejection]:
    kinds, ids, payloads = (rows.columns[name][looked.believed] for name in ("kind", "venue_id", "payload"))
    return {
        int(looked.believed[i]): frame_rejection(
            payloads[i], _reason(int(kinds[i]), int(ids[i]), int(looked.before[i]))
        )
        for i in np.flatnonzero(ids <= looked.before)
    }


def _leaping(rows: Rows, looked: Looked) -> dict[int, Rejection]:
    kinds, ids, payloads = (rows.columns[name][looked.leaping] for name in ("kind", "venue_id", "payload"))
    return {
        int(row): frame_rejection(payloads[i], _leap(int(kinds[i]), int(ids[i]), int(looked.before_leap[i])))
        for i, row in enumerate(looked.leaping)
    }


def _reason(kind: int, venue_id: int, last: int) -> str:
    if kind == TRADE:
        return f"trade id {venue_id} was seen or passed already (last {last})"
    return f"book update {venue_id} is not newer than the last ({last})"


def _leap(kind: int, venue_id: int, last: int) -> str:
    name = "trade id" if kind == TRADE else "book update"
    return f"{name} {venue_id} leaps ahead of the last ({last}); believed only if the next one follows it"
