"""What is watched besides orders: losses that halt, and margin that liquidates. Times are core time, days are UTC."""

from operator import attrgetter

from tradingd.events import LIQUIDATION, Halted, OrderRequested, OrdType, Side, TimeInForce
from tradingd.grid import grid_of
from tradingd.instruments import DAY_NS
from tradingd.risk.context import RiskContext, RiskState, Watermark, on_the_way

_DAY_NS = attrgetter("day_ns")


def next_roll_ns(state: RiskState, now_ns: int) -> int:
    """Core time at which the next UTC day starts: the one after the day that losses are counted in, which may have
    ended by now without that anybody has looked."""
    return min(map(_DAY_NS, state.watermarks.values()), default=now_ns // DAY_NS * DAY_NS) + DAY_NS


def roll(context: RiskContext) -> None:
    """Notes the equity of every currency: a new day starts from it, a new peak is remembered."""
    day_ns = context.now_ns // DAY_NS * DAY_NS
    for currency in context.accounts:
        units = context.equity(currency)
        mark = context.state.watermarks.get(currency)
        if mark is None:
            mark = context.state.watermarks[currency] = Watermark(day_ns, units, units)
        if mark.day_ns < day_ns:
            mark.day_ns, mark.day_start = day_ns, units
        mark.peak = max(mark.peak, units)


def rebase(context: RiskContext) -> None:
    """Counts losses from now on: what a human who resumes has accepted, else the same loss would halt again."""
    context.state.watermarks.clear()
    roll(context)


def daily_loss_of(context: RiskContext, currency: str) -> float:
    """Fraction of the day's first equity that is lost; 0 before the first `roll`."""
    mark = context.state.watermarks.get(currency)
    return _lost(mark.day_start, context.equity(currency)) if mark else 0.0


def drawdown_of(context: RiskContext, currency: str) -> float:
    """Fraction of the peak equity that is lost; 0 before the first `roll`."""
    mark = context.state.watermarks.get(currency)
    return _lost(mark.peak, context.equity(currency)) if mark else 0.0


def breaches(context: RiskContext) -> list[Halted]:
    """Halts that are due and not latched yet, at most one per rule."""
    halts = []
    for rule, loss_of in (("daily_loss", daily_loss_of), ("drawdown", drawdown_of)):
        limit = context.limit(rule)
        if limit is None or rule in context.ledger.halts:
            continue
        losses = [(loss_of(context, currency), currency) for currency in context.accounts]
        worst, currency = max(losses)
        if worst >= limit:
            text = f"{rule.replace('_', ' ')} of {worst:.2%} in {currency} has reached {limit:.2%}"
            halts.append(Halted(rule=rule, text=text))
    return halts


def liquidation_orders(context: RiskContext) -> list[OrderRequested]:
    """Orders that close every position of each currency whose equity is below its maintenance margin."""
    return [
        order
        for currency in context.accounts
        if context.equity(currency) < context.maintenance(currency)
        for index in context.of_account(currency)
        for order in closing_orders(context, index, LIQUIDATION)
    ]


def closing_orders(context: RiskContext, instrument: int, reason: str) -> list[OrderRequested]:
    """A reducing market order, without its ClOrdID, for what of the position is not being closed already; or none."""
    lots = context.ledger.lots(instrument)
    left = abs(lots) - _closing_lots(context, instrument)
    if left <= 0:
        return []
    return [
        OrderRequested(
            cl_ord_id="",
            instrument=instrument,
            side=Side.SELL if lots > 0 else Side.BUY,
            quantity=grid_of(context.instruments[instrument].lot_size).value(left),
            ord_type=OrdType.MARKET,
            time_in_force=TimeInForce.GTC,
            reduce_only=True,
            reason=reason,
        )
    ]


def _closing_lots(context: RiskContext, instrument: int) -> int:
    return sum([order.leaves_lots for order in on_the_way(context.ledger, instrument) if order.request.reduce_only])


def _lost(before: int, now: int) -> float:
    return (before - now) / before if before > 0 else 0.0
