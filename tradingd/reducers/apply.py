"""The fold: one event into the ledger, the same function live and in replay."""

from collections.abc import Callable, Sequence
from typing import Any

from tradingd import events as e
from tradingd.instruments import Instrument
from tradingd.reducers import orders
from tradingd.reducers.ledger import Halt, Ledger, Position, Run

Reducer = Callable[[Ledger, Any], e.Anomaly | None]


def apply(ledger: Ledger, instruments: Sequence[Instrument], body: e.AnyBody, now_ns: int) -> e.Anomaly | None:
    """Folds one event at core time `now_ns`. What can not be changes nothing and comes back as an anomaly, which the
    caller journals and applies in its turn."""
    if (reducer := REDUCERS.get(type(body))) is not None:
        return reducer(ledger, body)
    if isinstance(body, e.OrderRequested):
        return orders.request(ledger, instruments, body, now_ns)
    assert isinstance(body, e.OrderFilled), f"{type(body).__name__} has no reducer"
    return orders.fill(ledger, instruments, body)


def _started(ledger: Ledger, body: e.RunStarted) -> None:
    ledger.run = Run(body.journal_id, body.epoch, body.sources)


def _feed(ledger: Ledger, body: e.FeedStatus) -> None:
    ledger.feeds[body.feed] = body.state


def _gap(ledger: Ledger, body: e.Gap) -> None:
    ledger.gaps += 1


def _rejected_row(ledger: Ledger, body: e.InputRejected) -> None:
    ledger.count_rows(body.feed, 1)


def _funding_rate(ledger: Ledger, body: e.FundingRate) -> None:
    ledger.count_rows(body.feed, 1)


def _late_tick(ledger: Ledger, body: e.LateTick) -> None:
    ledger.late_ticks += 1


def _signal(ledger: Ledger, body: e.Signal) -> None:
    ledger.signals.setdefault(body.strategy, {})[body.instrument] = body


def _decision(ledger: Ledger, body: e.Decision) -> None:
    ledger.decisions[body.instrument] = body


def _refused(ledger: Ledger, body: e.OrderRefused) -> None:
    ledger.refusals[body.rule] = ledger.refusals.get(body.rule, 0) + 1


def _position(ledger: Ledger, body: e.PositionChanged) -> None:
    position = ledger.positions.setdefault(body.instrument, Position())
    position.lots, position.cost = body.lots, body.cost
    position.realized += body.realized


def _account(ledger: Ledger, body: e.AccountChanged) -> e.Anomaly | None:
    account = ledger.accounts.get(body.currency)
    if account is None or account.balance + body.change != body.balance:
        had = account.balance if account else "no account"
        return e.Anomaly("impossible posting", f"{body.currency}: {had}, then {body.change} made {body.balance}")
    account.balance = body.balance
    account.postings[body.reason] = account.postings.get(body.reason, 0) + body.change
    return None


def _halted(ledger: Ledger, body: e.Halted) -> None:
    ledger.halts.setdefault(body.rule, Halt(body.text, body.by))


def _resumed(ledger: Ledger, body: e.Resumed) -> None:
    ledger.halts.clear()


def _limit(ledger: Ledger, body: e.LimitChanged) -> None:
    ledger.limits[body.rule] = body.new


def _anomaly(ledger: Ledger, body: e.Anomaly) -> None:
    ledger.anomalies += 1
    ledger.halts.setdefault("anomaly", Halt(f"{body.what}: {body.detail}", "core"))


def _failed(ledger: Ledger, body: e.CoreFailed) -> None:
    ledger.halts.setdefault("core_failed", Halt(body.error, "core"))


def _unchanged(ledger: Ledger, body: e.AnyBody) -> None:
    """Says something to people or to the daemon, nothing to the ledger."""


REDUCERS: dict[type[e.Body], Reducer] = {
    e.RunStarted: _started,
    e.RunStopped: _unchanged,
    e.FeedStatus: _feed,
    e.Gap: _gap,
    e.InputRejected: _rejected_row,
    e.FundingRate: _funding_rate,
    e.ClockAdvanced: _unchanged,
    e.OperatorCommand: _unchanged,
    e.SnapshotTaken: _unchanged,
    e.AnchorStatus: _unchanged,
    e.LateTick: _late_tick,
    e.Signal: _signal,
    e.Decision: _decision,
    e.OrderRefused: _refused,
    e.OrderAccepted: orders.report,
    e.OrderRejected: orders.report,
    e.CancelRequested: orders.report,
    e.OrderCanceled: orders.report,
    e.OrderExpired: orders.report,
    e.PositionChanged: _position,
    e.AccountChanged: _account,
    e.Halted: _halted,
    e.Resumed: _resumed,
    e.LimitChanged: _limit,
    e.Anomaly: _anomaly,
    e.CoreFailed: _failed,
}
