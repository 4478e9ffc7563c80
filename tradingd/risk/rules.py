"""The rules of the gate: each looks at one order and says nothing, or which limit it breaks and by what value."""

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

from tradingd.events import OrderRequested, OrdType
from tradingd.grid import grid_of
from tradingd.instruments import Instrument
from tradingd.risk.context import RiskContext, exposure_units, has_doubt, is_reducing, worst_lots, worst_lots_with
from tradingd.risk.monitor import daily_loss_of, drawdown_of

MS_NS = 1_000_000
LIMITS = (OrdType.LIMIT, OrdType.STOP_LIMIT)
STOPS = (OrdType.STOP, OrdType.STOP_LIMIT, OrdType.TRAILING_STOP)


class Broken(NamedTuple):
    limit: float | None
    value: float | None
    text: str


class Rule(NamedTuple):
    """binds_reducing   whether it holds for orders that reduce exposure too
    setting          what says nothing where it is None, false, 0 or empty switches the rule off
    """

    name: str
    check: Callable[[OrderRequested, RiskContext], Broken | None]
    binds_reducing: bool
    setting: str = ""


def well_formed(order: OrderRequested, context: RiskContext) -> Broken | None:
    instrument = context.instruments[order.instrument]
    if not order.quantity > 0 or not grid_of(instrument.lot_size).holds(order.quantity):
        return Broken(instrument.lot_size, order.quantity, "the quantity is no positive multiple of the lot size")
    if (order.ord_type in LIMITS) != (order.price is not None):
        return Broken(None, order.price, "a limit order needs a price, others have none")
    if (order.ord_type in STOPS) != (order.stop_px is not None):
        return Broken(None, order.stop_px, "a stop order needs a trigger price, others have none")
    if order.ord_type is OrdType.TRAILING_STOP and order.trail is None:
        return Broken(None, None, "a trailing stop needs a distance")
    return _off_grid(order, instrument)


def _off_grid(order: OrderRequested, instrument: Instrument) -> Broken | None:
    ticks = grid_of(instrument.tick_size)
    for price in _prices(order):
        if not (price > 0 or instrument.negative_prices) or not ticks.holds(price):
            return Broken(instrument.tick_size, price, "a price is not on the tick size, or not positive")
    if order.trail is not None and not (order.trail > 0 and ticks.holds(order.trail)):
        return Broken(instrument.tick_size, order.trail, "a trail's distance is not on the tick size, or not positive")
    return None


def halted(_order: OrderRequested, context: RiskContext) -> Broken | None:
    for rule, halt in context.ledger.halts.items():
        return Broken(None, None, f"halted by {rule}: {halt.text}")
    return None


def restricted(order: OrderRequested, context: RiskContext) -> Broken | None:
    name = context.instruments[order.instrument].id
    return Broken(None, None, f"{name} is restricted") if name in context.settings.restricted else None


def expired(order: OrderRequested, context: RiskContext) -> Broken | None:
    instrument = context.instruments[order.instrument]
    if context.now_ns < instrument.expires_ns:
        return None
    return Broken(None, None, f"{instrument.id} has expired at {instrument.expires}")


def in_doubt(order: OrderRequested, context: RiskContext) -> Broken | None:
    if not has_doubt(context.ledger, order.instrument):
        return None
    return Broken(None, None, "an order of this instrument is in doubt")


def market_hours(order: OrderRequested, context: RiskContext) -> Broken | None:
    if not context.settings.market_hours or context.instruments[order.instrument].session.is_open(context.now_ns):
        return None
    return Broken(None, None, "the session is closed")


def stale_data(order: OrderRequested, context: RiskContext) -> Broken | None:
    if math.isnan(context.mark(order.instrument)):
        return Broken(None, None, "no price is known yet")
    limit_ms = context.limit("stale_data_ms")
    if limit_ms is None:
        return None
    age_ms = max(context.now_ns - int(context.market.ts_received_ns[order.instrument]), 0) / MS_NS
    if age_ms <= limit_ms:
        return None
    return Broken(limit_ms, age_ms, f"the newest tick is {age_ms:.0f} ms old")


def crossed_book(order: OrderRequested, context: RiskContext) -> Broken | None:
    bid, ask = float(context.market.bid[order.instrument]), float(context.market.ask[order.instrument])
    return Broken(ask, bid, f"the book is crossed: bid {bid} above ask {ask}") if bid > ask else None


