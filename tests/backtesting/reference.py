"""The market model of docs/backtesting.md, rule by rule: what the kernel engine has to agree with to the last unit.

Written from the text alone, and slow. Integers where the text speaks of units, lots and ticks; floats, in the order in
which it names the factors, where it speaks of prices and quantities.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from typing import Any

from tradingd.backtesting.settings import BacktestSettings
from tradingd.events import TimeInForce
from tradingd.feeds.bars.funding import Funding
from tradingd.feeds.bars.table import Bars
from tradingd.instruments import AssetClass, Instrument

OPEN, INTRABAR = 0, 1
DECISION, STOP_LOSS, TAKE_PROFIT, LIQUIDATION, EXPIRY = range(5)
BORROW, FUNDING, INTEREST = range(3)
HOUR_NS = 3600 * 10**9
DAY_NS = 24 * HOUR_NS
NONE = math.nan  # no stop, no take profit: nothing compares with it


@dataclass(frozen=True)
class Fill:
    """Lots are signed; fee, realized and the balance after the fill are in units; `position` is that after the fill."""

    bar: int
    lots: int
    price: float
    fee: int
    realized: int
    position: int
    balance: int
    phase: int
    reason: int
    is_limit: bool


@dataclass(frozen=True)
class Posting:
    """What holding has cost, in units."""

    bar: int
    kind: int
    change: int


@dataclass(frozen=True)
class Decision:
    target: float = 0.0
    close: float = NONE
    stop: float = NONE
    take_profit: float = NONE
    limit: float = NONE
    trigger: float = NONE
    trail: float = NONE

    def differs(self, other: "Decision") -> bool:
        return (
            self.target != other.target
            or not alike(self.stop, other.stop)
            or not alike(self.take_profit, other.take_profit)
            or not alike(self.trail, other.trail)
            or self.enters_otherwise(other)
        )

    def enters_otherwise(self, other: "Decision") -> bool:
        return not alike(self.limit, other.limit) or not alike(self.trigger, other.trigger)

    @property
    def price(self) -> float:
        """What is sized by."""
        return first_of(self.limit, self.trigger, self.close)


@dataclass
class Order:
    """`decision` is the one that placed it; of an entry, whether it has met its first opportunity, and sleeps."""

    lots: int
    opens: bool
    turns: bool
    decision: Decision
    has_begun: bool = False
    is_new: bool = True
    sleeps: bool = False
    day: int | None = None  # of the first open that it met

    def is_of_another_day(self, day: int) -> bool:
        return self.opens and self.day not in (None, day)


@dataclass
class Reference:
    settings: BacktestSettings
    bar: int = 0
    day: int = 0
    phase: int = OPEN
    balance: int = 0
    lots: int = 0
    cost: int = 0
    stop: float = NONE  # the protection that rests
    take_profit: float = NONE
    trail: float = NONE
    decision: Decision | None = None
    order: Order | None = None
    replacing: Decision | None = None  # which takes back what waited
    has_traded: bool = False  # of the order that was placed last
    is_awake: bool = False  # the stop was reached
    room: float = math.inf  # lots
    fills: list[Fill] = field(default_factory=list)
    postings: list[Posting] = field(default_factory=list)
    has_expired: bool = False
    past_ns: int = 0  # time has passed up to here
    recorded: dict[int, float] = field(default_factory=dict)  # funding rates

    @property
    def force(self) -> TimeInForce:
        return self.settings.time_in_force

    @property
    def instrument(self) -> Instrument:
        return self.settings.instrument

    # holding

    def time_passes(self, until_ns: int, mark: float) -> None:
        """Up to `until_ns`, and at it."""
        hours = range((self.past_ns // HOUR_NS + 1) * HOUR_NS, until_ns + 1, HOUR_NS)
        recorded = [ts_ns for ts_ns in self.recorded if self.past_ns < ts_ns <= until_ns]
        expiry = [self.expires_ns] if self.past_ns < self.expires_ns <= until_ns else []
        closed_ns = self.past_ns + 1
        for ts_ns in sorted({*hours, *recorded, *expiry}):
            if ts_ns > closed_ns:
                self.replace_what_waited()
            if ts_ns % HOUR_NS == 0:
                self.instant(ts_ns, mark)
            if ts_ns == self.expires_ns:
                self.expire(mark)
            if ts_ns in self.recorded:
                self.funding(self.recorded[ts_ns], mark)
        self.replace_what_waited()
        self.past_ns = until_ns

    def instant(self, at_ns: int, mark: float) -> None:
        terms = self.instrument.financing
        if at_ns % DAY_NS == 0:
            self.borrow(mark)
        if at_ns % (terms.funding_interval_h * HOUR_NS) == 0:
            self.funding(terms.funding_rate, mark)
        if at_ns % DAY_NS == 0:
            self.interest()

    @property
    def expires_ns(self) -> int:
        return self.instrument.expires_ns

    def expire(self, mark: float) -> None:
        self.has_expired, self.order, self.phase, self.replacing = True, None, OPEN, None
        if self.lots:
            self.fill(-self.lots, mark, EXPIRY)

    def borrow(self, mark: float) -> None:
        if self.lots < 0:
            value = self.notional(mark, self.lots)
            self.post(BORROW, -round(abs(value) * self.instrument.financing.borrow_rate / 365))

    def funding(self, rate: float, mark: float) -> None:
        self.post(FUNDING, -round(self.notional(mark, self.lots) * rate))

    def interest(self) -> None:
        account = self.settings.account
        cash = self.balance
        if self.lots > 0 and self.instrument.asset_class in (AssetClass.EQUITY, AssetClass.SPOT):
            cash -= self.cost
        rate = account.interest_rate if cash > 0 else account.debit_rate
        self.post(INTEREST, round(cash * rate / 365))

    def post(self, kind: int, change: int) -> None:
        if change:
            self.balance += change
            self.postings.append(Posting(self.bar, kind, change))

    # the phases

    def open(self, price: float) -> None:
        self.phase = OPEN
        self.protection_meets_the_open(price)
        self.stop_comes_after(price)
        if self.force is TimeInForce.DAY and self.order is not None and self.order.is_of_another_day(self.day):
            self.order = None
        order = self.order
        if order is None:
            return
        assert self.decision is not None
        if order.opens:
            self.entry_meets_the_open(order, price)
            return
        order.lots = self.at_most_the_position(order.lots)
        lots = self.at_most_the_room(order.lots)
        order.lots -= lots
        self.market_order(lots, self.met(price, lots > 0), DECISION)
        if order.lots == 0:
            self.order = None
        if order.turns and self.order is None:
            self.place(self.sized(self.decision, mark=price), self.decision)
            if self.order is not None:
                self.entry_meets_the_open(self.order, price)

    def entry_meets_the_open(self, entry: Order, price: float) -> None:
        limit, trigger, buys = entry.decision.limit, entry.decision.trigger, entry.lots > 0
        had_begun, recorded, price = entry.has_begun, price, self.met(price, entry.lots > 0)
        entry.day = self.day
        if entry.sleeps and (price >= trigger if buys else price <= trigger):
            entry.sleeps, entry.is_new = False, True
        if entry.sleeps:
            return
        if math.isnan(limit):
            self.enter(entry, self.market_price(price, buys), is_limit=False)
        elif price <= limit if buys else price >= limit:
            at = self.on_grid(price, buys, 0) if entry.is_new else limit
            self.enter(entry, at, is_maker=not entry.is_new)
        entry.is_new = False
        if self.force is TimeInForce.IOC:
            self.order = None
        if entry.has_begun and not had_begun:
            self.protection_meets_the_open(recorded, rested=False)

    def enter(self, entry: Order, price: float, is_limit: bool = True, is_maker: bool = False) -> None:
        lots, had_begun = self.at_most_the_room(entry.lots), entry.has_begun
        entry.lots -= lots
        if entry.lots == 0:
            self.order = None
        if lots == 0:
            return
        entry.has_begun = True
        self.fill(lots, price, DECISION, is_limit, is_maker)
        if had_begun:
            return
        newest, placed = self.decision, entry.decision
        assert newest is not None
        self.take_over_protection(
            Decision(
                stop=either(newest.stop, placed.stop),
                take_profit=either(newest.take_profit, placed.take_profit),
                trail=either(newest.trail, placed.trail),
            ),
            price,
        )

    def intrabar(self, low: float, high: float) -> None:
        self.phase = INTRABAR
        if self.lots != 0:
            self.protection_within(*((low, high) if self.lots > 0 else (high, low)))
        if self.order is not None and self.order.opens:
            self.entry_within(self.order, low, high)
        if not self.entered_within():
            self.stop_comes_after(high if self.lots > 0 else low)
        worst = low if self.lots > 0 else high
        if self.lots != 0 and self.equity(worst) < self.maintenance_margin(worst):
            closing = 0 if self.order is None or self.order.opens else self.at_most_the_position(self.order.lots)
            lots = -self.lots - closing
            self.the_exit_has_begun(lots)
            self.market_order(lots, self.met(worst, lots > 0), LIQUIDATION)

    def entered_within(self) -> bool:
        made = (fill for fill in self.fills if fill.bar == self.bar and fill.phase == INTRABAR)
        return any(fill.reason == DECISION for fill in made)

    def protection_within(self, worst: float, best: float) -> None:
        if self.is_at_or_beyond_the_stop(self.met(worst, self.lots < 0)):
            self.is_awake = True
            self.leave(self.market_price(self.stop, self.lots < 0), STOP_LOSS)
        elif self.has_reached_the_take_profit(self.met(best, self.lots < 0)):
            self.leave(self.take_profit, TAKE_PROFIT, is_limit=True, is_maker=True)

    def entry_within(self, entry: Order, low: float, high: float) -> None:
        limit, trigger, buys = entry.decision.limit, entry.decision.trigger, entry.lots > 0
        had_begun, fills, slept = entry.has_begun, len(self.fills), entry.sleeps
        cheap, dear = self.met(low, buys), self.met(high, buys)
        if not entry.sleeps:
            if cheap <= limit if buys else dear >= limit:
                self.enter(entry, limit, is_maker=True)
        elif dear >= trigger if buys else cheap <= trigger:
            entry.sleeps = entry.is_new = False
            if math.isnan(limit):
                self.enter(entry, self.market_price(trigger, buys), is_limit=False)
            elif trigger <= limit if buys else trigger >= limit:
                self.enter(entry, self.on_grid(trigger, buys, 0))
        if self.force is TimeInForce.IOC and slept and not entry.sleeps:
            self.order = None
        if len(self.fills) > fills and not had_begun:
            self.stop_of_an_entry_within(self.fills[-1].price, low, high)

    def stop_of_an_entry_within(self, price: float, low: float, high: float) -> None:
        """What the entry met, on the other side of the spread."""
        spread = self.instrument.spread_ticks * (1 if self.lots > 0 else -1)
        price = self.price_of(self.nearest_tick(price) - spread)
        low, high = self.met(low, self.lots < 0), self.met(high, self.lots < 0)
        if self.is_at_or_beyond_the_stop(low if self.lots > 0 else high):
            self.is_awake = True
            met = min(self.stop, price, high) if self.lots > 0 else max(self.stop, price, low)
            self.leave(self.market_price(met, self.lots < 0), STOP_LOSS)

    def close(self, price: float, heard: Any) -> None:
        if heard is None or self.has_expired:
            return
        before, decision = self.decision, self.decision_of(heard, price)
        if before is None and decision.target == 0:
            return
        if before is not None and not decision.differs(before):
            return
        self.decision = decision
        anew = before is None or decision.target != before.target
        if anew:
            self.has_traded = False
        asks = anew or (before is not None and decision.enters_otherwise(before))
        if asks and self.order is not None and (anew or self.order.opens):
            self.order, self.replacing = None, decision
        elif asks and self.order is None and (anew or not self.has_traded):
            self.place_for(decision)
        if decision.target * self.lots > 0:
            self.take_over_protection(decision, price)

    def protection_meets_the_open(self, price: float, rested: bool = True) -> None:
        if self.lots == 0:
            return
        price = self.met(price, self.lots < 0)
        if self.is_awake or self.is_at_or_beyond_the_stop(price):
            self.is_awake = True
            self.leave(self.market_price(price, self.lots < 0), STOP_LOSS)
        elif self.has_reached_the_take_profit(price) and rested:
            self.leave(self.take_profit, TAKE_PROFIT, is_limit=True, is_maker=True)
        elif self.has_reached_the_take_profit(price):
            self.leave(self.on_grid(price, self.lots < 0, 0), TAKE_PROFIT, is_limit=True)

    def leave(self, price: float, reason: int, is_limit: bool = False, is_maker: bool = False) -> None:
        """Protection closes what there is room for."""
        lots = self.at_most_the_room(-self.lots)
        self.the_exit_has_begun(lots)
        if lots:
            self.fill(lots, price, reason, is_limit, is_maker)

    def the_exit_has_begun(self, lots: int) -> None:
        if lots and self.order is not None and self.order.opens and self.order.has_begun:
            self.order = None

    # volume

    def make_room(self, volume: float) -> None:
        share = self.settings.simulation.volume_share
        self.room = math.inf if share is None else max(self.largest_count(volume * share), 0)

    def at_most_the_room(self, lots: int) -> int:
        return lots if abs(lots) <= self.room else int(math.copysign(self.room, lots))

    # decisions

    def decision_of(self, heard: Any, close: float) -> Decision:
        confidence = float(heard["confidence"])
        target = 0.0
        if confidence != 0:
            target = confidence * (float(heard["target"]) * self.settings.allocation) / confidence
        if target == 0:
            return Decision(0.0, close)
        names = ("stop", "take_profit", "limit", "trigger", "trail")
        return Decision(target, close, *(float(heard[name]) for name in names))

    def replace_what_waited(self) -> None:
        if self.replacing is not None:
            decision, self.replacing = self.replacing, None
            self.place_for(decision)

    def place_for(self, decision: Decision) -> None:
        wanted = self.sized(decision, mark=decision.close)
        self.place(0 if wanted * self.lots < 0 else wanted, decision)

    def place(self, goal: int, decision: Decision) -> None:
        self.order = None
        if goal != self.lots:
            opens, turns = abs(goal) > abs(self.lots), decision.target * self.lots < 0
            sleeps = opens and not math.isnan(decision.trigger)
            self.order = Order(goal - self.lots, opens, turns, decision, sleeps=sleeps)
            self.has_traded = False

    def at_most_the_position(self, lots: int) -> int:
        """Of an order that only reduces."""
        if lots * self.lots >= 0:
            return 0
        return lots if abs(lots) <= abs(self.lots) else -self.lots

    def take_over_protection(self, decision: Decision, price: float) -> None:
        """What the decision does not have stays as it was."""
        if self.lots == 0:
            return
        if not math.isnan(decision.take_profit):
            self.take_profit = decision.take_profit
        if self.is_awake:
            return
        levels = [self.stop if math.isnan(decision.stop) else decision.stop]
        if not math.isnan(self.trail):
            levels.append(self.stop)
        if not math.isnan(decision.trail) and decision.trail != self.trail:
            self.trail = decision.trail
            levels.append(self.behind(price))
        self.stop = self.tightest(levels)

    def stop_comes_after(self, price: float) -> None:
        if self.lots != 0 and not math.isnan(self.trail) and not self.is_awake:
            self.stop = self.tightest([self.stop, self.behind(self.met(price, self.lots < 0))])

    def behind(self, price: float) -> float:
        count = self.nearest_tick(price - self.trail if self.lots > 0 else price + self.trail)
        return self.price_of(count if self.instrument.negative_prices else max(count, 1))

    def tightest(self, levels: list[float]) -> float:
        known = [level for level in levels if not math.isnan(level)]
        return (max(known) if self.lots > 0 else min(known)) if known else NONE

    def is_at_or_beyond_the_stop(self, price: float) -> bool:
        return price <= self.stop if self.lots > 0 else price >= self.stop

    def has_reached_the_take_profit(self, price: float) -> bool:
        return price >= self.take_profit if self.lots > 0 else price <= self.take_profit

    # prices

    def price_of(self, count: int) -> float:
        numerator, denominator = fraction_of(self.instrument.tick_size)
        return count * numerator / denominator

    def nearest_tick(self, price: float) -> int:
        numerator, denominator = fraction_of(self.instrument.tick_size)
        return round(price * denominator / numerator)

    def tick_at_or_above(self, price: float) -> int:
        count = math.floor(Fraction(price) / Fraction(*fraction_of(self.instrument.tick_size))) - 2
        while self.price_of(count) < price:
            count += 1
        return count

    def tick_at_or_below(self, price: float) -> int:
        count = math.ceil(Fraction(price) / Fraction(*fraction_of(self.instrument.tick_size))) + 2
        while self.price_of(count) > price:
            count -= 1
        return count

    def met(self, price: float, buys: bool) -> float:
        """The ask of a recorded price, or its bid."""
        side = self.instrument.recorded_side
        if side == ("ask" if buys else "bid") or self.instrument.spread_ticks == 0:
            return price
        away = self.instrument.spread_ticks * (1 if side == "mid" else 2)
        numerator, denominator = fraction_of(self.instrument.tick_size)
        halves = Fraction(price) / Fraction(numerator, 2 * denominator)
        count = math.floor(halves) - 2 if buys else math.ceil(halves) + 2
        while buys and count * numerator / (2 * denominator) < price:
            count += 1
        while not buys and count * numerator / (2 * denominator) > price:
            count -= 1
        return (count + away if buys else count - away) * numerator / (2 * denominator)

    def market_price(self, met: float, buys: bool) -> float:
        simulation = self.settings.simulation
        slipped = simulation.slippage_rate * abs(met)
        return self.on_grid(met + slipped if buys else met - slipped, buys, simulation.slippage_ticks)

    def on_grid(self, met: float, buys: bool, slippage: int) -> float:
        count = self.tick_at_or_above(met) + slippage if buys else self.tick_at_or_below(met) - slippage
        if not self.instrument.negative_prices:
            count = max(count, 1)
        return self.price_of(count)

    # sizes

    def quantity_of(self, lots: int) -> float:
        numerator, denominator = fraction_of(self.instrument.lot_size)
        return lots * numerator / denominator

    def sized(self, decision: Decision, mark: float) -> int:
        """Wanted lots, signed as the target."""
        target, price, stop = decision.target, decision.price, decision.stop
        risk = self.settings.risk
        equity = max(self.equity(mark), 0) / self.settings.account.units_per_one
        stake = equity * abs(target)
        distance = decision.trail if math.isnan(stop) else abs(price - stop)
        if risk.risk_per_trade is not None and distance > 0:
            quantity = stake * risk.risk_per_trade / distance
        else:
            quantity = stake / abs(price) if price != 0 else 0.0
        dearest = max(abs(price), abs(mark))
        if price == 0:
            return 0
        quantity = min(quantity, risk.max_leverage * equity / dearest)
        quantity = min(quantity, equity / self.instrument.margin.initial_rate / dearest)
        return self.largest_count(quantity / self.instrument.multiplier) * (1 if target > 0 else -1)

    def largest_count(self, quantity: float) -> int:
        """The largest count of lots whose value is not above `quantity`."""
        count = math.ceil(Fraction(quantity) / Fraction(*fraction_of(self.instrument.lot_size))) + 2
        while self.quantity_of(count) > quantity:
            count -= 1
        return count

    # money

    def notional(self, price: float, lots: int) -> int:
        """Signed as lots and price are."""
        units = price * self.quantity_of(lots) * self.instrument.multiplier * self.settings.account.units_per_one
        return round(units)

    def equity(self, mark: float) -> int:
        return self.balance + self.notional(mark, self.lots) - self.cost

    def maintenance_margin(self, mark: float) -> int:
        return math.ceil(abs(self.notional(mark, self.lots)) * self.instrument.margin.maintenance_rate)

    def commission(self, notional: int, lots: int, is_maker: bool) -> int:
        fees, per_one = self.instrument.fees, self.settings.account.units_per_one
        rate = fees.maker_rate if is_maker else fees.taker_rate
        units = rate * abs(notional) + fees.per_unit * self.quantity_of(abs(lots)) * per_one
        if fees.minimum:
            units = max(units, fees.minimum * per_one)
        return round(units)

    def market_order(self, lots: int, met: float, reason: int) -> None:
        if lots:
            self.fill(lots, self.market_price(met, lots > 0), reason)

    def fill(self, lots: int, price: float, reason: int, is_limit: bool = False, is_maker: bool = False) -> None:
        notional = self.notional(price, lots)
        fee = 0 if reason == EXPIRY else self.commission(notional, lots, is_maker)
        realized = 0
        if lots * self.lots >= 0:
            self.cost += notional
        else:
            released = round(Fraction(self.cost * abs(lots), abs(self.lots)))
            realized = -notional - released
            self.cost -= released
        self.lots += lots
        self.balance += realized - fee
        if self.lots == 0:
            self.stop = self.take_profit = self.trail = NONE
            self.is_awake = False
        if reason != LIQUIDATION:
            self.room -= abs(lots)
        self.has_traded |= reason == DECISION
        self.fills.append(
            Fill(self.bar, lots, price, fee, realized, self.lots, self.balance, self.phase, reason, is_limit),
        )


@lru_cache
def fraction_of(step: float) -> tuple[int, int]:
    """Numerator and denominator of its decimal text."""
    return Decimal(repr(step)).as_integer_ratio()


def first_of(*prices: float) -> float:
    return next(price for price in prices if not math.isnan(price))


def either(one: float, other: float) -> float:
    return other if math.isnan(one) else one


def alike(one: float, other: float) -> bool:
    return one == other or (math.isnan(one) and math.isnan(other))


def run(
    settings: BacktestSettings, bars: Bars, signals: Iterable[Any], kind: Callable[..., Reference] = Reference
) -> tuple[list[Fill], list[float], list[int]]:
    """Fills; equity in money and the position in lots after each bar."""
    model, equity, lots = played(settings, bars, signals, kind)
    return model.fills, equity, lots


def played(
    settings: BacktestSettings,
    bars: Bars,
    signals: Iterable[Any],
    kind: Callable[..., Reference] = Reference,
    funding: Funding | None = None,
) -> tuple[Reference, list[float], list[int]]:
    model = kind(settings, balance=settings.account.balance_units, past_ns=int(bars.ts_open_ns[0]))
    model.has_expired = settings.instrument.expires_ns <= model.past_ns
    if funding is not None:
        model.recorded = dict(zip(funding.ts_ns.tolist(), funding.rate.tolist(), strict=True))
    heard = {int(signal["bar"]): signal for signal in signals}
    equity, lots = [], []
    columns = (bars.open, bars.high, bars.low, bars.close, bars.volume)
    rows = zip(*(column.tolist() for column in columns), strict=True)
    times = zip(bars.ts_open_ns.tolist(), bars.ts_close_ns.tolist(), strict=True)
    mark = NONE
    for model.bar, ((open_, high, low, close, volume), (opens_ns, closes_ns)) in enumerate(
        zip(rows, times, strict=True)
    ):
        model.time_passes(opens_ns, mark)
        model.make_room(volume)
        model.day = int(bars.ts_open_ns[model.bar]) // DAY_NS
        model.open(open_)
        model.time_passes(closes_ns - 1, open_)
        model.intrabar(low, high)
        model.close(close, heard.get(model.bar))
        equity.append(model.equity(close) / settings.account.units_per_one)
        lots.append(model.lots)
        mark = close
    return model, equity, lots
