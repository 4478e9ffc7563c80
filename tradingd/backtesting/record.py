"""From the events of a run, live, simulated or read from a journal, to what a backtest is told by."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tradingd.backtesting.engine import Executed, trips_of
from tradingd.backtesting.hearing import Records
from tradingd.columns import F64, I64
from tradingd.events import (
    AccountChanged,
    AnyBody,
    Event,
    OrderFilled,
    OrderRefused,
    OrderRequested,
    PositionChanged,
    Signal,
)
from tradingd.feeds.bars.rows import BEFORE_CLOSE_NS
from tradingd.feeds.bars.table import Bars
from tradingd.grid import Grid, grid_of
from tradingd.instruments import Instrument
from tradingd.kernels import backtest as k
from tradingd.kernels.signals import SIGNAL
from tradingd.risk.bracket import STOP_LOSS, TAKE_PROFIT
from tradingd.risk.monitor import LIQUIDATION

REASONS = {STOP_LOSS: k.STOP_LOSS, TAKE_PROFIT: k.TAKE_PROFIT, LIQUIDATION: k.LIQUIDATION}


@dataclass(slots=True)
class Filled:
    """A fill and what it made of position and account."""

    ts_ns: int
    lots: int
    price: float
    fee: int
    reason: int
    realized: int = 0
    position: int = 0
    cost: int = 0
    balance: int = 0


@dataclass(slots=True)
class Record:
    """Takes the events of a run of one instrument in order."""

    instrument: Instrument
    balance_units: int
    fills: list[Filled] = field(default_factory=list)
    signals: list[Signal] = field(default_factory=list)
    refused: list[OrderRefused] = field(default_factory=list)
    _reasons: dict[str, int] = field(default_factory=dict)

    def take(self, events: Iterable[Event]) -> None:
        for event in events:
            if (hear := _HEARD.get(type(event.body))) is not None:
                hear(self, event.ts_received_ns, event.body)

    def executed(self, bars: Bars, units_per_one: int) -> Executed:
        """Marked at the close of every bar."""
        fills = np.array(list(self._rows(bars)), k.FILL)
        equity = self._equity(bars, fills, units_per_one)
        return Executed(_signals(self.signals, bars), fills, trips_of(fills, bars), equity, self.balance_units)

    def _requested(self, _ts_ns: int, body: OrderRequested) -> None:
        self._reasons[body.cl_ord_id] = REASONS.get(body.reason, k.DECISION)

    def _filled(self, ts_ns: int, body: OrderFilled) -> None:
        lots = body.side.sign * self._lots.nearest(body.last_qty)
        balance = self.fills[-1].balance if self.fills else self.balance_units
        reason = self._reasons[body.cl_ord_id]
        self.fills.append(Filled(ts_ns, lots, body.last_px, body.fee, reason, balance=balance))

    def _position(self, _ts_ns: int, body: PositionChanged) -> None:
        fill = self.fills[-1]
        fill.position, fill.cost, fill.realized = body.lots, body.cost, body.realized

    def _account(self, _ts_ns: int, body: AccountChanged) -> None:
        self.fills[-1].balance = body.balance

    def _signal(self, _ts_ns: int, body: Signal) -> None:
        self.signals.append(body)

    def _refused(self, _ts_ns: int, body: OrderRefused) -> None:
        self.refused.append(body)

    @property
    def _lots(self) -> Grid:
        return grid_of(self.instrument.lot_size)

    def _rows(self, bars: Bars) -> Iterator[tuple[Any, ...]]:
        times = np.array([fill.ts_ns for fill in self.fills], np.int64)
        at = np.searchsorted(bars.ts_open_ns, times, side="right") - 1
        within = times >= bars.ts_close_ns[at] - BEFORE_CLOSE_NS
        for fill, bar, is_within in zip(self.fills, at.tolist(), within.tolist(), strict=True):
            phase = k.INTRABAR if is_within else k.OPEN
            money = (fill.fee, fill.realized, fill.position, fill.balance)
            yield bar, fill.lots, fill.price, *money, phase, fill.reason

    def _equity(self, bars: Bars, fills: Records, units_per_one: int) -> F64:
        """(balance + value - cost) of the newest fill, as kernels.backtest has it."""
        newest = np.searchsorted(fills["bar"], np.arange(len(bars)), side="right")
        lots, cost, balance = (
            np.array([first, *(getattr(fill, name) for fill in self.fills)], np.int64)[newest]
            for name, first in (("position", 0), ("cost", 0), ("balance", self.balance_units))
        )
        quantity = lots * float(self._lots.numerator) / float(self._lots.denominator)
        value = np.rint(bars.close * quantity * self.instrument.multiplier * units_per_one).astype(np.int64)
        equity: F64 = (balance + value - cost) / units_per_one
        return equity


_HEARD: dict[type[AnyBody], Any] = {
    OrderRequested: Record._requested,
    OrderFilled: Record._filled,
    PositionChanged: Record._position,
    AccountChanged: Record._account,
    Signal: Record._signal,
    OrderRefused: Record._refused,
}


def _signals(signals: Sequence[Signal], bars: Bars) -> Records:
    closes: I64 = np.array([signal.ts_bar_close_ns for signal in signals], np.int64)
    at = np.searchsorted(bars.ts_close_ns, closes).tolist()
    rows = [
        (bar, told.target, told.confidence, _or_nan(told.stop), _or_nan(told.take_profit))
        for bar, told in zip(at, signals, strict=True)
    ]
    return np.array(rows, SIGNAL)


def _or_nan(price: float | None) -> float:
    return np.nan if price is None else price
