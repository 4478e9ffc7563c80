"""A second bookkeeper: folds the facts of durable commits with rules of its own, and knows nothing of the reducers."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tradingd import events as e
from tradingd.commit import Commit
from tradingd.core.settings import CoreSettings, decode_settings
from tradingd.reducers.ledger import Ledger

MS_NS = 1_000_000
SESSION_OVER = (e.OrderCanceled, e.OrderExpired)


@dataclass(slots=True)
class Open:
    request: e.OrderRequested
    lots: int
    filled: int = 0
    accepted: bool = False
    taken_back: bool = False


@dataclass(slots=True)
class Held:
    lots: int = 0
    cost: int = 0
    expected: tuple[int, int] | None = None  # of the fill whose PositionChanged comes next: lots, cost - realized
    fee: int = 0


@dataclass(slots=True)
class Audit:
    settings: CoreSettings = field(init=False)
    last_seq: int = 0
    core_ns: int = 0
    epoch: int = 0
    place: tuple[int, int] = (0, 0)
    open: dict[str, Open] = field(default_factory=dict)
    ended: dict[str, e.OrderRequested] = field(default_factory=dict)
    held: dict[int, Held] = field(default_factory=dict)
    money: dict[str, int] = field(default_factory=dict)
    due: dict[str, int] = field(default_factory=dict)  # opening + realized - fees, whatever was posted
    halts: set[str] = field(default_factory=set)
    trades: set[str] = field(default_factory=set)
    asked_ns: list[int] = field(default_factory=list)
    cursors: Counter[str] = field(default_factory=Counter)
    sources: tuple[str, ...] = ()

    def take(self, commit: Commit) -> None:
        assert commit.first_seq == self.last_seq + 1, f"seq {commit.first_seq} after {self.last_seq}"
        for event in commit.events:
            self._take(event)
        for _, batch in commit.ticks:
            self.cursors[self.sources[batch.source]] += len(batch)
        self.last_seq = commit.last_seq
        assert self.money == self.due, f"money at seq {self.last_seq}: {self.money}, not {self.due}"

    def agrees_with(self, ledger: Ledger) -> None:
        """The state that a process starts from or ends with."""
        assert set(ledger.halts) == self.halts, f"halted by {set(ledger.halts)}, not {self.halts}"
        assert ledger.cursors == self.cursors, f"rows taken: {ledger.cursors}, not {self.cursors}"
        assert {c: account.balance for c, account in ledger.accounts.items()} == self.money
        assert {i: (p.lots, p.cost) for i, p in ledger.positions.items()} == {
            i: (held.lots, held.cost) for i, held in self.held.items()
        }
        assert {o.request.cl_ord_id: o.filled_lots for o in ledger.orders.values()} == {
            name: known.filled for name, known in self.open.items()
        }

    def _take(self, event: e.Event) -> None:
        assert self.place < (event.seq, event.n), f"{event} does not come after {self.place}"
        self.place = event.seq, event.n
        if event.n and not isinstance(event.body, e.CoreFailed):  # the core had not come to where it says
            assert event.ts_received_ns >= self.core_ns, f"core time went back: {event}"
            self.core_ns = event.ts_received_ns
        _ON.get(type(event.body), _nothing)(self, event.body)

    def lots_of(self, instrument: int, quantity: float) -> int:
        lots = quantity / self.settings.instruments[instrument].lot_size
        assert abs(lots - round(lots)) < 1e-6, f"{quantity} is no number of lots"
        return round(lots)


def _nothing(_audit: Audit, _body: Any) -> None:
    """No rule here is about it."""


def _started(audit: Audit, body: e.RunStarted) -> None:
    assert body.epoch > audit.epoch, "an epoch is used once"
    audit.epoch, audit.sources, audit.settings = body.epoch, body.sources, decode_settings(body.config)
    for account in audit.settings.accounts:
        audit.money.setdefault(account.currency, account.balance_units)
        audit.due.setdefault(account.currency, account.balance_units)
    for known in audit.open.values():  # the ledger does not say whether what is taken back had been accepted
        known.accepted |= known.taken_back and body.resumed is e.Resumption.WARMED


def _rejected_row(audit: Audit, body: e.InputRejected) -> None:
    audit.cursors[body.feed] += 1


# --- orders -----------------------------------------------------------------------------------------------------------


def _requested(audit: Audit, body: e.OrderRequested) -> None:
    seq, n = audit.place
    assert body.cl_ord_id.endswith(f"-{audit.epoch}-{seq}-{n}"), f"{body.cl_ord_id} at {audit.place}"
    assert body.cl_ord_id not in audit.open and body.cl_ord_id not in audit.ended, f"requested twice: {body}"
    if not body.reduce_only:
        _check_limits(audit, body)
    audit.open[body.cl_ord_id] = Open(body, audit.lots_of(body.instrument, body.quantity))
    audit.asked_ns.append(audit.core_ns)


def _check_limits(audit: Audit, body: e.OrderRequested) -> None:
    risk, instrument = audit.settings.risk, audit.settings.instruments[body.instrument]
    assert not audit.halts, f"new exposure while halted by {audit.halts}: {body}"
    assert instrument.id not in risk.restricted, f"restricted: {body}"
    assert body.quantity <= (risk.max_quantity or body.quantity), f"above max_quantity: {body}"
    worst = _worst(audit, body) * instrument.lot_size
    assert worst <= (risk.position_limit or worst) + 1e-9, f"the position could reach {worst}: {body}"
    since_ns = audit.core_ns - risk.order_rate_window_ms * MS_NS
    asked = 1 + sum(ts_ns > since_ns for ts_ns in audit.asked_ns)
    assert asked <= (risk.order_rate or asked), f"order {asked} within the window: {body}"


def _worst(audit: Audit, body: e.OrderRequested) -> int:
    """Lots of the position on the order's side if all that works there fills."""
    same = [
        known.lots - known.filled
        for known in audit.open.values()
        if (known.request.instrument, known.request.side) == (body.instrument, body.side)
        and not known.request.reduce_only
    ]
    now = audit.held.get(body.instrument, Held()).lots * body.side.sign
    return now + sum(same) + audit.lots_of(body.instrument, body.quantity)


