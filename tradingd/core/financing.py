"""What holding costs as time passes: funding, borrow and interest change the balance at their instants.

docs/backtesting.md has the amounts. `RiskState.charged_ns` says up to where they were posted.
"""

import math
from collections import Counter
from collections.abc import Iterator

from tradingd.core import instants
from tradingd.core.state import State
from tradingd.core.turn import Turn
from tradingd.events import AccountChanged
from tradingd.instruments import DAY_NS, HOUR_NS
from tradingd.kernels.financing import BORROW, FUNDING, INTEREST, borrow_change, funding_change, interest_change
from tradingd.kernels.posting import checked
from tradingd.reducers.post import FINANCING

Sums = Counter[tuple[str, str]]  # units by currency and reason, in the order in which they first fell due


def next_ns(state: State) -> int:
    return instants.next_ns(state.memory.intervals_ns, state.memory.risk.charged_ns)


def count_on(state: State) -> None:
    """A run begins. All before core time has been charged; what falls due at it only where somebody has counted."""
    m = state.memory
    if m.intervals_ns and m.core_ns:
        counted = m.risk.charged_ns >= 0
        m.risk.charged_ns = max(m.risk.charged_ns, m.core_ns - 1) if counted else m.core_ns


def charge(turn: Turn, until_ns: int) -> None:
    """Posts every instant up to `until_ns` with the marks as they are, one posting for each reason. Before the first
    row there was no time to pass."""
    state, risk = turn.state, turn.memory.risk
    if risk.charged_ns >= 0 and not state.warming:
        sums: Sums = Counter()
        for instant in instants.between(turn.memory.intervals_ns, risk.charged_ns, until_ns):
            _fall_due(state, instant, sums)
        _post(turn, sums)
    risk.charged_ns = until_ns


def charge_funding(turn: Turn, instrument: int, rate: float) -> None:
    """At a rate that a venue has told."""
    currency, reason = _posted_to(turn.state, instrument, FUNDING)
    change = checked(funding_change(_value(turn.state, instrument), rate))
    _post(turn, Counter({(currency, reason): change}))


def _fall_due(state: State, instant: int, sums: Sums) -> None:
    """Adds one instant: interest is of what the others leave."""
    is_midnight = instant % DAY_NS == 0
    for index, position in state.ledger.positions.items():
        terms = state.settings.instruments[index].financing
        value = _value(state, index) if position.lots else 0
        if is_midnight and position.lots < 0 and terms.borrow_rate:
            sums[_posted_to(state, index, BORROW)] += checked(borrow_change(value, terms.borrow_rate))
        if position.lots and terms.funding_rate and instant % (terms.funding_interval_h * HOUR_NS) == 0:
            sums[_posted_to(state, index, FUNDING)] += checked(funding_change(value, terms.funding_rate))
    if is_midnight:
        _fall_due_on_cash(state, sums)


def _fall_due_on_cash(state: State, sums: Sums) -> None:
    for account in state.settings.accounts:
        if account.interest_rate or account.debit_rate:
            currency = account.currency
            cash = _cash(state, currency) + sum(units for (of, _), units in sums.items() if of == currency)
            change = interest_change(cash, account.interest_rate, account.debit_rate)
            sums[currency, FINANCING[INTEREST]] += checked(change)


def _cash(state: State, currency: str) -> int:
    """What the balance leaves after what is bought: margin is not spent, and what was sold short is with the lender."""
    return state.ledger.accounts[currency].balance - sum(_spent(state, currency))


def _spent(state: State, currency: str) -> Iterator[int]:
    for index, position in state.ledger.positions.items():
        instrument = state.settings.instruments[index]
        if instrument.currency == currency and instrument.is_paid and position.lots > 0:
            yield position.cost


def _value(state: State, instrument: int) -> int:
    """Of the position at its mark, signed; 0 where no price is known yet."""
    context = state.risk_context()
    lots, mark = state.ledger.lots(instrument), context.mark(instrument)
    return 0 if math.isnan(mark) else context.units(instrument, lots, mark)


def _posted_to(state: State, index: int, kind: int) -> tuple[str, str]:
    """Currency and reason."""
    instrument = state.settings.instruments[index]
    return instrument.currency, f"{FINANCING[kind]} {instrument.id}"


def _post(turn: Turn, sums: Sums) -> None:
    for (currency, reason), change in sums.items():
        if change:
            balance = turn.state.ledger.accounts[currency].balance + change
            turn.emit(AccountChanged(currency=currency, balance=balance, change=change, reason=reason))
