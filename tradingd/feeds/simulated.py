"""A market that never was: correlated instruments, regimes, jumps, a spread; prices on tick, sizes on lot.

The session is divided into blocks of a fixed number of rows. One coarse path, cheap to compute as a whole, gives the
prices at the borders of blocks; what happens inside of block k is a bridge between two of them, drawn from (seed, k)
alone. So a feed resumes at any row without making the rows before its block.

Only + - * / and sqrt are applied to what the generator draws.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np

from tradingd.columns import AGGRESSOR_BUY, AGGRESSOR_SELL, F64, I64, QUOTE, TRADE
from tradingd.feeds.contract import FeedConfigError
from tradingd.feeds.feed import RowFeed
from tradingd.feeds.inputs import inputs_of
from tradingd.feeds.rows import Columns, Rows, empty_columns
from tradingd.feeds.settings import SimulatedSettings
from tradingd.grid import grid_of
from tradingd.instruments import DAY_S, NS, Instrument

BLOCK_ROWS_MAX = 8192
BLOCK_ROWS_MIN = 64
BLOCK_S_MAX = 60.0
RETURN_MAX = 0.25  # of one block: keeps prices above zero whatever the settings say
WIDE_SPREAD_SHARE = 0.1  # of quotes that are a tick wider, in the calm regime


def simulated_feed(settings: SimulatedSettings, source: int, instruments: Sequence[Instrument]) -> RowFeed:
    """Raises FeedConfigError where an instrument or the start is not known."""
    market = SimulatedMarket(settings, instruments)

    def rows(resume_after: int) -> tuple[int, Iterator[Rows]]:
        first = min(max(resume_after - 1, 0) // market.block_rows, market.blocks - 1)
        return first * market.block_rows, map(market.block, range(first, market.blocks))

    return RowFeed(settings.name, source, settings.batch_rows, rows, inputs_of(settings))


class SimulatedMarket:
    """Makes any block of the session: `block(k)` depends on the settings and k alone."""

    def __init__(self, settings: SimulatedSettings, instruments: Sequence[Instrument]) -> None:
        indexes = {instrument.id: index for index, instrument in enumerate(instruments)}
        self._settings = settings
        self._indexes = [_index_of(one.instrument, indexes, settings.name) for one in settings.instruments]
        self._instruments = [instruments[index] for index in self._indexes]
        self._start_ns = start_ns(settings)
        self.rows = max(1, round(settings.duration_s * settings.ticks_per_s))
        self.block_rows = int(min(max(settings.ticks_per_s * BLOCK_S_MAX, BLOCK_ROWS_MIN), BLOCK_ROWS_MAX))
        self.blocks = -(-self.rows // self.block_rows)
        self._row_ns = settings.duration_s * NS / self.rows
        self._path = _coarse_path(settings, self.blocks, self.block_rows * self._row_ns / NS)

    def block(self, number: int) -> Rows:
        rng = np.random.default_rng([self._settings.seed, 1, number])
        first = number * self.block_rows
        rows = min(self.block_rows, self.rows - first)
        columns = empty_columns(rows)
        columns["ts_event_ns"] = self._times(rng, first, rows)
        columns["ts_received_ns"] = columns["ts_event_ns"].copy()
        columns["kind"][:] = np.where(rng.random(rows) < self._settings.quote_share, QUOTE, TRADE)
        columns["venue_id"][:] = np.arange(first, first + rows)
        common = rng.standard_normal(self.block_rows)[:rows]
        for which, places in enumerate(self._places(rng, rows)):
            self._fill(columns, rng, number, which, places, _bridge(common))
        return Rows(columns)

    def _times(self, rng: np.random.Generator, first: int, rows: int) -> I64:
        """Arrivals of a Poisson process, given how many there are."""
        offsets = np.sort(rng.random(rows)) * (rows * self._row_ns)
        return self._start_ns + (first * self._row_ns + offsets).astype(np.int64)

    def _places(self, rng: np.random.Generator, rows: int) -> list[I64]:
        """Rows of each instrument, by weight."""
        weights = np.array([one.weight for one in self._settings.instruments])
        drawn = np.searchsorted(np.cumsum(weights / weights.sum())[:-1], rng.random(rows), side="right")
        return [np.flatnonzero(drawn == which) for which in range(len(weights))]

    def _fill(
        self, columns: Columns, rng: np.random.Generator, block: int, which: int, places: I64, common: F64
    ) -> None:
        """Rows of one instrument: its price path in ticks, then bid and ask or the trade at one of them."""
        one, instrument = self._settings.instruments[which], self._instruments[which]
        factor = float(self._path.factors[block])
        mid = self._mid(rng, block, which, places, common) / instrument.tick_size
        wide = rng.random(len(places)) < WIDE_SPREAD_SHARE * factor
        spread = one.spread_ticks + wide
        bid = np.maximum(np.floor(mid - spread / 2 + 0.5).astype(np.int64), 1)
        sizes = on_grid(rng.geometric(1 / one.size_lots, (2, len(places))), instrument.lot_size)
        quote = columns["kind"][places] == QUOTE
        buy = rng.random(len(places)) < 0.5
        columns["instrument"][places] = self._indexes[which]
        columns["flags"][places] = np.where(quote, 0, np.where(buy, AGGRESSOR_BUY, AGGRESSOR_SELL))
        columns["price"][places] = on_grid(np.where(~quote & buy, bid + spread, bid), instrument.tick_size)
        columns["size"][places] = sizes[0]
        columns["ask_price"][places] = np.where(quote, on_grid(bid + spread, instrument.tick_size), np.nan)
        columns["ask_size"][places] = np.where(quote, sizes[1], np.nan)

    def _mid(self, rng: np.random.Generator, block: int, which: int, places: I64, common: F64) -> F64:
        """Bridge between the prices at the block's borders; a jump stands where the coarse path put it."""
        path, loading = self._path, self._settings.instruments[which].loading
        own = _bridge(rng.standard_normal(len(places)))
        noise = loading * common[places] + np.sqrt(1 - loading * loading) * own
        fraction = (places + 1) / self.block_rows
        moved = path.deviations[block, which] * noise + path.drifts[block, which] * fraction
        jumped = np.where(fraction >= path.jump_at[block, which], path.jumps[block, which], 0.0)
        return np.asarray(path.prices[block, which] * np.maximum(1 + moved + jumped, 1 - RETURN_MAX))


