"""Tells the scan at which prices, times and losses Python is needed next."""

import numpy as np

from tradingd.core.state import State
from tradingd.risk import monitor
from tradingd.risk.context import RiskContext
from tradingd.simulation import venue


def watch(state: State) -> None:
    m = state.memory
    for index in range(len(m.instruments)):
        m.instruments["touch_low"][index], m.instruments["touch_high"][index] = venue.touch_levels(m.venue, index)
    m.cursor["timer_ns"] = min(venue.due_ns(m.venue), monitor.next_roll_ns(m.core_ns))
    context = state.risk_context()
    _watch_positions(state, context)
    _watch_accounts(state, context)


def _watch_positions(state: State, context: RiskContext) -> None:
    records = state.memory.instruments
    for index, instrument in enumerate(state.settings.instruments):
        lots, mark = context.ledger.lots(index), context.mark(index)
        units = context.ledger.accounts[instrument.currency].units_per_one
        known = lots != 0 and mark == mark
        records["exposure"][index] = lots * instrument.lot_size * instrument.multiplier * units if known else 0.0
        records["mark"][index] = mark


def _watch_accounts(state: State, context: RiskContext) -> None:
    for row, account in enumerate(state.settings.accounts):
        watched = state.memory.watched[row]
        marks = state.memory.risk.watermarks.get(account.currency)
        watched["equity"] = context.equity(account.currency)
        watched["required"] = monitor.maintenance_required(context, account.currency)
        watched["peak"] = marks.peak if marks else np.nan
        watched["drawdown"] = _unlatched(context, "drawdown")
        watched["floor"] = marks.day_start * (1.0 - _unlatched(context, "daily_loss")) if marks else np.nan


def _unlatched(context: RiskContext, rule: str) -> float:
    """The limit of a rule that has not halted yet; else NaN, which no comparison reaches."""
    limit = context.limit(rule)
    return np.nan if limit is None or rule in context.ledger.halts else limit
