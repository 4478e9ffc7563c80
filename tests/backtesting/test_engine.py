"""The kernel engine against the reference that is written from docs/backtesting.md, and each rule by hand."""

import ctypes
import math
import mmap
from collections import Counter
from collections.abc import Sequence
from dataclasses import astuple, dataclass, field, fields, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, event, given, reject, settings
from hypothesis import strategies as st
from msgspec import structs

from tradingd.backtesting.engine import ROOM, Executed, trade
from tradingd.backtesting.errors import BacktestError
from tradingd.backtesting.settings import BacktestSettings, settings_of
from tradingd.feeds.bars.funding import MINUTE_NS, Funding
from tradingd.feeds.bars.table import Bars
from tradingd.instruments import DAY_NS, HOUR_NS
from tradingd.kernels import book as k
from tradingd.kernels.signals import SIGNAL
from tradingd.reducers.post import FINANCING

from . import reference

NAN = math.nan


def bars_of(rows: Any, length_ns: int = DAY_NS, opened_ns: Any = None) -> Bars:
    """Rows of open, high, low, close; one after another where no times are given."""
    prices = np.array(rows, float).reshape(-1, 4).T.copy()
    opened = np.arange(prices.shape[1], dtype=np.int64) * length_ns if opened_ns is None else np.array(opened_ns)
    return Bars(opened, opened + length_ns, *prices, np.zeros(prices.shape[1]))


def signals_of(rows: Any) -> np.ndarray[Any, Any]:
    """Rows of bar, target, confidence, and the prices of calls.PRICES."""
    return np.array([tuple(row) for row in rows], SIGNAL)


# random worlds


@dataclass(frozen=True)
class World:
    settings: BacktestSettings
    bars: Bars
    signals: np.ndarray[Any, Any]
    funding: Funding | None = None


def one_of(rng: np.random.Generator, *choices: Any) -> Any:
    return choices[int(rng.integers(len(choices)))]


def random_instrument(rng: np.random.Generator) -> dict[str, Any]:
    initial, maintenance = one_of(rng, (1.0, 0.0), (0.5, 0.25), (0.05, 0.03))
    return {
        "id": "X:X",
        "asset_class": one_of(rng, "future", "equity"),
        "tick_size": one_of(rng, 0.01, 0.25, 5e-05),
        "lot_size": one_of(rng, 1.0, 0.001, 100.0),
        "multiplier": one_of(rng, 1.0, 50.0),
        "currency": "USD",
        "fees": {
            "maker_rate": one_of(rng, 0.0, -0.0001, 0.0002),
            "taker_rate": one_of(rng, 0.0, 0.001, 0.00075, 0.02),
            "per_unit": one_of(rng, 0.0, 0.0, 0.005, 1.3),
            "minimum": one_of(rng, 0.0, 0.0, 1.0, 0.35),
        },
        "margin": {"initial_rate": initial, "maintenance_rate": maintenance},
        "financing": random_financing(rng),
        "negative_prices": one_of(rng, False, True),
        "spread_ticks": one_of(rng, 0, 0, 1, 2, 30),
        "recorded_side": one_of(rng, "mid", "mid", "bid", "ask"),
    }


def random_financing(rng: np.random.Generator) -> dict[str, Any]:
    """None, or so much that it matters."""
    return {
        "borrow_rate": one_of(rng, 0.0, 0.03, 20.0),
        "funding_rate": one_of(rng, 0.0, 0.0001, -0.003, 0.02),
        "funding_interval_h": one_of(rng, 1, 4, 8, 24),
    }


