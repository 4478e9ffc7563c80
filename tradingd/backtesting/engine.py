"""The kernel engine from Python: settings and bars in, fills, marks and round trips out."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tradingd.backtesting.errors import BacktestError
from tradingd.backtesting.financing import instants_of, summed
from tradingd.backtesting.hearing import ROOM, Columns, Records, double, instrument_of, signals_of
from tradingd.backtesting.settings import BacktestSettings
from tradingd.columns import F64, I64
from tradingd.events import TimeInForce
from tradingd.feeds.bars.funding import Funding
from tradingd.feeds.bars.rows import AFTER_OPEN_NS
from tradingd.feeds.bars.table import Bars
from tradingd.grid import grid_of
from tradingd.instruments import DAY_NS
from tradingd.kernels import backtest as k
from tradingd.kernels import book as b
from tradingd.kernels.calls import PRICES
from tradingd.kernels.financing import POSTING
from tradingd.kernels.scan import INSTRUMENT
from tradingd.kernels.signals import FULL, SIGNAL
from tradingd.kernels.trips import TRIP, round_trips
from tradingd.kernels.walk import COLUMNS

TIMES_IN_FORCE = {TimeInForce.GTC: b.GTC, TimeInForce.DAY: b.DAY, TimeInForce.IOC: b.IOC}


@dataclass(frozen=True, slots=True)
class Executed:
    """What came out, in whole lots and units of money; `equity` is in whole money, after each bar."""

    signals: Records  # of kernels.signals.SIGNAL
    fills: Records  # of kernels.book.FILL
    trips: Records  # of kernels.trips.TRIP
    equity: F64
    balance_units: int
    postings: Records = field(default_factory=lambda: np.zeros(0, POSTING))  # sums by bar and kind

    @property
    def last_balance_units(self) -> int:
        """After all fills and postings."""
        fills = self.fills
        return self.balance_units + int(fills["realized"].sum() - fills["fee"].sum() + self.postings["change"].sum())

    @property
    def lots(self) -> I64:
        """Of the position, signed, after each bar."""
        fills = self.fills
        ends = np.append(fills["bar"], len(self.equity))
        return np.repeat(np.append(0, fills["position"]), np.diff(ends, prepend=0))


def execute(settings: BacktestSettings, bars: Bars, base: Path, funding: Funding | None = None) -> Executed:
    """Paths of strategies are relative to `base`. Raises StrategyError, BacktestError."""
    return trade(settings, bars, signals_of(settings, bars, base), funding)


def trade(settings: BacktestSettings, bars: Bars, signals: Records, funding: Funding | None = None) -> Executed:
    """Raises BacktestError where an amount of money does not fit."""
    columns, signals = Columns.of(bars), np.ascontiguousarray(signals, SIGNAL)
    instants, equity, days = instants_of(settings, bars, funding), np.empty(len(bars)), _days(settings, bars)
    postings = np.zeros(k.POSTINGS_OF_AN_INSTANT * len(instants), POSTING)
    fills = np.zeros(ROOM + len(signals), b.FILL)
    terms, book = _terms(settings), _book(settings)
    book["expired"] = settings.instrument.expires_ns <= bars.ts_open_ns[0]
    _put(book, signals=signals, instants=instants, postings=postings, equity=equity, days=days, fills=fills)
    while (reason := k.trade_bars(columns.record, instrument_of(settings), terms, book)) == FULL:
        double(fills)
        _put(book, fills=fills)
    if reason == k.OVERFLOW:
        raise BacktestError(f"bar {book['bar'][0]}: an amount does not fit; give the account a coarser unit")
    made = fills[: book["fills"][0]]
    posted = postings[: book["postings"][0]]
    charged = summed(*(posted[name].astype(np.int64) for name in ("bar", "kind", "change")))
    return Executed(signals, made, trips_of(made, bars), equity, settings.account.balance_units, charged)


def load() -> None:
    """Takes from the cache, or compiles, what every run needs; there are no bars and so nothing happens."""
    columns, instrument, book = np.zeros(1, COLUMNS), np.zeros(1, INSTRUMENT), np.zeros(1, b.BOOK)
    k.trade_bars(columns, instrument, np.zeros(1, b.TERMS), book)
    round_trips(np.zeros(0, b.FILL), columns, np.zeros(0, TRIP))


def trips_of(fills: Records, bars: Bars) -> Records:
    trips, columns = np.zeros(len(fills) // 2 + 1, TRIP), Columns.of(bars)  # each but the last takes two fills at least
    return trips[: round_trips(fills, columns.record, trips)]


def _terms(settings: BacktestSettings) -> Records:
    instrument, account, terms = settings.instrument, settings.account, np.zeros(1, b.TERMS)
    lots, fees, margin = grid_of(instrument.lot_size), instrument.fees, instrument.margin
    terms[0] = (
        lots.numerator, lots.denominator, instrument.multiplier, account.units_per_one,
        fees.maker_rate, fees.taker_rate, fees.per_unit, fees.minimum,
        settings.simulation.slippage_rate, settings.simulation.slippage_ticks, instrument.negative_prices,
        margin.initial_rate, margin.maintenance_rate,
        settings.risk.max_leverage, settings.risk.risk_per_trade or 0.0, settings.allocation,
        settings.simulation.volume_share or 0.0, instrument.financing.borrow_rate,
        account.interest_rate, account.debit_rate, instrument.is_paid, TIMES_IN_FORCE[settings.time_in_force],
    )  # fmt: skip
    return terms


def _put(book: Records, **arrays: Records) -> None:
    """Addresses, and sizes where the kernel looks at them; who calls it keeps the arrays."""
    for name, array in arrays.items():
        book[f"{name}_at"] = array.ctypes.data
        if f"{name}_size" in (b.BOOK.names or ()):
            book[f"{name}_size"] = len(array)


def _days(settings: BacktestSettings, bars: Bars) -> I64:
    """The UTC day of each open, where it matters."""
    if settings.time_in_force is not TimeInForce.DAY:
        return np.empty(0, np.int64)
    days: I64 = (bars.ts_open_ns + AFTER_OPEN_NS) // DAY_NS
    return days


def _book(settings: BacktestSettings) -> Records:
    book = np.zeros(1, b.BOOK)
    book["balance"] = settings.account.balance_units
    prices = ("order_limit", "order_trigger", "order_stop", "order_take_profit", "order_trail")
    for name in (*PRICES, *prices, "stop_px", "trails_by", "limit_px", "margin_px"):
        book[name] = np.nan
    return book
