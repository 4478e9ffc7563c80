"""Tells the scan at which prices, times and losses Python is needed next."""

import math

from tradingd.core import expiry, instants
from tradingd.core.state import State
from tradingd.kernels.closing import NEVER
from tradingd.risk import monitor
from tradingd.risk.context import RiskContext
from tradingd.simulation import venue

TINY = 1e-300  # a price of 0 has no inverse


def watch(state: State, context: RiskContext | None = None) -> None:
    """After anything that may have changed orders, positions or limits. `context`: one of after the last posting."""
    note_peaks(state)
    watch_noted(state, context or state.risk_context())


def watch_noted(state: State, context: RiskContext) -> None:
    """After peaks were noted, and no scan since then."""
    watch_venue(state)
    _watch_positions(state, context)
    _watch_accounts(state, context)


def watch_orders(state: State, instrument: int) -> None:
    """After the venue looked at one instrument, whether or not it had anything to say."""
    _watch_levels(state, instrument)
    watch_time(state)


def watch_venue(state: State) -> None:
    """After orders or cancels arrived at the venue and nothing was filled."""
    for index in range(len(state.settings.instruments)):
        _watch_levels(state, index)
    watch_time(state)


def _watch_levels(state: State, instrument: int) -> None:
    m = state.memory
    low, high = venue.touch_levels(m.venue, m.terms, instrument)
    if instrument in m.rates:
        low = math.inf  # each of its rows is looked at: no estimate of equity is good enough where two prices move it
    record = m.instruments[instrument]
    record["touch_low"], record["touch_high"] = low, high


def watch_time(state: State) -> None:
    """After something was sent to the venue, or is to be asked for again."""
    m = state.memory
    m.cursor["timer_ns"] = min(
        venue.due_ns(m.venue), monitor.next_roll_ns(m.risk, m.core_ns), held_until(state), *m.retry_ns.tolist()
    )


def held_until(state: State) -> int:
    """Core time up to which what is held costs nothing and does not expire; NEVER where that is for ever."""
    m = state.memory
    if not m.intervals_ns and not m.expiries_ns:
        return NEVER
    return min(instants.next_ns(m.intervals_ns, m.risk.charged_ns), expiry.next_ns(state))


def stand_at_worst(state: State, instrument: int, low: float, high: float) -> None:
    """What was traded within a bar may have turned the position, and with it which end of the range is its worst."""
    state.memory.market.last[instrument] = high if state.ledger.lots(instrument) < 0 else low


def note_peaks(state: State) -> None:
    """The scan sees every price; its peak counts, rounded down to whole units."""
    peaks = state.memory.watched["peak"].tolist()
    for account, peak in zip(state.settings.accounts, peaks, strict=True):
        mark = state.memory.risk.watermarks.get(account.currency)
        if mark is not None and math.isfinite(peak):
            mark.peak = max(mark.peak, int(peak))


def recount(state: State) -> None:
    """Losses count from here on."""
    forget_peaks(state)
    monitor.rebase(state.risk_context())


def forget_peaks(state: State) -> None:
    """What the scan has seen does not count."""
    state.memory.watched["peak"] = math.nan


def _watch_positions(state: State, context: RiskContext) -> None:
    for index, instrument in enumerate(state.settings.instruments):
        record = state.memory.instruments[index]
        units = context.ledger.accounts[context.account_of(index)].units_per_one
        exposure = context.ledger.lots(index) * instrument.lot_size * instrument.multiplier * units
        rate = context.rate(index)
        held = 0.0 if math.isnan(rate) else exposure * rate
        record["exposure"] = held + (_converted(context, index) if index in state.memory.rates else 0.0)
        record["mark"] = context.mark(index)


def _converted(context: RiskContext, index: int) -> float:
    """Units per 1.0 of price of what is converted by this instrument: a bar is worst where that is."""
    total, price = 0.0, context.mark(index)
    for currency, converted in context.exchange.items():
        if converted.instrument == index and not math.isnan(price):
            per_unit = context.per_unit(currency)
            slope = per_unit if not converted.inverse else -per_unit / max(price * price, TINY)
            total += context.own_equity(currency) * slope
    return total


def _watch_accounts(state: State, context: RiskContext) -> None:
    drawdown, daily_loss = _unlatched(context, "drawdown"), _unlatched(context, "daily_loss")
    for row, account in enumerate(state.settings.accounts):
        currency = account.currency
        marks = state.memory.risk.watermarks.get(currency)
        peak, floor = (marks.peak, marks.day_start * (1.0 - daily_loss)) if marks else (math.nan, math.nan)
        equity, required = context.equity(currency), context.maintenance(currency)
        state.memory.watched[row] = equity, required, peak, floor, drawdown


def _unlatched(context: RiskContext, rule: str) -> float:
    """The limit of a rule that has not halted yet; else NaN, which no comparison reaches."""
    limit = context.limit(rule)
    return math.nan if limit is None or rule in context.ledger.halts else limit
