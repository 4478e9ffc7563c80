"""What the rules look at, and how much is at stake: equity, exposure, margin."""

import math
from collections.abc import Sequence

from msgspec import Struct

from tradingd.events import OrderRequested, OrdStatus, OrdType, Side
from tradingd.grid import grid_of
from tradingd.instruments import Instrument
from tradingd.kernels.market import Market
from tradingd.kernels.posting import MONEY_LIMIT, REFUSED, notional_units
from tradingd.reducers.ledger import Ledger, Order
from tradingd.risk.exchange import Exchange
from tradingd.risk.settings import RiskSettings


class Watermark(Struct):
    """Equity of one currency that losses are counted from, in units of money."""

    day_ns: int  # start of the UTC day
    day_start: int
    peak: int


class RiskState(Struct):
    """Kept with the memory of the core.

    watermarks   by currency
    charged_ns   core time up to which holding has been paid for; below 0 where nobody has counted
    """

    watermarks: dict[str, Watermark] = {}
    charged_ns: int = -1


class RiskContext(Struct, frozen=True, gc=False):
    """All that a rule may know, at core time `now_ns`. Made anew once something was posted or a price has moved.

    An account is named by its currency; one that counts in another is a part of that. `known` is what was asked for
    before: equity and maintenance by account.
    """

    now_ns: int
    instruments: Sequence[Instrument]
    ledger: Ledger
    settings: RiskSettings
    market: Market
    state: RiskState
    exchange: Exchange = {}
    known: dict[tuple[str, str], int] = {}

    def limit(self, rule: str) -> float | None:
        """The limit of a rule: what an operator changed it to, or what the settings say."""
        changed = self.ledger.limits
        value: float | None = changed[rule] if rule in changed else getattr(self.settings, rule)
        return value

    def mark(self, instrument: int) -> float:
        """NaN where no price is known yet."""
        return float(self.market.last[instrument])

    def lots_of(self, order: OrderRequested) -> int:
        return grid_of(self.instruments[order.instrument].lot_size).nearest(order.quantity)

    def units(self, instrument: int, lots: int, price: float) -> int:
        """Money units of `lots` at `price`, signed as the lots; see `value_units`."""
        return value_units(self.ledger, self.instruments[instrument], lots, price)

    @property
    def accounts(self) -> list[str]:
        return [currency for currency in self.ledger.accounts if currency not in self.exchange]

    def account_of(self, instrument: int) -> str:
        """The account that it counts in."""
        currency = self.instruments[instrument].currency
        return self.exchange[currency].into if currency in self.exchange else currency

    def rate(self, instrument: int) -> float:
        """From its currency to its account; NaN where none is known yet."""
        converted = self.exchange.get(self.instruments[instrument].currency)
        return 1.0 if converted is None else converted.rate(self.market)

    def equity(self, account: str) -> int:
        """Its own and that of all that counts in it. Computed once: rules ask for it again and again."""
        key = ("equity", account)
        total = self.known.get(key)
        if total is None:
            total = self.own_equity(account)
            for currency, converted in self.exchange.items():
                if converted.into == account:
                    total += self._converted(self.own_equity(currency), currency, converted.rate(self.market))
            self.known[key] = total
        return total

    def own_equity(self, currency: str) -> int:
        """In the currency itself."""
        return equity(self.ledger, self.instruments, self.market, currency)

    def floored_equity(self, account: str) -> int:
        """What limits are fractions of: equity, or nothing where it is negative."""
        return max(self.equity(account), 0)

    def maintenance(self, account: str) -> int:
        """Maintenance margin of the positions of an account, in units, rounded up per position. Computed once."""
        key = ("maintenance", account)
        total = self.known.get(key)
        if total is None:
            total = self.known[key] = sum([self._maintenance(index) for index in self.of_account(account)])
        return total

    def account_units(self, instrument: int, lots: int, price: float) -> int:
        """As `units`, of the account that the instrument counts in; 0 where no rate is known yet."""
        units, currency = self.units(instrument, lots, price), self.instruments[instrument].currency
        return self._converted(units, currency, self.rate(instrument)) if currency in self.exchange else units

    def _converted(self, units: int, currency: str, rate: float) -> int:
        """Rounded half to even. What has no rate yet counts for nothing."""
        if math.isnan(rate):
            return 0
        return round(units * (rate * self.per_unit(currency)))

    def per_unit(self, currency: str) -> float:
        """Units of the account for one of a currency that counts in it, at a rate of 1."""
        accounts = self.ledger.accounts
        return accounts[self.exchange[currency].into].units_per_one / accounts[currency].units_per_one

    def _maintenance(self, index: int) -> int:
        lots, rate = self.ledger.lots(index), self.instruments[index].margin.maintenance_rate
        return -int(-exposure_units(self, index, lots) * rate // 1) if lots and rate else 0

    def of_account(self, account: str) -> list[int]:
        """Indices of the instruments that count in an account."""
        return [index for index in range(len(self.instruments)) if self.account_of(index) == account]


def value_units(ledger: Ledger, instrument: Instrument, lots: int, price: float) -> int:
    """Money units of `lots` at `price`, signed as the lots; what does not fit counts as MONEY_LIMIT."""
    per_one = ledger.accounts[instrument.currency].units_per_one
    units = notional_units(price, grid_of(instrument.lot_size).value(lots), instrument.multiplier, per_one)
    return units if units != REFUSED else MONEY_LIMIT if price * lots > 0 else -MONEY_LIMIT


def equity(ledger: Ledger, instruments: Sequence[Instrument], market: Market, currency: str) -> int:
    """Balance + value of positions at their marks - their cost, in units; without a mark a position counts at cost."""
    total = ledger.accounts[currency].balance
    for index, position in ledger.positions.items():
        if position.lots and instruments[index].currency == currency:
            mark = float(market.last[index])
            if not math.isnan(mark):
                total += value_units(ledger, instruments[index], position.lots, mark) - position.cost
    return total


def working(ledger: Ledger, instrument: int) -> list[Order]:
    """Open orders that can add exposure. What is in doubt counts as if it were open."""
    return [
        order
        for order in ledger.orders.values()
        if order.request.instrument == instrument and not order.request.reduce_only
    ]


def on_the_way(ledger: Ledger, instrument: int) -> list[Order]:
    """Open orders that change the position as soon as they can: all but resting protection."""
    return [
        order
        for order in ledger.orders.values()
        if order.request.instrument == instrument
        and (not order.request.reduce_only or order.request.ord_type is OrdType.MARKET)
    ]


def worst_lots(context: RiskContext, instrument: int) -> tuple[int, int]:
    """(lowest, highest) position that working orders can lead to, in signed lots."""
    low = high = context.ledger.lots(instrument)
    for order in working(context.ledger, instrument):
        if order.request.side is Side.BUY:
            high += order.leaves_lots
        else:
            low -= order.leaves_lots
    return low, high


def worst_lots_with(context: RiskContext, order: OrderRequested) -> tuple[int, int]:
    """(lowest, highest) position in the order's instrument once it works too; not for reduce_only orders."""
    low, high = worst_lots(context, order.instrument)
    lots = context.lots_of(order)
    return (low, high + lots) if order.side.sign > 0 else (low - lots, high)


def is_reducing(context: RiskContext, order: OrderRequested) -> bool:
    """Whether the order can only bring the position nearer to zero, whatever else works fills first."""
    if order.reduce_only:
        return True
    position = context.ledger.lots(order.instrument)
    if not position:
        return False
    low, high = worst_lots_with(context, order)
    return low >= 0 < position if order.side.sign < 0 else high <= 0 > position


def exposure_units(context: RiskContext, instrument: int, lots: int) -> int:
    """|lots| at the mark, in the account's units; 0 where no mark is known: the gate refuses new orders there."""
    mark = context.mark(instrument)
    return 0 if math.isnan(mark) else abs(context.account_units(instrument, lots, mark))


def has_doubt(ledger: Ledger, instrument: int) -> bool:
    return OrdStatus.IN_DOUBT in [
        order.status for order in ledger.orders.values() if order.request.instrument == instrument
    ]
