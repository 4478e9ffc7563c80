"""What a feed says of itself when it is done: rows by kind and how far the clocks are apart."""

import numpy as np

from tradingd.columns import BAR_CLOSE, BAR_KINDS, I64, KIND_NAMES
from tradingd.feeds.rows import REJECTED, Rows

EVERY = 16  # rows between two whose clocks are compared: bounds the memory of the median


class Report:
    def __init__(self) -> None:
        self.counts = dict.fromkeys((*KIND_NAMES, REJECTED), 0)
        self.gaps = self.told = 0
        self._drifts: list[I64] = []

    def add(self, rows: Rows) -> None:
        kinds = rows.columns["kind"]
        for kind in self.counts:
            self.counts[kind] += int(np.count_nonzero(kinds == kind))
        self.gaps += len(rows.gaps)
        self.told += len(rows.told)
        drift = rows.columns["ts_received_ns"] - rows.columns["ts_event_ns"]
        self._drifts.append(drift[(drift != 0) & (kinds != REJECTED)][::EVERY])

    def text(self) -> str:
        """Such as "3 rows: 2 trades, 1 quotes, 0 frames, 0 rejected; 0 gaps; clock drift -1.270 s"."""
        told = {kind: name for kind, name in KIND_NAMES.items() if kind not in BAR_KINDS}
        kinds = ", ".join(f"{self.counts[kind]} {name.lower()}s" for kind, name in told.items())
        total = sum(self.counts.values())
        if bars := self.counts[BAR_CLOSE]:
            rates = f", {self.told} funding rates" if self.told else ""
            return f"{total} rows: {bars} bars{rates}, {self.counts[REJECTED] - self.told} rejected"
        return f"{total} rows: {kinds}, {self.counts[REJECTED]} rejected; {self.gaps} gaps; {self._drift()}"

    def _drift(self) -> str:
        """Only rows that have both times tell anything."""
        drifts = np.concatenate([*self._drifts, np.empty(0, np.int64)])
        if not len(drifts):
            return "no clock drift known"
        return f"clock drift {np.median(drifts) / 1e9:.3f} s (median of received - event)"
