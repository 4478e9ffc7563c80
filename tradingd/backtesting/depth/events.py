"""Depth and trades of one instrument as a replay takes them: columns in order by both clocks, checked once."""

import hashlib
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import polars as pl

from tradingd.backtesting.errors import BacktestError
from tradingd.columns import F64, I64, U8
from tradingd.grid import grid_of
from tradingd.kernels.depth_book import ASK, CLEAR, EVENT, KIND_NAMES

Rows = np.ndarray[Any, Any]

COLUMNS = ("ts_event_ns", "ts_received_ns", "kind", "price", "size")
CELLS_MAX = 2**26
LOTS_LIMIT = 2.0**52
TICKS_LIMIT = 2.0**52
OFF_GRID = 1e-4  # of a step: more than doubles of decimals are off by


@dataclass(frozen=True, slots=True)
class DepthEvents:
    """`rows` (n,) of kernels.depth_book.EVENT; its fields are the columns here.

    ts_event_ns     at the exchange, UTC; never falls
    ts_received_ns  at us, not before it; never falls
    kind            of kernels.depth_book: BID and ASK set the size of a level (0 removes it), BUY_TRADE and SELL_TRADE
                    are trades by the side that took liquidity, CLEAR empties the book
    ticks           price in ticks; 0 for CLEAR
    lots            size in lots, at least 0; not whole where a venue's sizes are finer than its lots

    Raises BacktestError for rows that are not so.
    """

    rows: Rows

    def __len__(self) -> int:
        return len(self.rows)

    def __post_init__(self) -> None:
        if not len(self):
            raise BacktestError("there are no events")
        _refuse(np.append(False, np.diff(self.ts_event_ns) < 0), "an event time below the one before it; sort them")
        _refuse(
            np.append(False, np.diff(self.ts_received_ns) < 0),
            "a receive time below the one before it; what comes later is not known earlier",
        )
        _refuse_early(self.ts_event_ns, self.ts_received_ns)
        _refuse(self.kind > CLEAR, f"an unknown kind; there are {', '.join(KIND_NAMES)}")
        _refuse(~((self.lots >= 0.0) & (self.lots < LOTS_LIMIT)), "a size below 0, too large, or none")
        _refuse(np.abs(self.ticks) >= TICKS_LIMIT, "a price beyond all prices")
        low, high = self.reach
        if high - low + 3 > CELLS_MAX:
            raise BacktestError(
                f"levels reach from {low:,} to {high:,} ticks, which is more than {CELLS_MAX:,}; leave out those far "
                "from the touch with .near(low, high)"
            )

    @property
    def ts_event_ns(self) -> I64:
        return self.rows["ts_event_ns"]

    @property
    def ts_received_ns(self) -> I64:
        return self.rows["ts_received_ns"]

    @property
    def kind(self) -> U8:
        return self.rows["kind"]

    @property
    def ticks(self) -> I64:
        return self.rows["ticks"]

    @property
    def lots(self) -> F64:
        return self.rows["lots"]

    @classmethod
    def of(cls, frame: pl.DataFrame, *, tick_size: float, lot_size: float) -> Self:
        """From the columns ts_event_ns, ts_received_ns, kind (a name of KIND_NAMES), price and size.

        Rows are put in order by event time; rows of one time keep theirs. What would be received before an earlier
        event is received with it. Raises BacktestError: a column that is missing, prices off the grid, sizes that can
        not be, a receive time before the event.
        """
        if missing := [name for name in COLUMNS if name not in frame.columns]:
            raise BacktestError(f"the events have no column {', '.join(missing)}; they have {', '.join(frame.columns)}")
        kinds = frame["kind"].replace_strict({name: i for i, name in enumerate(KIND_NAMES)}, default=len(KIND_NAMES))
        kind = kinds.cast(pl.UInt8).to_numpy()
        is_clear = kind == CLEAR
        price, size = (frame[name].cast(pl.Float64).fill_null(np.nan).to_numpy() for name in ("price", "size"))
        ticks = ticks_of(np.where(is_clear, 0.0, price), tick_size)
        lots = lots_of(np.where(is_clear, 0.0, size), lot_size)
        event, received = (frame[name].cast(pl.Int64).to_numpy() for name in COLUMNS[:2])
        return cls.ordered(event, received, kind, ticks, lots)

    @classmethod
    def ordered(cls, ts_event_ns: I64, ts_received_ns: I64, kind: U8, ticks: I64, lots: F64) -> Self:
        """From columns in any order, as `of` says."""
        _refuse_early(ts_event_ns, ts_received_ns)
        order = np.argsort(ts_event_ns, kind="stable")
        rows = np.zeros(len(order), EVENT)
        rows["ts_event_ns"], rows["ts_received_ns"] = ts_event_ns[order], np.maximum.accumulate(ts_received_ns[order])
        rows["kind"], rows["ticks"], rows["lots"] = kind[order], ticks[order], lots[order]
        return cls(rows)

    @property
    def reach(self) -> tuple[int, int]:
        """Lowest and highest tick of a level; (0, 0) without one."""
        ticks = self.ticks[self.kind <= ASK]
        return (int(ticks.min()), int(ticks.max())) if len(ticks) else (0, 0)

    def near(self, low: int, high: int) -> Self:
        """Without the levels outside of low to high, in ticks; trades stay."""
        return type(self)(self.rows[(self.kind > ASK) | ((self.ticks >= low) & (self.ticks <= high))])

    def frame(self, *, tick_size: float, lot_size: float) -> pl.DataFrame:
        """What `of` takes."""
        ticks, lots = grid_of(tick_size), grid_of(lot_size)
        return pl.DataFrame(
            {
                "ts_event_ns": self.ts_event_ns,
                "ts_received_ns": self.ts_received_ns,
                "kind": pl.Series(np.array(KIND_NAMES)[self.kind], dtype=pl.String),
                "price": self.ticks * float(ticks.numerator) / float(ticks.denominator),
                "size": self.lots * float(lots.numerator) / float(lots.denominator),
            }
        )

    def digest(self) -> str:
        """Of all columns; what a report names."""
        digest = hashlib.blake2b(digest_size=16)
        for name in EVENT.names or ():
            digest.update(np.ascontiguousarray(self.rows[name]).tobytes())
        return digest.hexdigest()

    def counts(self) -> dict[str, int]:
        """Rows by kind."""
        return {name: int(np.count_nonzero(self.kind == kind)) for kind, name in enumerate(KIND_NAMES)}


