"""Rows of two feeds by seed: one of ticks with all that can be wrong with them, one of raw frames among trades."""

import random

import numpy as np

from tradingd.columns import FRAME, INELIGIBLE, NO_VENUE_ID, QUOTE, TRADE
from tradingd.events import Gap
from tradingd.feeds.feed import RowFeed
from tradingd.feeds.inputs import Inputs
from tradingd.feeds.rows import Rejection, Rows, empty_columns

S = 1_000_000_000
MIDNIGHT_NS = 1_700_006_400 * S
TICKS, WIRE = "ticks", "wire"
FEEDS = (TICKS, WIRE)
STARTS = (100.0, 1.1, 30_000.0)
TICK_SIZES = (0.01, 0.00001, 0.5)
CALM, WILD = 0.0004, 0.004


class Market:
    """The same rows each time that a feed is made."""

    def __init__(self, rng: random.Random) -> None:
        self._random = np.random.default_rng(rng.getrandbits(64))
        self._moves = rng.choice((CALM, WILD))
        self._start_ns = MIDNIGHT_NS + rng.choice((3600, -20, -60)) * S
        rows = rng.randint(60, 220)
        self.rows = {TICKS: self._ticks(rows), WIRE: self._wire(rows // 6)}

    def feed(self, name: str, source: int, batch_rows: int) -> RowFeed:
        rows = self.rows[name]
        return RowFeed(name, source, batch_rows, lambda _: (0, iter([rows])), Inputs(b""), files=("memory",))

    def _times(self, rows: int, mean_s: float) -> np.ndarray:
        """Receive times; some go back."""
        times = self._start_ns + np.cumsum(self._random.exponential(mean_s * S, rows).astype(np.int64))
        return times - self._some(rows, 0.02) * self._random.integers(0, 2 * S, rows)

    def _some(self, rows: int, part: float) -> np.ndarray:
        return self._random.random(rows) < part

    def _ticks(self, rows: int) -> Rows:
        columns = empty_columns(rows)
        random = self._random
        instrument = random.integers(0, 3, rows)
        quote = (instrument == 1) | ((instrument == 2) & self._some(rows, 0.5))
        received = self._times(rows, 0.3)
        prices = np.array(STARTS)[instrument] * np.exp(np.cumsum(random.standard_normal(rows)) * self._moves)
        tick = np.array(TICK_SIZES)[instrument]
        steps = np.rint(prices / tick)
        spread = random.integers(-1, 4, rows)  # crossed, now and then
        columns |= {
            "kind": np.where(quote, QUOTE, TRADE).astype(np.uint8),
            "flags": (self._some(rows, 0.03) * INELIGIBLE).astype(np.uint8),
            "instrument": instrument.astype(np.uint16),
            "ts_received_ns": received,
            "ts_event_ns": received - random.integers(0, S // 20, rows) - self._some(rows, 0.03) * 3 * S,
            "price": np.round(steps * tick, 5),
            "size": self._sizes(rows),
            "ask_price": np.where(quote, np.round((steps + spread) * tick, 5), np.nan),
            "ask_size": np.where(quote, self._sizes(rows), np.nan),
            "venue_id": np.where(quote, NO_VENUE_ID, np.arange(rows)),
            "line": np.arange(rows),
        }
        self._one_sided(columns, quote)
        rejected = {row: Rejection("no price", f"row {row}") for row in np.flatnonzero(self._some(rows, 0.03)).tolist()}
        gaps = {row: Gap(TICKS, None, 1, f"before {row}") for row in np.flatnonzero(self._some(rows, 0.03)).tolist()}
        return Rows(columns, {}, gaps).rejecting(rejected)

    def _sizes(self, rows: int) -> np.ndarray:
        return np.round(self._random.integers(1, 2000, rows) * 1.0, 3)

    def _one_sided(self, columns: dict[str, np.ndarray], quote: np.ndarray) -> None:
        """Sides that did not change, and sides that are empty."""
        rows = len(quote)
        for price, size in (("price", "size"), ("ask_price", "ask_size")):
            unchanged, empty = quote & self._some(rows, 0.1), quote & self._some(rows, 0.1)
            columns[price][unchanged], columns[size][unchanged] = np.nan, np.nan
            columns[size][empty & ~unchanged] = 0.0

    def _wire(self, rows: int) -> Rows:
        columns = empty_columns(rows)
        times = self._times(rows, 1.8)
        frame = self._some(rows, 0.6)
        columns |= {
            "kind": np.where(frame, FRAME, TRADE).astype(np.uint8),
            "ts_event_ns": times,
            "ts_received_ns": times,
            "price": np.where(frame, np.nan, STARTS[0]),
            "size": np.where(frame, np.nan, 10.0),
            "payload": np.array([b"frame %d" % row if frame[row] else b"" for row in range(rows)], object),
        }
        return Rows(columns)
