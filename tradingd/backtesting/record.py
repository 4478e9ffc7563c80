"""From the events of a run, live, simulated or read from a journal, to what a backtest is told by."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, NamedTuple

import numpy as np
from msgspec import Struct

from tradingd.backtesting.engine import Executed, trips_of
from tradingd.backtesting.errors import BacktestError
from tradingd.backtesting.financing import placed, summed
from tradingd.backtesting.hearing import Records
from tradingd.columns import F64, I64
from tradingd.core.expiry import EXPIRY
from tradingd.events import (
    LIQUIDATION,
    AccountChanged,
    Anomaly,
    AnyBody,
    Event,
    InputRejected,
    OrderFilled,
    OrderRefused,
    OrderRequested,
    PositionChanged,
    Signal,
)
from tradingd.feeds.bars.rows import BEFORE_CLOSE_NS
from tradingd.feeds.bars.table import Bars
from tradingd.grid import Grid, grid_of
from tradingd.instruments import AccountSettings, Instrument
from tradingd.kernels import book as k
from tradingd.kernels.calls import PRICES
from tradingd.kernels.signals import SIGNAL
from tradingd.reducers.post import FINANCING
from tradingd.risk.bracket import STOP_LOSS, TAKE_PROFIT

REASONS = {STOP_LOSS: k.STOP_LOSS, TAKE_PROFIT: k.TAKE_PROFIT, LIQUIDATION: k.LIQUIDATION, EXPIRY: k.EXPIRY}
OF_ACCOUNT = -1  # what is no instrument's


class Filled(Struct, gc=False):
    """A fill and what it made of the position; money in units."""

    ts_ns: int
    lots: int
    price: float
    fee: int
    reason: int
    is_limit: bool
    position: int = 0
    cost: int = 0
    realized: int = 0
    earned: int = 0  # by all fills and postings so far


class Posted(NamedTuple):
    """What holding has cost; money in units."""

    ts_ns: int
    kind: int
    change: int


@dataclass(slots=True)
class Record:
    """Takes the events of a run in order; all that it keeps is by the index of the instrument."""

    instruments: Sequence[Instrument]
    fills: dict[int, list[Filled]] = field(default_factory=lambda: defaultdict(list))
    signals: dict[int, list[Signal]] = field(default_factory=lambda: defaultdict(list))
    postings: dict[int, list[Posted]] = field(default_factory=lambda: defaultdict(list))
    interest: dict[str, list[Posted]] = field(default_factory=lambda: defaultdict(list))
    refused: list[OrderRefused] = field(default_factory=list)
    rejected: int = 0  # rows of the feed
    first_rejected: InputRejected | None = None
    _requests: dict[str, OrderRequested] = field(default_factory=dict)
    _earned: Counter[int] = field(default_factory=Counter)

    def take(self, events: Iterable[Event]) -> None:
        """Raises BacktestError for an anomaly: after it nothing new is opened."""
        for event in events:
            body = event.body
            if (hear := _HEARD.get(type(body))) is not None:
                hear(self, event.ts_received_ns, body)

    def executed(self, index: int, bars: Bars, account: AccountSettings) -> Executed:
        """Of one instrument, as if the account held nothing else, marked at the close of every bar."""
        fills = _fills(self.fills[index], bars, account.balance_units)
        postings = _postings(self.postings[index], bars)
        equity = self._equity(index, bars, fills, postings, account)
        signals = _signals(self.signals[index], bars)
        return Executed(signals, fills, trips_of(fills, bars), equity, account.balance_units, postings)

    def _requested(self, _ts_ns: int, body: OrderRequested) -> None:
        self._requests[body.cl_ord_id] = body

    def _filled(self, ts_ns: int, body: OrderFilled) -> None:
        lots = body.side.sign * self._lots(body.instrument).nearest(body.last_qty)
        order = self._requests[body.cl_ord_id]
        reason, is_limit = REASONS.get(order.reason, k.DECISION), order.price is not None
        self.fills[body.instrument].append(Filled(ts_ns, lots, body.last_px, body.fee, reason, is_limit))

    def _position(self, _ts_ns: int, body: PositionChanged) -> None:
        fill = self.fills[body.instrument][-1]
        fill.position, fill.cost, fill.realized = body.lots, body.cost, body.realized
        self._earned[body.instrument] += fill.realized - fill.fee
        fill.earned = self._earned[body.instrument]

    def _account(self, ts_ns: int, body: AccountChanged) -> None:
        """Interest is the account's, and so the instrument's where it holds one alone."""
        kind, _, name = body.reason.partition(" ")
        if kind in FINANCING:
            index = self._index_of(name, body.currency)
            self._earned[index] += body.change
            postings = self.interest[body.currency] if index == OF_ACCOUNT else self.postings[index]
            postings.append(Posted(ts_ns, FINANCING.index(kind), body.change))

    def _index_of(self, name: str, currency: str) -> int:
        if name:
            return [instrument.id for instrument in self.instruments].index(name)
        is_alone = len(self.instruments) == 1 and self.instruments[0].currency == currency
        return 0 if is_alone else OF_ACCOUNT

    def _anomaly(self, ts_ns: int, body: Anomaly) -> None:
        raise BacktestError(f"{np.datetime64(ts_ns // 1_000_000_000, 's')} UTC: {body.what}: {body.detail}")

    def _signal(self, _ts_ns: int, body: Signal) -> None:
        self.signals[body.instrument].append(body)

    def _refused(self, _ts_ns: int, body: OrderRefused) -> None:
        self.refused.append(body)

    def _rejected(self, _ts_ns: int, body: InputRejected) -> None:
        self.rejected += 1
        self.first_rejected = self.first_rejected or body

    def _lots(self, index: int) -> Grid:
        return grid_of(self.instruments[index].lot_size)

    def _equity(self, index: int, bars: Bars, fills: Records, postings: Records, account: AccountSettings) -> F64:
        """(balance + value - cost) after the newest fill and posting, as kernels.book has it."""
        newest = np.searchsorted(fills["bar"], np.arange(len(bars)), side="right")
        costs = np.array([0, *(fill.cost for fill in self.fills[index])], np.int64)
        lots, changes = np.append(0, fills["position"]), np.zeros(len(bars), np.int64)
        np.add.at(changes, fills["bar"], fills["realized"] - fills["fee"])
        np.add.at(changes, postings["bar"], postings["change"])
        grid, units = self._lots(index), account.units_per_one
        quantity = lots[newest] * float(grid.numerator) / float(grid.denominator)
        value = np.rint(bars.close * quantity * self.instruments[index].multiplier * units).astype(np.int64)
        equity: F64 = (account.balance_units + np.cumsum(changes) + value - costs[newest]) / units
        return equity


def _fills(made: Sequence[Filled], bars: Bars, balance: int) -> Records:
    times = np.array([fill.ts_ns for fill in made], np.int64)
    at = np.maximum(np.searchsorted(bars.ts_open_ns, times, side="right") - 1, 0)
    within = times >= bars.ts_close_ns[at] - BEFORE_CLOSE_NS
    settled = np.array([fill.reason == k.EXPIRY for fill in made], bool)
    at, within = np.where(settled, np.minimum(placed(times, bars)[0], len(bars) - 1), at), within & ~settled
    fills = np.zeros(len(made), k.FILL)
    fills["bar"], fills["phase"] = at, np.where(within, k.INTRABAR, k.OPEN)
    for name in ("lots", "price", "fee", "realized", "position", "reason", "is_limit"):
        fills[name] = [getattr(fill, name) for fill in made]
    fills["balance"] = [balance + fill.earned for fill in made]
    return fills


def _postings(made: Sequence[Posted], bars: Bars) -> Records:
    ts_ns, kind, change = np.array([(p.ts_ns, p.kind, p.change) for p in made], np.int64).reshape(-1, 3).T
    at, _ = placed(ts_ns, bars)
    return summed(np.minimum(at, len(bars) - 1), kind, change)  # other instruments may go on for longer


_HEARD: dict[type[AnyBody], Any] = {
    AccountChanged: Record._account,
    Anomaly: Record._anomaly,
    OrderRequested: Record._requested,
    OrderFilled: Record._filled,
    PositionChanged: Record._position,
    Signal: Record._signal,
    OrderRefused: Record._refused,
    InputRejected: Record._rejected,
}


def _signals(signals: Sequence[Signal], bars: Bars) -> Records:
    closes: I64 = np.array([signal.ts_bar_close_ns for signal in signals], np.int64)
    at = np.searchsorted(bars.ts_close_ns, closes).tolist()
    prices = attrgetter(*PRICES)
    rows = [(bar, told.target, told.confidence, *prices(told)) for bar, told in zip(at, signals, strict=True)]
    return np.array(rows, SIGNAL)  # no price becomes NaN