def ticks_of(prices: F64, tick_size: float) -> I64:
    """Prices as ticks. Raises BacktestError for the first that is on none."""
    counts = _counts(prices, tick_size)
    ticks = np.rint(counts)
    off = ~(np.abs(counts - ticks) <= OFF_GRID)
    if off.any():
        row = int(np.argmax(off))
        raise BacktestError(
            f"event {row:,} has a price of {float(prices[row])!r}, which is no multiple of the tick size {tick_size!r}"
        )
    return ticks.astype(np.int64)


def lots_of(sizes: F64, lot_size: float) -> F64:
    """Sizes as lots: whole ones where they are, fractions where a venue's sizes are finer."""
    counts = _counts(sizes, lot_size)
    lots = np.rint(counts)
    return np.asarray(np.where(np.abs(counts - lots) <= OFF_GRID, lots, counts) + 0.0, np.float64)


def _counts(values: F64, step: float) -> F64:
    grid = grid_of(step)
    return values * float(grid.denominator) / float(grid.numerator)


def _refuse(bad: Any, what: str) -> None:
    if bad.any():
        raise BacktestError(f"event {int(np.argmax(bad)):,} has {what}")


def _refuse_early(ts_event_ns: I64, ts_received_ns: I64) -> None:
    early_ns = ts_event_ns - ts_received_ns
    if len(early_ns) and early_ns.max() > 0:
        row = int(np.argmax(early_ns > 0))
        raise BacktestError(
            f"event {row:,} was received {int(early_ns[row]) / 1e6:g} ms before it happened; a clock is wrong: "
            f"add at least clock_offset_ns={int(early_ns.max())} to the receive times, or give a feed_latency_ns"
        )
