"""From a target exposure to lots, and from lots to an order: risk alone knows both."""

import math

from msgspec.structs import replace

from tradingd.events import Decision, OrderRequested, OrdType, Side, TimeInForce
from tradingd.grid import grid_of
from tradingd.kernels.sizing import wanted_lots
from tradingd.risk.context import RiskContext, exposure_units, on_the_way, worst_lots

# by whether there is a limit and a trigger
ENTRIES = {
    (False, False): OrdType.MARKET,
    (True, False): OrdType.LIMIT,
    (False, True): OrdType.STOP,
    (True, True): OrdType.STOP_LIMIT,
}


def target_lots(context: RiskContext, decision: Decision, allocation: float = 1.0) -> int:
    """Signed lots that the decision's target stands for, floored to whole lots towards zero.

    With a stop and `risk_per_trade`: equity x allocation x |target| x risk_per_trade / (|price - stop| x multiplier),
    the size that loses that part of the equity at the stop; with a trail alone that is the distance. Else the size
    whose notional is equity x allocation x |target|. The price is the decision's limit, else its trigger, else the
    close. Capped by max_leverage and by the initial margin that other instruments leave free. 0 at a price of 0.
    """
    instrument, settings = context.instruments[decision.instrument], context.settings
    account, lots = context.account_of(decision.instrument), grid_of(instrument.lot_size)
    gross, margin = _elsewhere(context, decision.instrument, account)
    rate = context.rate(decision.instrument)
    return int(
        wanted_lots(
            context.equity(account),
            context.ledger.accounts[account].units_per_one,
            allocation * decision.target,
            decision.entry_price,
            _price_at_risk(context, decision),
            context.mark(decision.instrument),
            settings.risk_per_trade or 0.0,
            settings.max_leverage,
            gross,
            margin,
            instrument.margin.initial_rate,
            instrument.multiplier * (1.0 if math.isnan(rate) else rate),  # without one the gate refuses it
            float(lots.numerator),
            float(lots.denominator),
        )
    )


def order_for(context: RiskContext, decision: Decision, allocation: float = 1.0) -> OrderRequested | None:
    """The next order, without its ClOrdID, on the way from the position and what already works to the target.

    What reduces is a reduce-only market order, so that a stop that fills first leaves nothing to turn the position
    with; a turn to the other side closes first. What opens exposure has the decision's limit and trigger, and its stop
    and take profit as a bracket. None where nothing is to do.
    """
    index = decision.instrument
    now, wanted = context.ledger.lots(index), target_lots(context, decision, allocation)
    target = 0 if wanted * now < 0 else wanted
    change = target - now - _on_the_way(context, index)
    if change == 0:
        return None
    order = OrderRequested(
        cl_ord_id="",
        instrument=index,
        side=Side.BUY if change > 0 else Side.SELL,
        quantity=grid_of(context.instruments[index].lot_size).value(abs(change)),
        ord_type=OrdType.MARKET,
        time_in_force=TimeInForce.GTC,
        reduce_only=abs(target) <= abs(now),
    )
    return order if order.reduce_only else _entry(context, order, decision)


def _entry(context: RiskContext, order: OrderRequested, decision: Decision) -> OrderRequested:
    """What opens exposure, with the decision's prices on the tick grid."""
    ticks = grid_of(context.instruments[decision.instrument].tick_size)
    given = (decision.limit, decision.trigger, decision.stop, decision.take_profit, decision.trail)
    price, stop_px, stop_loss, take_profit, trail = (
        None if price is None else ticks.value(ticks.nearest(price)) for price in given
    )
    return replace(
        order,
        time_in_force=decision.time_in_force,
        ord_type=ENTRIES[price is not None, stop_px is not None],
        price=price,
        stop_px=stop_px,
        stop_loss=stop_loss,
        take_profit=take_profit,
        trail=trail,
    )


def _price_at_risk(context: RiskContext, decision: Decision) -> float:
    """What one unit loses at the stop; 0 where the size does not depend on it."""
    if context.settings.risk_per_trade is None:
        return 0.0
    return (decision.trail or 0.0) if decision.stop is None else abs(decision.entry_price - decision.stop)


def _elsewhere(context: RiskContext, instrument: int, account: str) -> tuple[float, float]:
    """Exposure and initial margin of the account's other instruments at their worst, in whole money."""
    gross = margin = 0.0
    for index in context.of_account(account):
        if index != instrument:
            low, high = worst_lots(context, index)
            units = exposure_units(context, index, max(abs(low), abs(high)))
            exposure = units / context.ledger.accounts[account].units_per_one
            gross += exposure
            margin += exposure * context.instruments[index].margin.initial_rate
    return gross, margin


def _on_the_way(context: RiskContext, instrument: int) -> int:
    return sum([order.leaves_lots * order.request.side.sign for order in on_the_way(context.ledger, instrument)])