@dataclass(frozen=True, slots=True)
class _Path:
    """By block (and instrument): price at its begin, relative move, its deviation inside, jump and where it stands."""

    factors: F64
    prices: F64
    drifts: F64
    deviations: F64
    jumps: F64
    jump_at: F64


def _coarse_path(settings: SimulatedSettings, blocks: int, block_s: float) -> _Path:
    rng = np.random.default_rng([settings.seed, 0])
    shape = (blocks, len(settings.instruments))
    factors = _regimes(settings, rng, blocks, block_s)
    volatility, loading = (
        np.array([getattr(i, name) for i in settings.instruments]) for name in ("volatility", "loading")
    )
    deviations = np.minimum(factors[:, None] * volatility * np.sqrt(block_s / DAY_S), RETURN_MAX / 8)
    noise = loading * rng.standard_normal((blocks, 1)) + np.sqrt(1 - loading * loading) * rng.standard_normal(shape)
    drifts = np.clip(deviations * noise, -RETURN_MAX / 2, RETURN_MAX / 2)
    jump = rng.random(shape) < min(1.0, settings.jumps_per_day * block_s / DAY_S)
    signs = np.where(rng.random(shape) < 0.5, 1.0, -1.0)
    jumps = np.where(jump, signs * min(settings.jump_size, RETURN_MAX / 2), 0.0)
    growth = np.cumprod(1 + drifts + jumps, axis=0)
    prices = np.vstack([np.ones(shape[1]), growth[:-1]]) * [i.price for i in settings.instruments]
    return _Path(factors, prices, drifts, deviations, jumps, rng.random(shape))


def _regimes(settings: SimulatedSettings, rng: np.random.Generator, blocks: int, block_s: float) -> F64:
    """Factor of each block: a Markov chain that leaves a regime after `mean_s` on average, for any of the others."""
    regimes = settings.regimes
    draws, others = rng.random(blocks).tolist(), rng.integers(1, max(len(regimes), 2), blocks).tolist()
    state, factors = 0, []
    for draw, other in zip(draws, others, strict=True):
        factors.append(regimes[state].factor)
        if draw < block_s / regimes[state].mean_s:
            state = (state + other) % len(regimes)
    return np.array(factors)


def _bridge(steps: F64) -> F64:
    """A random walk of unit deviation that begins and ends at 0."""
    count = max(len(steps), 1)
    walk = np.cumsum(steps) / np.sqrt(count)
    return np.asarray(walk - walk[-1:] * (np.arange(1, len(steps) + 1) / count))


def on_grid(counts: I64, step: float) -> F64:
    """The canonical floats of `counts` steps: 3 x 0.1 is 0.3."""
    grid = grid_of(step)
    return np.asarray(counts * grid.numerator / grid.denominator)


def start_ns(settings: SimulatedSettings) -> int:
    """Raises FeedConfigError where `start` is no ISO time. UTC where no offset is given."""
    try:
        start = datetime.fromisoformat(settings.start)
    except ValueError as error:
        raise FeedConfigError(f"feed {settings.name}: start {settings.start!r} is no ISO time: {error}") from error
    aware = start if start.tzinfo else start.replace(tzinfo=UTC)
    return (aware - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) * 1000


def _index_of(instrument: str, indexes: dict[str, int], feed: str) -> int:
    if instrument not in indexes:
        raise FeedConfigError(f"feed {feed}: instrument {instrument} is not declared; add it to the instruments")
    return indexes[instrument]
