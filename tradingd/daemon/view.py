"""What an operator sees of the state."""

import math
import os
from collections.abc import Mapping
from typing import Literal

from tradingd.api.messages import AccountView, FeedView, PositionView, Status
from tradingd.core.state import State
from tradingd.daemon.prepare import Prepared
from tradingd.events import FeedStatus, OrdStatus
from tradingd.grid import grid_of, money_text
from tradingd.risk.context import RiskContext, value_units

Phase = Literal["starting", "running", "halted", "stopping"]


def view(state: State, p: Prepared, phase: Phase, feeds: Mapping[str, FeedStatus], counts: dict[str, int]) -> Status:
    context = state.risk_context()
    halt = next(iter(state.ledger.halts.items()), None)
    orders = state.ledger.orders.values()
    return Status(
        instance=p.config.name,
        state="halted" if halt and phase == "running" else phase,
        pid=os.getpid(),
        journal=p.config.journal.folder,
        epoch=p.journal.epoch,
        seq=state.seq,
        core_time_ns=state.memory.core_ns,
        halted_by=halt[0] if halt else "",
        halt_text=halt[1].text if halt else "",
        feeds=tuple(_feed(name, feeds.get(name)) for name in p.sources),
        accounts=tuple(_account(context, currency) for currency in state.ledger.accounts),
        positions=tuple(_position(context, index) for index in state.ledger.positions if state.ledger.lots(index)),
        open_orders=len(orders),
        in_doubt_orders=sum(order.status is OrdStatus.IN_DOUBT for order in orders),
        counts=counts,
    )


def _feed(name: str, status: FeedStatus | None) -> FeedView:
    return FeedView(name, status.state, status.detail) if status else FeedView(name)


def _account(context: RiskContext, currency: str) -> AccountView:
    account = context.ledger.accounts[currency]
    return AccountView(
        currency,
        money_text(account.balance, account.units_per_one),
        money_text(context.equity(currency), account.units_per_one),
    )


def _position(context: RiskContext, index: int) -> PositionView:
    instrument, position = context.instruments[index], context.ledger.positions[index]
    units = context.ledger.accounts[instrument.currency].units_per_one
    quantity = grid_of(instrument.lot_size).value(position.lots)
    mark = context.mark(index)
    value = value_units(context.ledger, instrument, position.lots, mark) if not math.isnan(mark) else position.cost
    average = position.cost / units / quantity / instrument.multiplier
    return PositionView(instrument.id, quantity, average, money_text(value - position.cost, units))