def _accepted(audit: Audit, body: e.OrderAccepted) -> None:
    known = audit.open[body.cl_ord_id]
    assert not known.accepted and not known.filled, f"accepted too late: {body}"
    known.accepted = True


def _cancel_wanted(audit: Audit, body: e.CancelRequested) -> None:
    audit.open[body.cl_ord_id].taken_back = True


def _ended(audit: Audit, body: e.OrderRejected | e.OrderCanceled | e.OrderExpired) -> None:
    assert body.cl_ord_id in audit.open, f"no such order: {body}"
    known = audit.open.pop(body.cl_ord_id)
    assert not (known.accepted and isinstance(body, e.OrderRejected)), f"rejected after it was accepted: {body}"
    audit.ended[body.cl_ord_id] = known.request


def _filled(audit: Audit, body: e.OrderFilled) -> None:
    assert body.trade_id not in audit.trades, f"told twice: {body}"
    audit.trades.add(body.trade_id)
    known, held = audit.open[body.cl_ord_id], audit.held.setdefault(body.instrument, Held())
    lots = audit.lots_of(body.instrument, body.last_qty)
    known.filled += lots
    left = audit.lots_of(body.instrument, body.leaves_qty)
    assert known.accepted and lots > 0 and known.filled + left == known.lots, f"{known} filled by {body}"
    after = held.lots + body.side.sign * lots
    shrinks = abs(after) < abs(held.lots) and after * held.lots >= 0
    assert shrinks or not known.request.reduce_only, f"{held.lots} became {after} lots by {body}"
    held.expected = after, held.cost + body.side.sign * _notional(audit, body)
    held.fee = body.fee
    assert body.fee == _fee(audit, body), f"fee of {body}"
    if not left:
        audit.ended[body.cl_ord_id] = audit.open.pop(body.cl_ord_id).request


# --- money ------------------------------------------------------------------------------------------------------------


def _units(audit: Audit, instrument: int) -> int:
    currency = audit.settings.instruments[instrument].currency
    return next(a.units_per_one for a in audit.settings.accounts if a.currency == currency)


def _notional(audit: Audit, body: e.OrderFilled) -> int:
    multiplier = audit.settings.instruments[body.instrument].multiplier
    return round(body.last_px * body.last_qty * multiplier * _units(audit, body.instrument))


def _fee(audit: Audit, body: e.OrderFilled) -> int:
    fees, units = audit.settings.instruments[body.instrument].fees, _units(audit, body.instrument)
    rate = fees.maker_rate if body.maker else fees.taker_rate
    fee = rate * _notional(audit, body) + fees.per_unit * body.last_qty * units
    return round(max(fee, fees.minimum * units) if fees.minimum else fee)


def _position(audit: Audit, body: e.PositionChanged) -> None:
    held, currency = audit.held[body.instrument], audit.settings.instruments[body.instrument].currency
    assert (body.lots, body.cost - body.realized) == held.expected, f"{held} became {body}"
    held.lots, held.cost, held.expected = body.lots, body.cost, None
    audit.due[currency] += body.realized - held.fee


def _account(audit: Audit, body: e.AccountChanged) -> None:
    audit.money[body.currency] += body.change
    assert audit.money[body.currency] == body.balance, f"{body} does not add up"


# --- halts ------------------------------------------------------------------------------------------------------------


def _halted(audit: Audit, body: e.Halted) -> None:
    audit.halts.add(body.rule)


def _resumed(audit: Audit, _body: e.Resumed) -> None:
    audit.halts.clear()


def _core_failed(audit: Audit, _body: e.CoreFailed) -> None:
    audit.halts.add("core_failed")


def _anomaly(_audit: Audit, body: e.Anomaly) -> None:
    raise AssertionError(f"what can not happen did: {body}")


_ON: dict[type, Callable[[Audit, Any], None]] = {
    e.RunStarted: _started,
    e.InputRejected: _rejected_row,
    e.OrderRequested: _requested,
    e.OrderAccepted: _accepted,
    e.CancelRequested: _cancel_wanted,
    e.OrderRejected: _ended,
    e.OrderCanceled: _ended,
    e.OrderExpired: _ended,
    e.OrderFilled: _filled,
    e.PositionChanged: _position,
    e.AccountChanged: _account,
    e.Halted: _halted,
    e.Resumed: _resumed,
    e.CoreFailed: _core_failed,
    e.Anomaly: _anomaly,
}
