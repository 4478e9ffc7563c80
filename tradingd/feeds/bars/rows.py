"""A bar as three rows: its open, all that happened within, its close.

Nothing is told before it happened: what was decided at a close meets the next open, and low and high are told when the
bar is over. So the receive times are

    BAR_OPEN    1 ns after the bar's open: what was sent at the close before, at the same time, is there. Its size is
                the volume of the whole bar, for the venue alone: it limits what is filled in the bar
    BAR_RANGE   3 ns before its close: the stop of what is entered within it is there 1 ns later, and another 1 ns later
                what liquidates the rest
    BAR_CLOSE   at its close
"""

import numpy as np

from tradingd.columns import BAR_CLOSE, BAR_KINDS, BAR_OPEN, BAR_RANGE
from tradingd.feeds.bars.table import Bars
from tradingd.feeds.rows import Columns, empty_columns

ROWS = len(BAR_KINDS)
AFTER_OPEN_NS, BEFORE_CLOSE_NS = 1, 3


def rows_of(bars: Bars, start: int, stop: int, instrument: int) -> Columns:
    """Rows of the bars start..stop-1, as columns of TickBatch."""
    part = slice(start, stop)
    columns = empty_columns(ROWS * len(bars.close[part]))
    opened, ranged, closed = (slice(place, None, ROWS) for place in range(ROWS))
    columns["instrument"][:] = instrument
    columns["line"][:] = np.repeat(np.arange(start, start + len(bars.close[part])), ROWS)
    for rows, kind in ((opened, BAR_OPEN), (ranged, BAR_RANGE), (closed, BAR_CLOSE)):
        columns["kind"][rows] = kind
    columns["ts_event_ns"][opened] = bars.ts_open_ns[part]
    columns["ts_event_ns"][ranged] = columns["ts_event_ns"][closed] = bars.ts_close_ns[part]
    columns["ts_received_ns"][opened] = bars.ts_open_ns[part] + AFTER_OPEN_NS
    columns["ts_received_ns"][ranged] = bars.ts_close_ns[part] - BEFORE_CLOSE_NS
    columns["ts_received_ns"][closed] = bars.ts_close_ns[part]
    columns["price"][opened], columns["price"][ranged] = bars.open[part], bars.low[part]
    columns["ask_price"][ranged] = bars.high[part]
    columns["size"][opened] = bars.volume[part]
    columns["price"][closed], columns["size"][closed] = bars.close[part], bars.volume[part]
    for name in ("price", "size", "ask_price"):
        columns[name] += 0.0  # -0.0 becomes 0.0
    return columns