def conversion(order: OrderRequested, context: RiskContext) -> Broken | None:
    """What the order's currency is worth in its account has to be known."""
    if not math.isnan(context.rate(order.instrument)):
        return None
    currency, account = context.instruments[order.instrument].currency, context.account_of(order.instrument)
    return Broken(None, None, f"no price is known yet by which {currency} counts in {account}")


def price_collar(order: OrderRequested, context: RiskContext) -> Broken | None:
    """Both sides for new exposure; for reducing orders only prices that would trade at once, so that a protective
    order may lie as far away as it has to."""
    limit = context.limit("price_collar")
    price = _collared_price(order, context) if limit is not None else None
    if limit is None or price is None:
        return None
    mark = context.mark(order.instrument)
    distance = abs(price - mark) / abs(mark) if mark else float("inf")
    harmless = (price - mark) * order.side.sign <= 0 or order.ord_type is not OrdType.LIMIT
    if distance <= limit or (harmless and is_reducing(context, order)):
        return None
    return Broken(limit, distance if mark else None, f"price {price} is {distance:.2%} away from the mark {mark}")


def max_quantity(order: OrderRequested, context: RiskContext) -> Broken | None:
    limit = context.limit("max_quantity")
    if limit is None or order.quantity <= limit:
        return None
    return Broken(limit, order.quantity, f"quantity {order.quantity} is above {limit}")


def max_notional(order: OrderRequested, context: RiskContext) -> Broken | None:
    limit = context.limit("max_notional")
    if limit is None:
        return None
    notional = _in_money(context, order.instrument, exposure_units(context, order.instrument, context.lots_of(order)))
    if notional <= limit:
        return None
    return Broken(limit, notional, f"notional {notional:.2f} is above {limit}")


def order_rate(order: OrderRequested, context: RiskContext) -> Broken | None:
    limit = context.limit("order_rate")
    if limit is None or order.reduce_only:
        return None
    allowed = int(limit) * (2 if is_reducing(context, order) else 1)
    window_ms = context.settings.order_rate_window_ms
    count = 1 + sum(1 for _ in _requests_within(context, window_ms))
    return Broken(allowed, count, f"{count} orders within {window_ms} ms") if count > allowed else None


def duplicate_order(order: OrderRequested, context: RiskContext) -> Broken | None:
    window_ms = context.settings.duplicate_window_ms
    if order.reduce_only or not any(
        _essence(other) == _essence(order) for other in _requests_within(context, window_ms)
    ):
        return None
    return Broken(window_ms, None, f"the same order was requested within {window_ms} ms")


def position_limit(order: OrderRequested, context: RiskContext) -> Broken | None:
    limit = context.limit("position_limit")
    if limit is None:
        return None
    lots = max(abs(lots) for lots in worst_lots_with(context, order))
    quantity = grid_of(context.instruments[order.instrument].lot_size).value(lots)
    if quantity <= limit:
        return None
    return Broken(limit, quantity, f"the position could reach {quantity}, above {limit}")


def gross_limit(order: OrderRequested, context: RiskContext) -> Broken | None:
    if context.limit("gross_limit") is None:
        return None
    gross = sum(_worst_units(context, index, low, high) for index, low, high in _worst_positions(order, context))
    return _against_equity(order, context, "gross_limit", gross)


def net_limit(order: OrderRequested, context: RiskContext) -> Broken | None:
    if context.limit("net_limit") is None:
        return None
    lowest = highest = 0
    for index, low, high in _worst_positions(order, context):
        mark = context.mark(index)
        if not math.isnan(mark):
            lowest += context.account_units(index, low, mark)
            highest += context.account_units(index, high, mark)
    return _against_equity(order, context, "net_limit", max(abs(lowest), abs(highest)))


def concentration_limit(order: OrderRequested, context: RiskContext) -> Broken | None:
    if context.limit("concentration_limit") is None:
        return None
    units = _worst_units(context, order.instrument, *worst_lots_with(context, order))
    return _against_equity(order, context, "concentration_limit", units)


def margin(order: OrderRequested, context: RiskContext) -> Broken | None:
    """Initial margin of every position at its worst case has to be covered by equity."""
    required = 0.0
    for index, low, high in _worst_positions(order, context):
        required += _worst_units(context, index, low, high) * context.instruments[index].margin.initial_rate
    available = context.equity(context.account_of(order.instrument))
    if required <= available:
        return None
    needs, has = (_in_money(context, order.instrument, units) for units in (required, available))
    return Broken(has, needs, f"initial margin {needs:.2f} is above the equity {has:.2f}")


def daily_loss(order: OrderRequested, context: RiskContext) -> Broken | None:
    return _loss(order, context, "daily_loss", daily_loss_of)


