"""What readers of recorded depth share: rows as they are found, clocks, and grids."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tradingd.backtesting.depth.events import DepthEvents, lots_of, ticks_of
from tradingd.backtesting.errors import BacktestError
from tradingd.columns import I64
from tradingd.kernels.depth_book import CLEAR


@dataclass(slots=True)
class Recording:
    """Rows in the order in which they were recorded; times in ns."""

    event_ns: list[int] = field(default_factory=list)
    received_ns: list[int] = field(default_factory=list)
    kind: list[int] = field(default_factory=list)
    price: list[float] = field(default_factory=list)
    size: list[float] = field(default_factory=list)

    def add(self, event_ns: int, received_ns: int, kind: int, price: float = 0.0, size: float = 0.0) -> None:
        self.levels(event_ns, received_ns, kind, [(price, size)])

    def levels(self, event_ns: int, received_ns: int, kind: int, levels: list[tuple[float, float]]) -> None:
        count = len(levels)
        self.event_ns += [event_ns] * count
        self.received_ns += [received_ns] * count
        self.kind += [kind] * count
        self.price += [price for price, _ in levels]
        self.size += [size for _, size in levels]


def events_of(
    event_ns: Any,
    received_ns: Any,
    kind: Any,
    price: Any,
    size: Any,
    *,
    tick_size: float,
    lot_size: float,
    clock_offset_ns: int,
    feed_latency_ns: int | None,
) -> DepthEvents:
    """Columns as they were recorded as events. Raises BacktestError."""
    event, kinds = np.asarray(event_ns, np.int64), np.asarray(kind, np.uint8)
    received = received_by_us(event, np.asarray(received_ns, np.int64), clock_offset_ns, feed_latency_ns)
    is_clear = kinds == CLEAR
    ticks = ticks_of(np.where(is_clear, 0.0, np.asarray(price, np.float64)), tick_size)
    lots = lots_of(np.where(is_clear, 0.0, np.asarray(size, np.float64)), lot_size)
    return DepthEvents.ordered(event, received, kinds, ticks, lots)


def received_by_us(event_ns: I64, received_ns: I64, clock_offset_ns: int, feed_latency_ns: int | None) -> I64:
    if feed_latency_ns is None:
        return received_ns + clock_offset_ns
    if clock_offset_ns:
        raise BacktestError("clock_offset_ns moves recorded times of receipt, feed_latency_ns replaces them: give one")
    if feed_latency_ns < 0:
        raise BacktestError(f"feed_latency_ns={feed_latency_ns} is below 0")
    return event_ns + feed_latency_ns
