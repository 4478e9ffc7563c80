"""The market as the scan kernel leaves it: one row per instrument, in arrays that kernels write and risk reads."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from tradingd.columns import F64, I64

NEVER_NS = -(2**63)


@dataclass(frozen=True, slots=True)
class Market:
    """The newest eligible prices by instrument index; NaN = unknown.

    last            the mark: the newest trade's price, or the mid where the instrument's price source says so
    last_size       of the newest trade
    bid, ask        of the newest quotes, each side as it was last told; NaN also where that side is empty
    bid_size, ask_size   NaN = not told, which counts as unlimited
    ts_received_ns  of the newest tick; NEVER_NS before the first
    phase           the kind of the newest row of a bar (BAR_OPEN, BAR_RANGE, BAR_CLOSE); 0 where there are only ticks
    """

    last: F64
    last_size: F64
    bid: F64
    bid_size: F64
    ask: F64
    ask_size: F64
    ts_received_ns: I64
    phase: I64

    @classmethod
    def empty(cls, count: int) -> Self:
        """Nothing is known of any of `count` instruments."""
        last, last_size, bid, bid_size, ask, ask_size = (np.full(count, np.nan) for _ in range(6))
        ts_received_ns, phase = np.full(count, NEVER_NS, np.int64), np.zeros(count, np.int64)
        return cls(last, last_size, bid, bid_size, ask, ask_size, ts_received_ns, phase)