def drawdown(order: OrderRequested, context: RiskContext) -> Broken | None:
    return _loss(order, context, "drawdown", drawdown_of)


WELL_FORMED = Rule("well_formed", well_formed, binds_reducing=True)
RULES = (
    Rule("halted", halted, binds_reducing=False),
    Rule("restricted", restricted, binds_reducing=False, setting="restricted"),
    Rule("expired", expired, binds_reducing=True),
    Rule("in_doubt", in_doubt, binds_reducing=False),
    Rule("market_hours", market_hours, binds_reducing=False, setting="market_hours"),
    Rule("stale_data", stale_data, binds_reducing=False),
    Rule("crossed_book", crossed_book, binds_reducing=False),
    Rule("conversion", conversion, binds_reducing=False),
    Rule("price_collar", price_collar, binds_reducing=True, setting="price_collar"),
    Rule("max_quantity", max_quantity, binds_reducing=False, setting="max_quantity"),
    Rule("max_notional", max_notional, binds_reducing=False, setting="max_notional"),
    Rule("order_rate", order_rate, binds_reducing=True, setting="order_rate"),
    Rule("duplicate_order", duplicate_order, binds_reducing=True, setting="duplicate_window_ms"),
    Rule("position_limit", position_limit, binds_reducing=False, setting="position_limit"),
    Rule("gross_limit", gross_limit, binds_reducing=False, setting="gross_limit"),
    Rule("net_limit", net_limit, binds_reducing=False, setting="net_limit"),
    Rule("concentration_limit", concentration_limit, binds_reducing=False, setting="concentration_limit"),
    Rule("margin", margin, binds_reducing=False),
    Rule("daily_loss", daily_loss, binds_reducing=False, setting="daily_loss"),
    Rule("drawdown", drawdown, binds_reducing=False, setting="drawdown"),
)


def _prices(order: OrderRequested) -> list[float]:
    prices = (order.price, order.stop_px, order.stop_loss, order.take_profit)
    return [price for price in prices if price is not None]


def _collared_price(order: OrderRequested, context: RiskContext) -> float | None:
    """The order's own price, of two the one farther from the mark; for a market order the quote that it would meet.
    None where that is unknown."""
    if own := [price for price in (order.price, order.stop_px) if price is not None]:
        return max(own, key=lambda price: abs(price - context.mark(order.instrument)))
    side = context.market.ask if order.side.sign > 0 else context.market.bid
    quote = float(side[order.instrument])
    return None if math.isnan(quote) else quote


def _requests_within(context: RiskContext, window_ms: int) -> Iterator[OrderRequested]:
    """Newest first."""
    since_ns = context.now_ns - window_ms * MS_NS
    for recent in reversed(context.ledger.recent):
        if recent.ts_ns <= since_ns:
            return
        yield recent.order


def _essence(order: OrderRequested) -> tuple[object, ...]:
    return (
        order.instrument,
        order.side,
        order.quantity,
        order.ord_type,
        order.price,
        order.stop_px,
        order.trail,
        order.reason,
        order.parent,
    )


def _worst_positions(order: OrderRequested, context: RiskContext) -> Iterator[tuple[int, int, int]]:
    """(instrument, lowest, highest lots) of every instrument in the order's account, once the order works."""
    for index in context.of_account(context.account_of(order.instrument)):
        low, high = worst_lots_with(context, order) if index == order.instrument else worst_lots(context, index)
        yield index, low, high


def _worst_units(context: RiskContext, instrument: int, low: int, high: int) -> int:
    return exposure_units(context, instrument, max(abs(low), abs(high)))


def _against_equity(order: OrderRequested, context: RiskContext, rule: str, units: int) -> Broken | None:
    limit = context.limit(rule)
    base = context.floored_equity(context.account_of(order.instrument))
    if limit is None or units <= limit * base:
        return None
    value = units / base if base else float("inf")
    return Broken(limit, value if base else None, f"exposure would be {value:.2f} x equity, above {limit}")


def _loss(
    order: OrderRequested, context: RiskContext, rule: str, loss_of: Callable[[RiskContext, str], float]
) -> Broken | None:
    limit = context.limit(rule)
    if limit is None:
        return None
    loss = loss_of(context, context.account_of(order.instrument))
    if loss < limit:
        return None
    return Broken(limit, loss, f"{rule.replace('_', ' ')} of {loss:.2%} has reached {limit:.2%}")


def _in_money(context: RiskContext, instrument: int, units: float) -> float:
    return units / context.ledger.accounts[context.account_of(instrument)].units_per_one
