"""What the config says about risk. A limit of None is off; fractions are of the equity of the order's currency."""

from typing import Annotated

from msgspec import Meta, Struct

PositiveLimit = Annotated[float, Meta(gt=0)] | None
Fraction = Annotated[float, Meta(gt=0, le=1)] | None


class RiskSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """Sizing first, then the limits of the gate; docs/risk.md says what each rule does.

    risk_per_trade       fraction of equity that is lost when the stop is hit; None = size by target alone
    max_leverage         gross exposure that sizing aims at, at most, as a multiple of equity
    price_collar         largest distance of an order's price from the mark, as a fraction of the mark
    max_quantity         of one order, in units of the instrument
    max_notional         of one order, in its currency
    order_rate           requests in any `order_rate_window_ms`; orders that reduce exposure may be twice as many
    duplicate_window_ms  the same order again within it is refused; 0 = off
    position_limit       largest position in one instrument, in units of the instrument
    gross_limit, net_limit, concentration_limit   exposure of all, of all netted, of one instrument / equity
    daily_loss           loss since the start of the UTC day / equity at its start
    drawdown             loss since the peak / peak equity
    stale_data_ms        age of the newest tick of the instrument
    market_hours         orders only while the instrument's session is open
    restricted           ids of instruments in which exposure may not grow
    retry_interval_ms    after which a refused order that protects or closes a position is asked for again
    retries_max          how often at most, until a decision, a fill or an operator changes something; 0 = never
    """

    risk_per_trade: Fraction = None
    max_leverage: Annotated[float, Meta(gt=0)] = 1.0
    price_collar: PositiveLimit = 0.05
    max_quantity: PositiveLimit = None
    max_notional: PositiveLimit = None
    order_rate: Annotated[int, Meta(ge=1, le=256)] | None = 20
    order_rate_window_ms: Annotated[int, Meta(ge=1)] = 1000
    duplicate_window_ms: Annotated[int, Meta(ge=0)] = 100
    position_limit: PositiveLimit = None
    gross_limit: PositiveLimit = 2.0
    net_limit: PositiveLimit = 2.0
    concentration_limit: PositiveLimit = None
    daily_loss: Fraction = 0.05
    drawdown: Fraction = 0.2
    stale_data_ms: Annotated[int, Meta(ge=1)] | None = 60_000
    market_hours: bool = True
    restricted: tuple[str, ...] = ()
    retry_interval_ms: Annotated[int, Meta(ge=1)] = 1000
    retries_max: Annotated[int, Meta(ge=0)] = 60