def random_times(rng: np.random.Generator, count: int) -> tuple[int, Any]:
    """Length and opens of bars; some begin within an hour, and with gaps between some."""
    length = one_of(rng, DAY_NS, DAY_NS, 4 * HOUR_NS, HOUR_NS, HOUR_NS // 4)
    gaps = rng.choice([0, 0, 0, 0, 1, 3, 70], count) * length
    return length, one_of(rng, 0, 0, 20 * HOUR_NS, HOUR_NS // 2) + np.cumsum(gaps) + np.arange(count) * length


def random_backtest(rng: np.random.Generator, instrument: dict[str, Any], price: float) -> BacktestSettings:
    """With a balance that pays for a few lots or for many, and that a double holds to the unit."""
    places = one_of(rng, 0, 2, 6)
    lots = one_of(rng, 2, 30, 1000, 50_000)
    balance = min(max(price * instrument["lot_size"] * instrument["multiplier"] * lots, 1.0), 1e14 / 10**places)
    return settings_of(
        {
            "kind": "sma_cross",
            "allocation": one_of(rng, 1.0, 0.3, 0.75),
            "time_in_force": one_of(rng, "GoodTillCancel", "GoodTillCancel", "Day", "ImmediateOrCancel"),
            "instrument": instrument,
            "account": {
                "currency": "USD",
                "balance": f"{balance:.0f}",
                "unit": f"{10**-places:.{places}f}",
                "interest_rate": one_of(rng, 0.0, 0.0, 0.05, -0.01),
                "debit_rate": one_of(rng, 0.0, 0.08),
            },
            "risk": {
                "max_leverage": one_of(rng, 0.5, 1.0, 3.0, 20.0),
                "risk_per_trade": one_of(rng, None, 0.01, 0.2, 1.0),
            },
            "simulation": {
                "slippage_ticks": one_of(rng, 0, 1, 7),
                "slippage_rate": one_of(rng, 0.0, 0.0, 0.0005, 0.03),
                "volume_share": one_of(rng, None, None, 0.1, 0.3, 1.0),
            },
        }
    )


def with_volumes(rng: np.random.Generator, bars: Bars, backtest: BacktestSettings) -> Bars:
    """Of none to more than all money pays for."""
    instrument, price = backtest.instrument, max(float(np.abs(bars.close).mean()), backtest.instrument.tick_size)
    affordable = float(backtest.account.balance) / price / instrument.multiplier
    volumes = affordable * rng.choice([0.0, 0.3, 1.0, 5.0, 50.0], len(bars)) * rng.random(len(bars))
    if rng.random() < 0.5:
        volumes = np.round(volumes / instrument.lot_size) * instrument.lot_size
    return replace(bars, volume=volumes)


STEPS = (0.001, 0.01, 0.05, 0.3)


def random_bars(
    rng: np.random.Generator,
    count: int,
    start: float,
    tick: float,
    negative: bool,
    steps: Sequence[float] = STEPS,
    timed: bool = False,
) -> Bars:
    """A walk in ticks: small and large, on and off the grid, with gaps; open and close are within low and high."""
    size = max(start * float(rng.choice(steps)), 0.5)
    gaps = rng.choice([0.0, 0.0, 1.0, 4.0], count) * rng.normal(0, size, count)
    moves = rng.normal(0, size, count)
    close = start + np.cumsum(gaps + moves)
    open_ = close - moves
    high = np.maximum(open_, close) + np.abs(rng.normal(0, size / 2, count))
    low = np.minimum(open_, close) - np.abs(rng.normal(0, size / 2, count))
    ticks = np.stack([open_, high, low, close], axis=1)
    if rng.random() < 0.7:
        ticks = np.round(ticks)
    if not negative:
        ticks = np.maximum(np.abs(ticks) if rng.random() < 0.8 else ticks, rng.choice([1.0, 0.3, 0.0]))
        ticks[:, 1], ticks[:, 2] = ticks.max(axis=1), ticks.min(axis=1)
    return bars_of(ticks / round(1 / tick), *(random_times(rng, count) if timed else ()))


def random_signals(rng: np.random.Generator, bars: Bars, tick: float) -> np.ndarray[Any, Any]:
    """Targets that repeat, turn, grow and shrink; stops and take profits mostly on the tick and on the right side."""
    often = float(rng.choice([0.1, 0.4, 0.9]))
    targets = rng.choice([-1.0, -0.5, -0.3, 0.0, 0.3, 0.5, 1.0, rng.uniform(-1, 1)], 4)
    spread = float(np.mean(bars.high - bars.low)) + tick
    den = round(1 / tick)
    trails = float(rng.choice([0.0, 0.3, 0.8]))
    rows = []
    for bar in np.flatnonzero(rng.random(len(bars)) < often):
        target = float(rng.choice(targets))
        confidence = float(rng.choice([1.0, 1.0, 0.7, 0.3, rng.random(), 0.0]))
        prices = []
        for side in (-1, 1):
            away = side * math.copysign(1.0, target) * (1 if rng.random() < 0.9 else -1)
            price = bars.close[bar] + away * spread * float(rng.choice([0.0, 0.4, 1.0, 2.0, 4.0]))
            if rng.random() < 0.95:
                price = round(price * den) / den
            prices.append(price if rng.random() < 0.6 else NAN)
        entry = entry_prices(rng, target, bars.close[bar], spread, den)
        trail = round(spread * float(rng.choice([0.3, 1.0, 3.0])) * den) / den or NAN
        rows.append((int(bar), target, confidence, *prices, *entry, trail if rng.random() < trails else NAN))
    return signals_of(rows)


def random_funding(rng: np.random.Generator, bars: Bars) -> Funding | None:
    """None; or rates at some minutes, of which many are those of opens, closes and whole hours."""
    if rng.random() < 0.5:
        return None
    anywhere = rng.integers(bars.ts_open_ns[0] - DAY_NS, bars.ts_close_ns[-1] + DAY_NS, 20)
    hours = anywhere // HOUR_NS * HOUR_NS
    some = np.concatenate([anywhere, hours, rng.choice(bars.ts_open_ns, 10), rng.choice(bars.ts_close_ns, 10)])
    times = np.unique(some[some > 0] // MINUTE_NS * MINUTE_NS)
    return Funding(times, rng.choice([0.0001, -0.0003, 0.05], len(times)))


def random_expiry(rng: np.random.Generator, bars: Bars) -> str | None:
    """None, or at some hour, open or close."""
    if rng.random() < 0.7:
        return None
    hour = int(rng.integers(bars.ts_open_ns[0] - DAY_NS, bars.ts_close_ns[-1] + DAY_NS)) // HOUR_NS * HOUR_NS
    at_ns = int(one_of(rng, hour, one_of(rng, *bars.ts_open_ns.tolist()), one_of(rng, *bars.ts_close_ns.tolist())))
    return f"{datetime.fromtimestamp(max(at_ns, 0) // 10**9, UTC):%Y-%m-%dT%H:%M:%SZ}"


def entry_prices(rng: np.random.Generator, target: float, close: float, spread: float, den: int) -> list[float]:
    """Limit and trigger: none, one of them, or both, mostly on the side where they have to wait."""
    named = one_of(rng, (0, 0), (0, 0), (1, 0), (0, 1), (1, 1))
    side = math.copysign(1.0, target) * (1 if rng.random() < 0.9 else -1)
    sides = (one_of(rng, -1, 1) if named[1] else -1, 1)
    return [
        round((close + side * away * spread * float(rng.choice([0.0, 0.2, 0.5, 1.0, 3.0]))) * den) / den if has else NAN
        for has, away in zip(named, sides, strict=True)
    ]


def world_of(seed: int, count: int = 80) -> World:
    """Its first bars are the same for any count."""
    rng = np.random.default_rng(seed)
    start = one_of(rng, 3.0, 400.0, 10_000.0, 2_000_000.0)  # in ticks
    instrument = random_instrument(rng)
    tick = instrument["tick_size"]
    backtest = random_backtest(rng, instrument, start * tick)
    bars = random_bars(rng, 80, start, tick, instrument["negative_prices"], timed=True)
    bars = with_volumes(rng, bars, backtest)
    signals, funding = random_signals(rng, bars, tick), random_funding(rng, bars)
    expiring = structs.replace(backtest.instrument, expires=random_expiry(rng, bars))
    backtest = structs.replace(backtest, instrument=expiring)
    return beginning(World(backtest, bars, signals, funding), count)


def beginning(world: World, count: int) -> World:
    bars = Bars(*[getattr(world.bars, column.name)[:count].copy() for column in fields(Bars)])
    return World(world.settings, bars, world.signals[world.signals["bar"] < count], world.funding)


worlds = partial(st.builds, world_of, st.integers(0, 2**32), st.integers(1, 80))


@dataclass
class Watched(reference.Reference):
    """Counts what happens, so that the random worlds are known to reach it."""

    seen: Counter[str] = field(default_factory=Counter)

    def protection_meets_the_open(self, price: float, rested: bool = True) -> None:
        fills = len(self.fills)
        super().protection_meets_the_open(price, rested)
        if len(self.fills) == fills:
            return
        entered = fills > 0 and self.fills[fills - 1].bar == self.bar and self.fills[fills - 1].reason == k.DECISION
        what = ("stop", "take profit")[int(self.fills[-1].reason == k.TAKE_PROFIT)]
        self.seen[f"{what} of an entry meets the open" if entered else f"gap to the {what}"] += 1
        if not entered and self.order is not None and (self.order.turns or self.order.opens):
            self.seen[f"gap before {'a turn' if self.order.turns else 'an order that opens'}"] += 1

    def expire(self, mark: float) -> None:
        self.seen["expiry of a position"] += self.lots != 0
        self.seen["expiry of an order"] += self.order is not None
        super().expire(mark)

    def post(self, kind: int, change: int) -> None:
        self.seen[FINANCING[kind]] += change != 0
        self.seen["charge of a position"] += change != 0 and self.lots != 0
        super().post(kind, change)

    def intrabar(self, low: float, high: float) -> None:
        super().intrabar(low, high)
        if self.fills and self.fills[-1].bar == self.bar and self.fills[-1].reason == k.LIQUIDATION:
            self.seen["liquidation"] += 1

    def protection_within(self, worst: float, best: float) -> None:
        stop, limit, fills = self.stop, self.take_profit, len(self.fills)
        low, high = sorted((worst, best))
        super().protection_within(worst, best)
        if len(self.fills) == fills:
            return
        reason = self.fills[-1].reason
        self.seen[("", "stop", "take profit")[reason]] += 1
        self.seen["stop and take profit in a bar"] += (
            reason == k.STOP_LOSS and low <= min(stop, limit) <= max(stop, limit) <= high
        )
        self.seen["entry and exit in a bar"] += fills > 0 and self.fills[fills - 1].bar == self.bar

    def leave(self, price: float, reason: int, is_limit: bool = False, is_maker: bool = False) -> None:
        wanted, had = abs(self.lots), self.order is not None
        self.seen["trailing stop"] += reason == k.STOP_LOSS and not math.isnan(self.trail)
        super().leave(price, reason, is_limit, is_maker)
        if 0 < abs(self.lots) < wanted:
            self.seen[("", "stop in part", "take profit in part")[reason]] += 1
        self.seen["stop that finds no volume"] += abs(self.lots) == wanted and reason == k.STOP_LOSS
        self.seen["exit that ends its entry"] += had and self.order is None

    def open(self, price: float) -> None:
        before = self.order
        lots = before.lots if before else 0
        super().open(price)
        if before is not None and self.order is before:
            kind = "an order that opens" if before.opens else "a turn" if before.turns else "a reduction"
            self.seen[f"{kind} in part"] += before.lots != lots
            self.seen["no volume for an order"] += before.lots == lots and self.room == 0

    def replace_what_waited(self) -> None:
        has_to = self.replacing is not None
        super().replace_what_waited()
        self.seen["replaced entry"] += has_to and self.order is not None

    def enter(self, entry: reference.Order, price: float, is_limit: bool = True, is_maker: bool = False) -> None:
        has = tuple(not math.isnan(price) for price in (entry.decision.limit, entry.decision.trigger))
        kind = {(False, False): "market", (True, False): "limit", (False, True): "stop", (True, True): "stop-limit"}[
            has
        ]
        self.seen[f"{kind} entry at {('the open', 'a range')[self.phase]}{' as a maker' if is_maker else ''}"] += 1
        self.seen["entry after protection in a bar"] += bool(self.fills) and (
            self.fills[-1].bar == self.bar and self.fills[-1].reason != k.DECISION
        )
        self.traded(entry.lots)
        super().enter(entry, price, is_limit, is_maker)

    def stop_of_an_entry_within(self, price: float, low: float, high: float) -> None:
        fills = len(self.fills)
        super().stop_of_an_entry_within(price, low, high)
        self.seen["stop of an entry within the bar"] += len(self.fills) > fills

    def stop_comes_after(self, price: float) -> None:
        stop = self.stop
        super().stop_comes_after(price)
        self.seen["stop that trails comes after a price"] += self.stop != stop and not math.isnan(stop)

    def market_order(self, lots: int, met: float, reason: int) -> None:
        if reason == k.DECISION and lots:
            self.traded(lots)
        super().market_order(lots, met, reason)

    def traded(self, lots: int) -> None:
        if lots:
            if self.lots == 0:
                turned = bool(self.fills) and self.fills[-1].bar == self.bar and self.fills[-1].reason == k.DECISION
                self.seen["turn" if turned else "entry"] += 1
            elif lots * self.lots > 0:
                self.seen["add"] += 1
            else:
                self.seen["exit" if lots == -self.lots else "reduction"] += 1
            self.seen["short" if lots < 0 else "long"] += 1

    def sized(self, decision: reference.Decision, mark: float) -> int:
        lots = super().sized(decision, mark)
        self.seen[TOO_LARGE] += abs(lots) >= 2**53
        return lots

    def notional(self, price: float, lots: int) -> int:
        units = super().notional(price, lots)
        self.seen[TOO_LARGE] += abs(units) >= 2**62
        return units


TOO_LARGE = "an amount that does not fit"
KINDS = (
    "entry", "add", "reduction", "exit", "turn", "long", "short", "stop", "take profit", "liquidation",
    "stop and take profit in a bar", "entry and exit in a bar", "gap to the stop", "gap to the take profit",
    "stop of an entry meets the open", "take profit of an entry meets the open", "gap before a turn",
    "gap before an order that opens", "an order that opens in part", "a turn in part", "a reduction in part",
    "no volume for an order", "stop in part", "take profit in part", "stop that finds no volume",
    "exit that ends its entry", "market entry at the open", "limit entry at the open",
    "limit entry at the open as a maker", "limit entry at a range as a maker", "stop entry at the open",
    "stop entry at a range", "stop-limit entry at the open", "stop-limit entry at the open as a maker",
    "stop-limit entry at a range", "stop-limit entry at a range as a maker", "stop of an entry within the bar",
    "replaced entry", "entry after protection in a bar", "stop that trails comes after a price", "trailing stop",
    *FINANCING, "charge of a position", "expiry of a position", "expiry of an order",
)  # fmt: skip


def compared(world: World) -> Counter[str]:
    """Engine and reference agree to the last unit; what happened."""
    seen: Counter[str] = Counter()
    model, equity, lots = reference.played(
        world.settings, world.bars, world.signals, partial(Watched, seen=seen), world.funding
    )
    try:
        found = trade(world.settings, world.bars, world.signals, world.funding)
    except BacktestError:
        assert seen[TOO_LARGE]
        return seen
    assert tuples(found) == [astuple(fill) for fill in model.fills]
    assert found.postings.tolist() == sums(model.postings)
    assert not is_exact(world, found) or found.equity.tolist() == equity
    assert found.lots.tolist() == lots
    return seen


def sums(postings: Sequence[reference.Posting]) -> list[tuple[int, int, int]]:
    """By bar and kind."""
    by_bar: Counter[tuple[int, int]] = Counter()
    for posting in postings:
        by_bar[posting.bar, posting.kind] += posting.change
    return [(bar, kind, change) for (bar, kind), change in sorted(by_bar.items()) if change]


def executed(world: World) -> Executed:
    try:
        return trade(world.settings, world.bars, world.signals, world.funding)
    except BacktestError:  # `compared` looks at whether it may
        reject()


def is_exact(world: World, found: Executed) -> bool:
    """Whether a double holds all units of the equity."""
    return bool(np.abs(found.equity).max() * world.settings.account.units_per_one < 2**53)


def tuples(found: Executed) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in found.fills[[each.name for each in fields(reference.Fill)]].tolist()]


# the engine is the text


@settings(max_examples=1000)
@given(worlds())
def test_fills_equity_and_lots_are_those_of_the_text(world: World) -> None:
    for kind in +compared(world):
        event(kind)


def test_random_worlds_hold_every_kind_of_event() -> None:
    seen: Counter[str] = Counter()
    for seed in range(500):
        seen += compared(world_of(seed))
    assert min(seen[kind] for kind in KINDS) >= 3, seen


def test_phases_and_reasons_are_those_of_the_kernel() -> None:
    assert (k.OPEN, k.INTRABAR) == (reference.OPEN, reference.INTRABAR)
    assert (k.DECISION, k.STOP_LOSS, k.TAKE_PROFIT, k.LIQUIDATION) == (
        reference.DECISION, reference.STOP_LOSS, reference.TAKE_PROFIT, reference.LIQUIDATION,
    )  # fmt: skip
    assert k.EXPIRY == reference.EXPIRY


@settings(max_examples=200)
@given(worlds(), st.data())
def test_no_bar_is_known_before_it_is_there(world: World, data: st.DataObject) -> None:
    count = data.draw(st.integers(1, len(world.bars)))
    early = beginning(world, count)
    whole, part = executed(world), executed(early)
    assert tuples(part) == [row for row in tuples(whole) if row[0] < count]
    assert part.postings.tolist() == [row for row in whole.postings.tolist() if row[0] < count]
    assert part.equity.tolist() == whole.equity[:count].tolist()
    assert part.lots.tolist() == whole.lots[:count].tolist()


@settings(max_examples=200)
@given(worlds())
def test_money_is_conserved(world: World) -> None:
    """Whatever was paid, got and is still held adds up, in whole units."""
    found, account = executed(world), world.settings.account
    model = reference.Reference(world.settings)
    assume(is_exact(world, found))
    balance, lots, flow = account.balance_units, 0, 0
    for fill in found.fills:
        balance += int(fill["realized"]) - int(fill["fee"])
        lots += int(fill["lots"])
        flow += model.notional(float(fill["price"]), int(fill["lots"]))
        assert lots == fill["position"]
        before = found.postings["change"][found.postings["bar"] < fill["bar"]].sum()
        assert fill["balance"] - balance == before or fill["bar"] in found.postings["bar"]
    # what is still held has cost what was paid less what came back, and what came back is profit in part
    cost = flow + int(found.fills["realized"].sum())
    assert lots != 0 or cost == 0
    balance += int(found.postings["change"].sum())
    assert balance == found.last_balance_units
    value = model.notional(float(world.bars.close[-1]), lots)
    assert found.equity[-1] == (balance + value - cost) / account.units_per_one


@settings(max_examples=200)
@given(worlds())
def test_round_trips_are_those_of_the_fills(world: World) -> None:
    found, bars = executed(world), world.bars
    ways: list[list[Any]] = []
    for fill in found.fills:
        if not ways or ways[-1][-1]["position"] == 0:
            ways.append([])
        ways[-1].append(fill)
    assert len(found.trips) == len(ways)
    for trip, way in zip(found.trips, ways, strict=True):
        first, last = way[0], way[-1]
        side = np.sign(first["lots"])  # the product of two numbers of lots may not fit
        opened = [fill for fill in way if np.sign(fill["lots"]) == side]
        closed = [fill for fill in way if np.sign(fill["lots"]) == -side]
        exit_bar = int(last["bar"]) if last["position"] == 0 else -1
        assert (trip["entry_bar"], trip["exit_bar"], trip["reason"]) == (first["bar"], exit_bar, last["reason"])
        assert (trip["side"], trip["lots"], trip["closed_lots"]) == (side, size(opened), size(closed))
        assert trip["realized"] == sum(int(fill["realized"]) for fill in way)
        assert trip["fees"] == sum(int(fill["fee"]) for fill in way)
        assert trip["entry_price"] == pytest.approx(mean_price(opened), rel=1e-12, abs=1e-12)
        assert trip["exit_price"] == pytest.approx(mean_price(closed), rel=1e-12, abs=1e-12, nan_ok=True)
        # of the bar of the exit only the fill is known to have been within the trip
        seen = int(first["bar"]) + (first["phase"] == k.INTRABAR)
        held = slice(seen, max(exit_bar, seen) if exit_bar >= 0 else len(bars))
        met = [float(fill["price"]) for fill in way]
        assert trip["lowest"] == min([*met, *bars.low[held].tolist()])
        assert trip["highest"] == max([*met, *bars.high[held].tolist()])
    account = world.settings.account
    if is_exact(world, found) and (not ways or ways[-1][-1]["position"] == 0):
        earned = int(found.trips["realized"].sum() - found.trips["fees"].sum() + found.postings["change"].sum())
        assert found.equity[-1] == (account.balance_units + earned) / account.units_per_one


def test_a_trip_of_one_entry_has_its_very_price() -> None:
    """Three shares at 105.28 have a mean of 105.28, not of 105.28000000000002."""
    for lots in range(1, 100):
        found = traded(desk(balance=str(lots * 100)), [FLAT, (105.28,) * 4, (99.19,) * 4], say(0, 1), say(1, 0))
        (trip,) = found.trips
        assert (trip["lots"], trip["entry_price"], trip["exit_price"]) == (lots, 105.28, 99.19)


def size(fills: list[Any]) -> int:
    return sum(abs(int(fill["lots"])) for fill in fills)


def mean_price(fills: list[Any]) -> float:
    return sum(float(fill["price"]) * abs(int(fill["lots"])) for fill in fills) / size(fills) if fills else NAN


# by hand


def desk(balance: str = "10000", unit: str = "0.01", allocation: float = 1.0, **named: Any) -> BacktestSettings:
    """Ticks of 0.01 and lots of 1, without fees; `risk`, `simulation` and fields of the instrument by name."""
    tables = {name: named.pop(name) for name in ("risk", "simulation", "time_in_force") if name in named}
    named_account = named.pop("account", {})
    instrument = {"id": "X:X", "asset_class": "future", "tick_size": 0.01, "lot_size": 1.0, "currency": "USD"} | named
    account = {"currency": "USD", "balance": balance, "unit": unit} | named_account
    return settings_of(
        {"kind": "sma_cross", "instrument": instrument, "account": account, "allocation": allocation} | tables
    )


def say(
    bar: int,
    target: float,
    stop: float = NAN,
    take_profit: float = NAN,
    confidence: float = 1.0,
    limit: float = NAN,
    trigger: float = NAN,
    trail: float = NAN,
) -> Any:
    return bar, target, confidence, stop, take_profit, limit, trigger, trail


FLAT = (100.0, 100.0, 100.0, 100.0)
Row = tuple[float, float, float, float]


def traded(backtest: BacktestSettings, rows: Sequence[Row], *said: Any) -> Executed:
    """And the text says the same."""
    bars, signals = bars_of(rows), signals_of(said)
    found = trade(backtest, bars, signals)
    fills, equity, lots = reference.run(backtest, bars, signals)
    assert tuples(found) == [astuple(fill) for fill in fills]
    assert (found.equity.tolist(), found.lots.tolist()) == (equity, lots)
    return found


def briefly(found: Executed) -> list[tuple[Any, ...]]:
    """(bar, lots, price, phase, reason) of the fills."""
    return [tuple(row) for row in found.fills[["bar", "lots", "price", "phase", "reason"]].tolist()]


def test_a_decision_is_filled_at_the_next_open_with_the_size_of_the_close() -> None:
    found = traded(desk(), [FLAT, (102, 103, 101, 103), (104, 104, 104, 104)], say(0, 0.5))
    assert briefly(found) == [(1, 50, 102.0, k.OPEN, k.DECISION)]
    assert found.equity.tolist() == [10_000, 10_050, 10_100]
    assert found.lots.tolist() == [0, 50, 50]


def test_without_signals_nothing_happens() -> None:
    found = traded(desk(), [FLAT, FLAT])
    assert len(found.fills) == len(found.trips) == 0
    assert found.equity.tolist() == [10_000, 10_000]


def test_a_decision_at_the_last_close_is_never_filled() -> None:
    assert briefly(traded(desk(), [FLAT, FLAT], say(1, 1.0))) == []


def test_a_position_that_is_open_at_the_end_is_marked_at_the_last_close() -> None:
    found = traded(desk(fees={"taker_rate": 0.01}), [FLAT, (100, 110, 100, 110)], say(0, 0.5))
    (fill,), (trip,) = found.fills, found.trips
    assert (fill["fee"], fill["balance"], fill["position"]) == (50_00, 9_950_00, 50)
    assert found.equity[-1] == 10_450.0
    assert (trip["exit_bar"], trip["closed_lots"], trip["fees"]) == (-1, 0, 50_00)
    assert math.isnan(trip["exit_price"])


@pytest.mark.parametrize(("target", "stop", "open_", "price"), [(1, 95, 90.0, 90.0), (-1, 105, 111.0, 111.0)])
def test_a_gap_through_the_stop_fills_at_the_open(target: int, stop: float, open_: float, price: float) -> None:
    found = traded(desk(), [FLAT, FLAT, (open_, 120, 80, 100)], say(0, target, stop))
    assert briefly(found)[1:] == [(2, -100 * target, price, k.OPEN, k.STOP_LOSS)]


@pytest.mark.parametrize(("target", "limit", "open_"), [(1, 105, 110.0), (-1, 95, 90.0)])
def test_a_gap_through_the_take_profit_fills_at_its_own_price(target: int, limit: float, open_: float) -> None:
    found = traded(desk(), [FLAT, FLAT, (open_, 120, 80, 100)], say(0, target, NAN, limit))
    assert briefly(found)[1:] == [(2, -100 * target, limit, k.OPEN, k.TAKE_PROFIT)]


@pytest.mark.parametrize(
    ("low", "high", "price", "reason"),
    [
        (95, 104.99, 95, k.STOP_LOSS),
        (95.01, 105, 105, k.TAKE_PROFIT),
        (95, 105, 95, k.STOP_LOSS),
        (95.01, 104.99, 0, None),
    ],
)
def test_the_stop_was_first_where_a_bar_holds_both(low: float, high: float, price: float, reason: int | None) -> None:
    found = traded(desk(), [FLAT, FLAT, (100, high, low, 100), (100, 104, 96, 100)], say(0, 1, 95, 105))
    expected = [(2, -100, price, k.INTRABAR, reason)] if reason is not None else []
    assert briefly(found)[1:] == expected


def test_an_entry_and_its_stop_are_in_one_bar() -> None:
    found = traded(desk(), [FLAT, (100, 101, 94, 100)], say(0, 1, 95))
    assert briefly(found) == [(1, 100, 100.0, k.OPEN, k.DECISION), (1, -100, 95.0, k.INTRABAR, k.STOP_LOSS)]
    (trip,) = found.trips
    assert (trip["entry_bar"], trip["exit_bar"], trip["realized"]) == (1, 1, -500_00)
    assert (trip["lowest"], trip["highest"]) == (95.0, 100.0)  # the rest of the bar may have come after the exit


def test_an_entry_that_opens_beyond_its_protection_ends_at_once() -> None:
    below = traded(desk(), [FLAT, (94, 100, 90, 100)], say(0, 1, 95))
    assert briefly(below) == [(1, 100, 94.0, k.OPEN, k.DECISION), (1, -100, 94.0, k.OPEN, k.STOP_LOSS)]
    above = traded(desk(), [FLAT, (106, 110, 100, 100)], say(0, 1, 95, 105))
    assert briefly(above) == [(1, 100, 106.0, k.OPEN, k.DECISION), (1, -100, 106.0, k.OPEN, k.TAKE_PROFIT)]


def test_a_turn_fills_both_orders_at_one_open() -> None:
    """The other side has the size of what is left: 100 lots lost 10 each, so 9,000 at the close of 100 are 90 lots."""
    rows = [FLAT, FLAT, (90, 90, 90, 90)]
    found = traded(desk(), rows, say(0, 1), say(1, -1))
    assert briefly(found)[1:] == [(2, -100, 90.0, k.OPEN, k.DECISION), (2, -90, 90.0, k.OPEN, k.DECISION)]
    assert found.fills["balance"].tolist() == [10_000_00, 9_000_00, 9_000_00]
    assert len(found.trips) == 2


def test_a_turn_takes_the_new_protection_and_none_of_the_old() -> None:
    rows = [FLAT, FLAT, FLAT, (100, 112, 91, 100)]
    found = traded(desk(), rows, say(0, 1, 95, 110), say(1, -1, 120))
    assert briefly(found)[1:] == [(2, -100, 100.0, k.OPEN, k.DECISION), (2, -100, 100.0, k.OPEN, k.DECISION)]
    through = traded(desk(), [FLAT, FLAT, (121, 121, 121, 121)], say(0, 1), say(1, -0.5, 120))
    assert briefly(through)[1:] == [
        (2, -100, 121.0, k.OPEN, k.DECISION),
        (2, -60, 121.0, k.OPEN, k.DECISION),  # half of 12,100 at 100
        (2, 60, 121.0, k.OPEN, k.STOP_LOSS),
    ]


def test_a_turn_to_less_than_a_lot_closes() -> None:
    found = traded(desk(), [FLAT] * 3, say(0, 1), say(1, -0.001))
    assert briefly(found)[1:] == [(2, -100, 100.0, k.OPEN, k.DECISION)]


def test_after_a_stop_nothing_is_opened_before_the_target_changes() -> None:
    rows = [FLAT, (100, 100, 94, 100), FLAT, FLAT, FLAT, FLAT]
    found = traded(desk(), rows, say(0, 1, 95), say(1, 1, 90), say(2, 1, 80, 150), say(3, 0.5, 80))
    assert briefly(found)[1:] == [(1, -100, 95.0, k.INTRABAR, k.STOP_LOSS), (4, 47, 100.0, k.OPEN, k.DECISION)]


def test_an_order_that_opens_is_filled_though_protection_has_closed_the_position() -> None:
    """Its decision was there before, and had another target than that of what was closed."""
    rows = [FLAT, FLAT, (90, 90, 90, 90), FLAT]
    added = traded(desk(), rows, say(0, 0.5, 95), say(1, 1.0, 80))
    assert briefly(added)[1:] == [(2, 50, 90.0, k.OPEN, k.DECISION)]  # the stop has moved to 80
    rows[2] = (75, 75, 75, 75)
    added = traded(desk(), rows, say(0, 0.5, 95), say(1, 1.0, 80))
    assert briefly(added)[1:] == [
        (2, -50, 75.0, k.OPEN, k.STOP_LOSS),
        (2, 50, 75.0, k.OPEN, k.DECISION),
        (2, -50, 75.0, k.OPEN, k.STOP_LOSS),
    ]


def test_a_turn_opens_though_protection_has_closed_the_position() -> None:
    found = traded(desk(), [FLAT, FLAT, (90, 90, 90, 90)], say(0, 1, 95), say(1, -1))
    assert briefly(found)[1:] == [(2, -100, 90.0, k.OPEN, k.STOP_LOSS), (2, -90, 90.0, k.OPEN, k.DECISION)]


def test_an_order_that_reduces_finds_nothing_where_protection_was_before() -> None:
    for target in (0.5, 0.0):
        found = traded(desk(), [FLAT, FLAT, (90, 90, 90, 90), FLAT], say(0, 1, 95), say(1, target))
        assert briefly(found)[1:] == [(2, -100, 90.0, k.OPEN, k.STOP_LOSS)]


def test_a_decision_on_the_same_side_moves_what_it_has() -> None:
    """The stop is moved at the close, and a decision without a take profit leaves it."""
    rows = [FLAT, FLAT, (100, 104, 96, 100), (100, 105, 98.5, 100)]
    moved = traded(desk(), rows, say(0, 1, 95, 105), say(2, 1, 98))
    assert briefly(moved)[1:] == [(3, -100, 105.0, k.INTRABAR, k.TAKE_PROFIT)]
    rows[3] = (100, 105, 98, 100)
    moved = traded(desk(), rows, say(0, 1, 95, 105), say(2, 1, 98))
    assert briefly(moved)[1:] == [(3, -100, 98.0, k.INTRABAR, k.STOP_LOSS)]


def test_protection_is_of_the_whole_position_and_ends_with_it() -> None:
    rows = [FLAT, FLAT, FLAT, (100, 100, 94, 100), FLAT, (100, 100, 90, 100)]
    found = traded(desk(), rows, say(0, 0.5, 95), say(1, 1.0), say(3, 0.3))
    assert briefly(found)[1:] == [
        (2, 50, 100.0, k.OPEN, k.DECISION),
        (3, -100, 95.0, k.INTRABAR, k.STOP_LOSS),
        (4, 28, 100.0, k.OPEN, k.DECISION),  # 30 % of 9,500, and no stop
    ]


def test_a_smaller_target_reduces() -> None:
    found = traded(desk(), [FLAT, FLAT, (110, 110, 110, 110)], say(0, 1), say(1, 0.25))
    assert briefly(found)[1:] == [(2, -75, 110.0, k.OPEN, k.DECISION)]
    assert found.fills["realized"][1] == 750_00


def test_a_repeated_target_places_no_order() -> None:
    rows = [FLAT, FLAT, (120, 120, 120, 120), FLAT]
    assert len(traded(desk(), rows, say(0, 1), say(1, 1), say(2, 1, confidence=0.5)).fills) == 1


def test_no_confidence_is_no_target() -> None:
    found = traded(desk(), [FLAT] * 4, say(0, 1, confidence=0.0), say(1, 1, 95), say(2, 1, 95, confidence=0.0))
    assert briefly(found) == [(2, 100, 100.0, k.OPEN, k.DECISION), (3, -100, 100.0, k.OPEN, k.DECISION)]


def test_allocation_is_what_a_target_of_one_stands_for() -> None:
    assert briefly(traded(desk(allocation=0.3), [FLAT] * 2, say(0, -1)))[0][1] == -30


def test_risk_per_trade_is_lost_at_the_stop() -> None:
    found = traded(desk(risk={"risk_per_trade": 0.01}), [FLAT, (100, 100, 90, 100)], say(0, 0.5, 95))
    assert [fill[1] for fill in briefly(found)] == [10, -10]  # 50 at 5 each
    assert found.fills["realized"][1] == -50_00


@pytest.mark.parametrize(
    ("leverage", "initial", "lots"), [(3.0, 0.05, 300), (3.0, 0.5, 200), (20.0, 0.05, 400), (0.5, 1.0, 50)]
)
def test_leverage_and_margin_are_limits(leverage: float, initial: float, lots: int) -> None:
    backtest = desk(risk={"risk_per_trade": 0.04, "max_leverage": leverage}, margin={"initial_rate": initial})
    assert briefly(traded(backtest, [FLAT] * 2, say(0, 1, 99)))[0][1] == lots
    without = traded(backtest, [FLAT] * 2, say(0, 1))
    assert briefly(without)[0][1] == min(lots, 100)
    at_the_price = traded(backtest, [FLAT, FLAT], say(0, 1, 100))
    assert briefly(at_the_price)[0][1] == min(lots, 100)


def test_lots_are_floored_with_their_decimal_value() -> None:
    """0.3 is three lots of 0.1, though 0.3 / 0.1 is below three."""
    found = traded(desk(balance="30", lot_size=0.1), [FLAT] * 2, say(0, 1))
    assert briefly(found)[0][1] == 3
    found = traded(desk(multiplier=50.0, lot_size=0.001), [FLAT] * 2, say(0, -1))
    assert briefly(found)[0][1] == -2000


def test_nothing_is_bought_at_a_price_of_zero() -> None:
    backtest = desk(negative_prices=True)
    assert briefly(traded(backtest, [(0, 0, 0, 0)] * 2, say(0, 1, -5))) == []


def test_a_market_order_is_rounded_against_itself_and_slips() -> None:
    backtest = desk(simulation={"slippage_ticks": 3}, tick_size=0.25)
    rows = [FLAT, (100.1, 101, 100, 100), (100.1, 100.2, 100, 100)]
    assert [fill[2] for fill in briefly(traded(backtest, rows, say(0, 1), say(1, 0)))] == [101.0, 99.25]
    on_the_tick = traded(backtest, [FLAT] * 3, say(0, 1), say(1, 0))
    assert [fill[2] for fill in briefly(on_the_tick)] == [100.75, 99.25]
    stop = traded(backtest, [FLAT, (100, 100, 90, 95)], say(0, 1, 95.0))
    assert briefly(stop)[1] == (1, -99 - 1, 94.25, k.INTRABAR, k.STOP_LOSS)
    limit = traded(backtest, [FLAT, (100, 110, 100, 105)], say(0, 1, NAN, 105.0))
    assert briefly(limit)[1][2] == 105.0


def limited(rows: Sequence[Row], volumes: Sequence[float], *said: Any, **named: Any) -> Executed:
    """A fifth of each bar's volume."""
    bars, backtest = bars_of(rows), desk(simulation={"volume_share": 0.2}, **named)
    world = World(backtest, replace(bars, volume=np.array(volumes, float)), signals_of(said))
    compared(world)
    return trade(world.settings, world.bars, world.signals)


def test_an_order_goes_on_in_the_next_bars_until_it_is_filled() -> None:
    rows = [FLAT, FLAT, (101, 101, 101, 101), FLAT, FLAT]
    found = limited(rows, [0, 204, 0, 290, 1000], say(0, 1))
    assert briefly(found) == [
        (1, 40, 100.0, k.OPEN, k.DECISION), (3, 58, 100.0, k.OPEN, k.DECISION), (4, 2, 100.0, k.OPEN, k.DECISION),
    ]  # fmt: skip
    (trip,) = found.trips
    assert (trip["entry_bar"], trip["lots"], trip["entry_price"]) == (1, 100, 100.0)


def test_a_decision_takes_the_place_of_what_is_left() -> None:
    found = limited([FLAT] * 4, [0, 100, 1000, 1000], say(0, 1), say(1, 0.5))
    assert [fill[:2] for fill in briefly(found)] == [(1, 20), (2, 30)]


def test_a_turn_opens_after_the_last_of_what_it_closes() -> None:
    rows = [FLAT, FLAT, FLAT, (90, 90, 90, 90), FLAT]
    found = limited(rows, [0, 1000, 300, 400, 1000], say(0, 1), say(1, -1))
    assert [fill[:3] for fill in briefly(found)] == [
        (1, 100, 100.0), (2, -60, 100.0), (3, -40, 90.0), (3, -40, 90.0), (4, -56, 100.0),
    ]  # fmt: skip
    assert len(found.trips) == 2


def test_a_stop_goes_on_as_a_market_order_and_ends_its_entry() -> None:
    rows = [FLAT, FLAT, (100, 100, 94, 99), (97, 110, 97, 97), (98, 110, 98, 98), FLAT]
    found = limited(rows, [0, 200, 250, 100, 1000, 1000], say(0, 1, 95, 105), say(2, 1, 96, 105))
    assert briefly(found) == [
        (1, 40, 100.0, k.OPEN, k.DECISION),
        (2, 50, 100.0, k.OPEN, k.DECISION),  # no volume is left for the stop
        (3, -20, 97.0, k.OPEN, k.STOP_LOSS),  # ten of the entry are not bought any more, the stop is not moved
        (4, -70, 98.0, k.OPEN, k.STOP_LOSS),
    ]


def test_a_take_profit_rests_with_what_is_left() -> None:
    rows = [FLAT, FLAT, (100, 105, 100, 100), FLAT, (106, 106, 106, 106)]
    found = limited(rows, [0, 1000, 150, 1000, 1000], say(0, 1, NAN, 105))
    assert briefly(found)[1:] == [(2, -30, 105.0, k.INTRABAR, k.TAKE_PROFIT), (4, -70, 105.0, k.OPEN, k.TAKE_PROFIT)]
    assert (found.trips["exit_price"][0], found.trips["closed_lots"][0]) == (105.0, 100)


def test_a_liquidation_is_not_limited() -> None:
    named = {"risk": {"risk_per_trade": 1.0, "max_leverage": 20.0}, "margin": MARGIN}
    found = limited([FLAT, FLAT, (100, 100, 60, 90)], [0, 1000, 5], say(0, 1, 50.0), **named)
    assert briefly(found)[1:] == [(2, -200, 60.0, k.INTRABAR, k.LIQUIDATION)]


@pytest.mark.parametrize(
    ("side", "bought", "sold"), [("mid", 100.02, 99.98), ("bid", 100.04, 100.0), ("ask", 100.0, 99.96)]
)
def test_a_buy_pays_the_ask_and_a_sell_gets_the_bid(side: str, bought: float, sold: float) -> None:
    found = traded(desk(spread_ticks=4, recorded_side=side), [FLAT] * 3, say(0, 1), say(1, 0))
    assert [fill[2] for fill in briefly(found)] == [bought, sold]
    assert found.equity[1] == round(10_000 - 100 * (bought - 100), 2)  # marked at the recorded price


def test_half_of_an_odd_spread_is_rounded_against_the_order() -> None:
    found = traded(desk(spread_ticks=1), [FLAT] * 3, say(0, 1), say(1, 0))
    assert [fill[2] for fill in briefly(found)] == [100.01, 99.99]
    between = (100.005,) * 4
    found = traded(desk(spread_ticks=1), [FLAT, between, between], say(0, 1), say(1, 0))
    assert [fill[2] for fill in briefly(found)] == [100.01, 100.0]


@pytest.mark.parametrize(("low", "high", "ends"), [
    (95.03, 104.0, None), (95.02, 104.0, k.STOP_LOSS), (96.0, 105.01, None), (96.0, 105.02, k.TAKE_PROFIT),
])  # fmt: skip
def test_protection_is_reached_by_the_side_that_it_trades_on(low: float, high: float, ends: int | None) -> None:
    found = traded(desk(spread_ticks=4), [FLAT, FLAT, (100, high, low, 100)], say(0, 1, 95, 105))
    price = 95.0 if ends == k.STOP_LOSS else 105.0
    assert briefly(found)[1:] == ([(2, -99 - 1, price, k.INTRABAR, ends)] if ends is not None else [])
    turned = [(200 - price, 200 - price, 200 - price, 200 - price) for price in (100.0, 100.0)]
    short = traded(desk(spread_ticks=4), [*turned, (100, 200 - low, 200 - high, 100)], say(0, -1, 105, 95))
    assert [fill[4] for fill in briefly(short)[1:]] == ([ends] if ends is not None else [])


@pytest.mark.parametrize(("negative", "price"), [(False, 0.01), (True, -0.03)])
def test_below_one_tick_nothing_trades_unless_prices_may(negative: bool, price: float) -> None:
    backtest = desk(simulation={"slippage_ticks": 5}, negative_prices=negative)
    found = traded(backtest, [FLAT, (0.02, 1, 0.02, 1)], say(0, -1))
    assert briefly(found)[0][2] == price


def test_the_minimum_commission_is_per_fill() -> None:
    fees = {"taker_rate": 0.001, "per_unit": 0.05, "minimum": 10.0}
    found = traded(desk(fees=fees), [FLAT] * 4, say(0, 1), say(1, 0.5), say(2, 0))
    assert found.fills["fee"].tolist() == [15_00, 10_00, 10_00]  # 10 + 5; 5 + 2.5 and less


def test_a_take_profit_pays_the_rate_of_a_maker() -> None:
    fees = {"taker_rate": 0.001, "maker_rate": -0.0005}
    found = traded(desk(fees=fees), [FLAT, (100, 110, 100, 110)], say(0, 1, NAN, 110.0))
    assert found.fills["fee"].tolist() == [10_00, -5_50]
    assert found.equity[-1] == 10_000 + 1_000 - 10 + 5.5


def test_each_amount_is_rounded_once_half_to_even() -> None:
    """Two at 2.5 cost 5; half of 5 is 2, so the first sale at 3.0 earns 1 and the second at 3.5 (4) earns 1."""
    backtest = desk(balance="5", unit="1", tick_size=0.5)
    rows = [(2.5, 2.5, 2.5, 2.5)] * 2 + [(3.0, 3.0, 3.0, 3.0), (3.5, 3.5, 3.5, 3.5)]
    found = traded(backtest, rows, say(0, 1), say(1, 0.5), say(2, 0))
    assert found.fills["lots"].tolist() == [2, -1, -1]
    assert found.fills["realized"].tolist() == [0, 1, 1]
    assert found.equity.tolist() == [5, 5, 6, 7]


# entries with prices


UP, DOWN = (100, 104, 99, 102), (100, 101, 96, 98)


@pytest.mark.parametrize(
    ("target", "limit", "rows", "found"),
    [
        (1, 101.0, [(99, 103, 98, 100)], [(1, 99, 99.0, k.OPEN, True)]),  # its first opportunity: the open
        (1, 98.0, [UP, DOWN], [(2, 100, 98.0, k.INTRABAR, True)]),  # not more than the mark pays for
        (1, 98.0, [UP, (95, 97, 94, 96)], [(2, 100, 98.0, k.OPEN, True)]),  # rested: at its limit, not at the gap
        (-1, 103.0, [UP], [(1, -97, 103.0, k.INTRABAR, True)]),
        (-1, 105.0, [UP, UP], []),
    ],
)
def test_a_limit_entry(target: int, limit: float, rows: Sequence[Row], found: Any) -> None:
    made = traded(desk(simulation={"slippage_ticks": 5}), [FLAT, *rows], say(0, target, limit=limit))
    assert entries(made) == found


@pytest.mark.parametrize(
    ("target", "trigger", "rows", "found"),
    [
        (1, 103.0, [(104, 105, 103, 104)], [(1, 97, 104.05, k.OPEN, False)]),  # a gap: what the open costs
        (1, 103.0, [DOWN, UP], [(2, 97, 103.05, k.INTRABAR, False)]),
        (-1, 97.0, [UP, DOWN], [(2, -100, 96.95, k.INTRABAR, False)]),
        (1, 105.0, [UP, UP], []),
    ],
)
def test_a_stop_entry(target: int, trigger: float, rows: Sequence[Row], found: Any) -> None:
    made = traded(desk(simulation={"slippage_ticks": 5}), [FLAT, *rows], say(0, target, trigger=trigger))
    assert entries(made) == found


@pytest.mark.parametrize(
    ("limit", "rows", "found"),
    [
        (103.5, [UP], [(1, 96, 103.0, k.INTRABAR, True)]),  # at the trigger, without slippage
        (102.0, [UP], []),  # nobody knows whether the market came back to it
        (102.0, [UP, (103, 104, 101, 102)], [(2, 98, 102.0, k.INTRABAR, True)]),
        (102.0, [(104, 105, 101, 102)], [(1, 98, 102.0, k.INTRABAR, True)]),  # the open was first
        (104.5, [(104, 105, 101, 102)], [(1, 95, 104.0, k.OPEN, True)]),
    ],
)
def test_a_stop_limit_entry(limit: float, rows: Sequence[Row], found: Any) -> None:
    backtest = desk(simulation={"slippage_ticks": 5})
    assert entries(traded(backtest, [FLAT, *rows], say(0, 1, limit=limit, trigger=103.0))) == found


@pytest.mark.parametrize(
    ("force", "found"),
    [("GoodTillCancel", [(3, 100, 97.0)]), ("Day", []), ("ImmediateOrCancel", [])],
)
def test_how_long_a_limit_entry_rests(force: str, found: Any) -> None:
    made = traded(desk(time_in_force=force), [FLAT, FLAT, FLAT, DOWN], say(0, 1, limit=97.0))
    assert [fill[:3] for fill in briefly(made)] == found


def test_a_day_order_meets_all_of_its_first_day() -> None:
    said = say(0, 1, limit=97.0), say(1, 1, limit=97.5)
    assert briefly(traded(desk(time_in_force="Day"), [FLAT, DOWN], said[0]))[0][0] == 1
    # and another price is a new order
    found = traded(desk(time_in_force="Day"), [FLAT, FLAT, DOWN], *said)
    assert briefly(found) == [(2, 100, 97.5, k.INTRABAR, k.DECISION)]
    # a day of six bars, which the order of the fourth one meets from the fifth on
    rows = [FLAT] * 9
    bars = bars_of([*rows[:5], DOWN, *rows[6:]], DAY_NS // 6)
    assert len(trade(desk(time_in_force="Day"), bars, signals_of([say(3, 1, limit=97.0)])).fills) == 1
    bars = bars_of([*rows[:6], DOWN, *rows[7:]], DAY_NS // 6)
    assert len(trade(desk(time_in_force="Day"), bars, signals_of([say(3, 1, limit=97.0)])).fills) == 0


def test_an_immediate_order_trades_at_its_first_opportunity_alone() -> None:
    at_once = desk(time_in_force="ImmediateOrCancel")
    assert entries(traded(at_once, [FLAT, DOWN], say(0, 1, limit=100.0))) == [(1, 100, 100.0, k.OPEN, True)]
    # that of a stop comes with its trigger
    assert entries(traded(at_once, [FLAT, FLAT, UP], say(0, 1, trigger=103.0))) == [(2, 97, 103.0, k.INTRABAR, False)]
    assert entries(traded(at_once, [FLAT, UP, FLAT], say(0, 1, limit=101.0, trigger=103.0))) == []


def test_a_stop_that_trails_is_tested_before_the_bar_moves_it() -> None:
    rows = [FLAT, (100, 106, 99, 104), (104, 105, 103, 104), (103, 104, 101, 102)]
    found = traded(desk(), rows, say(0, 1, trail=2.0))
    assert briefly(found) == [
        (1, 100, 100.0, k.OPEN, k.DECISION),
        (2, -100, 104.0, k.OPEN, k.STOP_LOSS),  # the high of 106 put it at 104
    ]
    short = traded(desk(), [FLAT, (100, 101, 97, 98), (98, 99.5, 98, 99)], say(0, -1, trail=2.0))
    assert briefly(short)[1:] == [(2, 100, 99.0, k.INTRABAR, k.STOP_LOSS)]


def test_a_trail_begins_at_the_entry_or_at_a_tighter_stop() -> None:
    quiet, within = (100, 100.5, 99.5, 100), (100.0, 110.0, 90.0, 100.0)
    wide = traded(desk(), [FLAT, quiet, within], say(0, 1, 90.5, trail=2.0))
    assert briefly(wide)[1][2] == 98.5  # of the high of 100.5
    tight = traded(desk(), [FLAT, quiet, within], say(0, 1, 99.25, trail=2.0))
    assert briefly(tight)[1][2] == 99.25
    inside = traded(desk(), [FLAT, within], say(0, 1, trail=2.0, limit=98.0))
    assert [fill[2] for fill in briefly(inside)] == [98.0, 96.0]  # not of the high, which may have come before


def test_a_trail_never_goes_back() -> None:
    rows = [FLAT, FLAT, (100, 106, 100, 106), (106, 106, 105, 105), (105, 105, 100, 100)]
    found = traded(desk(), rows, say(0, 1, trail=2.0), say(2, 1, 90, trail=5.0))
    assert briefly(found)[1:] == [(4, -100, 104.0, k.INTRABAR, k.STOP_LOSS)]


def test_a_trail_is_lost_at_the_stop() -> None:
    found = traded(desk(risk={"risk_per_trade": 0.01}), [FLAT, (100, 100, 90, 100)], say(0, 1, trail=5.0))
    assert (briefly(found)[0][1], found.fills["realized"][1]) == (20, -100_00)


def entries(found: Executed) -> list[tuple[Any, ...]]:
    """(bar, lots, price, phase, as a limit order) of the fills."""
    return [tuple(row) for row in found.fills[["bar", "lots", "price", "phase", "is_limit"]].tolist()]


def test_what_entered_within_a_bar_may_be_stopped_in_it_but_takes_no_profit() -> None:
    within = (100.0, 110.0, 90.0, 100.0)
    stopped = traded(desk(), [FLAT, within], say(0, 1, 95, 105, limit=98.0))
    assert briefly(stopped)[1:] == [(1, -100, 95.0, k.INTRABAR, k.STOP_LOSS)]
    kept = traded(desk(), [FLAT, within, within], say(0, 1, NAN, 105, limit=98.0))
    assert briefly(kept)[1:] == [(2, -100, 105.0, k.INTRABAR, k.TAKE_PROFIT)]


def test_a_stop_on_the_wrong_side_of_an_entry_within_a_bar_costs_no_less_than_the_entry() -> None:
    found = traded(desk(), [FLAT, (100, 110, 90, 100)], say(0, 1, 99, limit=98.0))
    assert [fill[2:4] for fill in briefly(found)] == [(98.0, k.INTRABAR), (98.0, k.INTRABAR)]


def test_protection_is_before_an_entry_within_a_bar() -> None:
    """What is added after the stop is a new position, with the stop of its own, which the bar holds too."""
    rows = [FLAT, FLAT, (100, 100, 90, 95)]
    found = traded(desk(), rows, say(0, 0.5, 95), say(1, 1, 95, limit=98.0))
    assert briefly(found)[1:] == [
        (2, -50, 95.0, k.INTRABAR, k.STOP_LOSS),
        (2, 50, 98.0, k.INTRABAR, k.DECISION),
        (2, -50, 95.0, k.INTRABAR, k.STOP_LOSS),
    ]


def test_margin_is_looked_at_after_an_entry_within_a_bar() -> None:
    backtest = desk(risk={"risk_per_trade": 1.0, "max_leverage": 20.0}, margin=MARGIN)
    found = traded(backtest, [FLAT, (100, 101, 60, 90)], say(0, 1, 50.0, limit=99.0))
    assert [fill[2:] for fill in briefly(found)] == [
        (99.0, k.INTRABAR, k.DECISION),
        (60.0, k.INTRABAR, k.LIQUIDATION),
    ]
    short = traded(backtest, [FLAT, (100, 140, 99, 110)], say(0, -1, 150.0, limit=101.0))
    assert [fill[2:] for fill in briefly(short)][1:] == [(140.0, k.INTRABAR, k.LIQUIDATION)]


def test_a_turn_closes_at_once_and_waits_to_open() -> None:
    rows = [FLAT, FLAT, UP, (100, 106, 99, 105)]
    found = traded(desk(), rows, say(0, 1), say(1, -1, limit=105.0))
    assert briefly(found)[1:] == [
        (2, -100, 100.0, k.OPEN, k.DECISION),
        (3, -95, 105.0, k.INTRABAR, k.DECISION),
    ]


def test_another_price_replaces_what_works_and_changes_nothing_after_it_has_traded() -> None:
    rows = [FLAT, FLAT, DOWN, FLAT, (100, 110, 90, 100)]
    said = say(0, 1, limit=90.0), say(1, 1, limit=97.0), say(2, 1, limit=95.0), say(3, 1)
    assert briefly(traded(desk(), rows, *said)) == [(2, 100, 97.0, k.INTRABAR, k.DECISION)]


def test_a_new_target_takes_an_entry_back() -> None:
    assert briefly(traded(desk(), [FLAT, FLAT, DOWN], say(0, 1, limit=97.0), say(1, 0))) == []


def test_an_entry_rests_for_as_long_as_it_takes() -> None:
    found = traded(
        desk(), [FLAT] * 50 + [DOWN], say(0, 1, 90, limit=97.0), say(20, 1, 91, limit=97.0), say(30, 1, limit=97.0)
    )
    assert briefly(found) == [(50, 100, 97.0, k.INTRABAR, k.DECISION)]


def test_an_entry_is_sized_by_its_own_price() -> None:
    at_risk = desk(risk={"risk_per_trade": 0.01})
    found = traded(at_risk, [FLAT, DOWN], say(0, 1, 95, limit=97.0))
    assert [fill[1] for fill in briefly(found)] == [50]  # 100 at 2 each
    dear = traded(desk(), [FLAT, (100, 130, 100, 125)], say(0, 1, trigger=125.0))
    assert [fill[1] for fill in briefly(dear)] == [80]


MARGIN = {"initial_rate": 0.5, "maintenance_rate": 0.25}


@pytest.mark.parametrize(("low", "ends"), [(66.67, False), (66.66, True)])
def test_below_maintenance_a_long_position_ends_at_the_worst_price(low: float, ends: bool) -> None:
    """200 at 100 with 10,000: 200 x 66.66 less a debt of 10,000 is 3,332, a quarter of the value is 3,333."""
    backtest = desk(risk={"risk_per_trade": 1.0, "max_leverage": 20.0}, margin=MARGIN)
    found = traded(backtest, [FLAT, FLAT, (100, 100, low, 90), FLAT], say(0, 1, 50.0))
    assert briefly(found)[1:] == ([(2, -200, low, k.INTRABAR, k.LIQUIDATION)] if ends else [])


@pytest.mark.parametrize(("high", "ends"), [(120.0, False), (120.01, True)])
def test_below_maintenance_a_short_position_ends_at_the_worst_price(high: float, ends: bool) -> None:
    backtest = desk(risk={"risk_per_trade": 1.0, "max_leverage": 20.0}, margin=MARGIN)
    found = traded(backtest, [FLAT, FLAT, (100, high, 100, 100), FLAT], say(0, -1, 150.0))
    assert briefly(found)[1:] == ([(2, 200, high, k.INTRABAR, k.LIQUIDATION)] if ends else [])


def test_the_stop_is_before_the_liquidation_and_a_debt_opens_nothing() -> None:
    backtest = desk(risk={"risk_per_trade": 1.0, "max_leverage": 20.0}, margin=MARGIN)
    rows = [FLAT, FLAT, (40, 40, 40, 40), FLAT, FLAT]
    found = traded(backtest, rows, say(0, 1, 50.0), say(2, -1), say(3, 1))
    assert briefly(found)[1:] == [(2, -200, 40.0, k.OPEN, k.STOP_LOSS)]
    assert found.equity[-1] == -2_000.0


def test_margin_is_looked_at_below_zero_too() -> None:
    """50 at 1.00 with 100: at -1.00 nothing is left, and a quarter of 50 is to be held."""
    backtest = desk(balance="100", negative_prices=True, margin=MARGIN)
    one = (1.0, 1.0, 1.0, 1.0)
    found = traded(backtest, [one, one, (1.0, 1.0, -1.0, -0.5), one], say(0, 0.5))
    assert briefly(found)[1:] == [(2, -50, -1.0, k.INTRABAR, k.LIQUIDATION)]


def test_margin_is_counted_in_whole_units() -> None:
    """A short of 1 at 5.0 with 6: at 8.6 (9) there are 2 left, and a quarter of 9 is 3 where it is rounded up."""
    backtest = desk(balance="6", unit="1", tick_size=0.1, margin=MARGIN)
    five = (5.0, 5.0, 5.0, 5.0)
    found = traded(backtest, [five, five, (5.0, 8.6, 5.0, 5.0), five], say(0, -1))
    assert briefly(found)[1:] == [(2, 1, 8.6, k.INTRABAR, k.LIQUIDATION)]


def test_maintenance_of_the_whole_value_ends_a_debt() -> None:
    backtest = desk(margin={"initial_rate": 1.0, "maintenance_rate": 1.0})
    kept = traded(backtest, [FLAT, FLAT, (10, 10, 1, 10)], say(0, 1))
    assert len(kept.fills) == 1
    ended = traded(backtest, [FLAT, (101, 101, 101, 101)], say(0, 1))
    assert briefly(ended)[1:] == [(1, -100, 101.0, k.INTRABAR, k.LIQUIDATION)]


def test_an_amount_that_does_not_fit_is_refused() -> None:
    backtest = desk(balance="1000000000", unit="0.000000001")
    with pytest.raises(BacktestError, match="coarser unit"):
        trade(backtest, bars_of([FLAT, (1000.0, 1000.0, 1000.0, 1000.0)]), signals_of([say(0, 1)]))


def test_more_fills_than_there_is_room_for() -> None:
    """A turn at each open: the engine makes room, and goes on where it was."""
    rng = np.random.default_rng(7)
    backtest = desk(balance="1000000", fees={"taker_rate": 0.0001})
    bars = random_bars(rng, ROOM * 3 // 2, 10_000.0, 0.01, False, [0.001])
    signals = signals_of([say(bar, 1.0 - bar % 2 * 1.5) for bar in range(len(bars))])
    assert compared(World(backtest, bars, signals))["turn"] > ROOM
    assert len(trade(backtest, bars, signals).fills) > 2 * ROOM


def test_rooms_that_end_anywhere_make_no_difference() -> None:
    """The first room ends at fills that are stops, entries and turns."""
    for seed in range(3):
        rng = np.random.default_rng(seed)
        bars = random_bars(rng, ROOM, 10_000.0, 0.01, False, [0.001])
        said = [
            say(bar, float(rng.choice([1, -1, 0.5])), *(bars.close[bar] + rng.choice([-1, 1], 2)))
            for bar in range(len(bars))
        ]
        world = World(desk(balance="1000000000"), bars, signals_of(said))
        compared(world)
        assert len(trade(world.settings, bars, world.signals).fills) > ROOM


# holding


def test_a_short_position_pays_borrow_at_each_midnight_and_keeps_its_size() -> None:
    """100 sold at 100: 10,000 at 36.5 % a year are 10 a day, and 11 at a mark of 110."""
    backtest = desk(financing={"borrow_rate": 0.365})
    found = traded(backtest, [FLAT, (100, 110, 100, 110), (105, 105, 105, 105)], say(0, -1))
    assert found.postings.tolist() == [(2, k.BORROW, -11_00)]
    assert found.equity.tolist() == [10_000, 9_000, 9_500 - 11]
    (trip,) = found.trips
    assert trip["realized"] == trip["fees"] == 0


def test_three_days_over_a_weekend_are_three_midnights() -> None:
    backtest = desk(financing={"borrow_rate": 0.365})
    bars = bars_of([FLAT] * 3, opened_ns=[0, DAY_NS, 4 * DAY_NS])
    found = trade(backtest, bars, signals_of([say(0, -1)]))
    assert found.postings.tolist() == [(2, k.BORROW, -30_00)]


def test_funding_within_a_bar_is_at_its_open_and_seen_by_margin() -> None:
    """8:00 and 16:00 at the open of 101, midnight at the close of 100."""
    backtest = desk(financing={"funding_rate": 0.001})
    found = traded(backtest, [FLAT, (101, 101, 90, 100), FLAT], say(0, 0.5))
    assert found.postings.tolist() == [(1, k.FUNDING, -2 * 5_05), (2, k.FUNDING, -5_00 - 2 * 5_00)]
    margin = {"initial_rate": 0.5, "maintenance_rate": 0.25}
    tight = desk(financing={"funding_rate": 0.17}, margin=margin, risk={"risk_per_trade": 1.0, "max_leverage": 20.0})
    ended = traded(tight, [FLAT, FLAT], say(0, 1, 50.0))
    assert briefly(ended)[1:] == [(1, -200, 100.0, k.INTRABAR, k.LIQUIDATION)]


def test_prices_of_another_type_are_the_same_prices() -> None:
    bars, signals = bars_of([FLAT, (101, 103, 99, 102), FLAT]), signals_of([say(0, 1)])
    narrow = replace(bars, open=bars.open.astype(np.float32), close=bars.close.astype(np.int64))
    found = trade(desk(), narrow, signals)
    assert found.equity.tolist() == trade(desk(), bars, signals).equity.tolist() == [10_000.0, 10_100.0, 9_900.0]


def test_nothing_is_read_before_the_first_bar() -> None:
    """It has funding within it, and the memory before its close can not be read."""
    memory = mmap.mmap(-1, 2 * mmap.PAGESIZE)
    closes = np.frombuffer(memory, np.float64, 3, mmap.PAGESIZE)
    bars = bars_of([FLAT] * 3)
    closes[:] = bars.close
    first = ctypes.c_void_p(closes.ctypes.data - mmap.PAGESIZE)
    assert ctypes.CDLL(None).mprotect(first, ctypes.c_size_t(mmap.PAGESIZE), 0) == 0
    found = trade(desk(financing={"funding_rate": 0.001}), replace(bars, close=closes), signals_of([say(1, 1)]))
    assert found.postings.tolist() == [(2, k.FUNDING, -2 * 10_00)]


@pytest.mark.parametrize(("asset_class", "paid"), [("equity", 0), ("future", 1_00)])
def test_cash_is_what_is_left_of_the_balance_where_positions_are_paid(asset_class: str, paid: int) -> None:
    account = {"interest_rate": 0.0365}
    backtest = desk(asset_class=asset_class, account=account)
    found = traded(backtest, [FLAT] * 3, say(0, 1))
    assert found.postings.tolist() == [(1, k.INTEREST, 1_00)] + [(2, k.INTEREST, paid)] * (paid > 0)


def test_recorded_rates_are_charged_when_they_were() -> None:
    funding = Funding(np.array([DAY_NS, DAY_NS + HOUR_NS, 2 * DAY_NS, 3 * DAY_NS]), np.array([0.1, 0.01, -0.02, 0.1]))
    found = trade(desk(), bars_of([FLAT] * 3), signals_of([say(0, 1)]), funding)
    assert found.postings.tolist() == [(1, k.FUNDING, -100_00), (2, k.FUNDING, 200_00)]


def test_what_expires_is_settled_at_the_close_before_without_costs() -> None:
    backtest = desk(fees={"taker_rate": 0.01}, simulation={"slippage_ticks": 5}, expires="1970-01-04")
    rows = [FLAT, FLAT, (100, 110, 100, 107.5), (50, 50, 50, 50), (50, 50, 50, 50)]
    found = traded(backtest, rows, say(0, 0.5, 90.0), say(2, 1), say(3, -1))
    assert briefly(found)[1:] == [(3, -49 - 1, 107.5, k.OPEN, k.EXPIRY)]
    assert found.fills["fee"].tolist() == [50_02 + 0, 0]
    assert found.equity[-1] == found.equity[-2]
    assert found.trips["reason"].tolist() == [k.EXPIRY]


def test_what_has_expired_before_the_first_bar_never_trades() -> None:
    assert len(traded(desk(expires="1970-01-01"), [FLAT] * 3, say(0, 1)).fills) == 0
