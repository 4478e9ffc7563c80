"""The venue against a slow, independent reading of docs/simulation.md, fill by fill, on random orders and ticks.

The reference counts prices in quarters of a tick and sizes in lots, as whole numbers; it looks at every tick, while the
venue is only asked when `due_ns` and `touch_levels` say so, as in the core.
"""

import math
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tradingd.columns import INELIGIBLE, QUOTE, TRADE
from tradingd.commands import Approved
from tradingd.events import (
    OrderAccepted,
    OrderCanceled,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    OrderRequested,
    OrdType,
    Side,
    TimeInForce,
)
from tradingd.instruments import NS, AccountSettings, AssetClass, Instrument, PriceSource, Session
from tradingd.kernels.market import Market
from tradingd.simulation import venue
from tradingd.simulation.settings import SimulationSettings
from tradingd.simulation.state import Terms, Tick, VenueState, terms_of

CLOSE_S = 40  # the session ends this many seconds into the story
START_S = 12 * 3600 - CLOSE_S
LATENCY_S = 2


AWAKE = {"stop": "market", "stop-limit": "limit", "trailing": "market"}  # what a stop becomes


@dataclass
class Rest:
    """An order at the reference venue."""

    name: str
    sign: int
    kind: str  # market, limit, stop, stop-limit
    force: str
    lots: int
    limit: int  # in ticks
    trigger: int  # in ticks
    reduces: bool
    parent: str | None
    trail: int = 0  # in ticks
    fresh: bool = True
    alive: bool = True
    until: int | None = None


@dataclass
class Reference:
    by_mid: bool
    slip: int
    half: bool  # our orders may take half of a recorded size
    spread: int  # in ticks, about prices that have no quotes beside them
    is_quoted: bool = False
    mail: list[tuple[int, Any]] = field(default_factory=list)
    rests: list[Rest] = field(default_factory=list)
    quotes: dict[int, tuple[int, int | None]] = field(default_factory=dict)  # by sign of who takes it
    eaten: dict[int, list[Any]] = field(default_factory=dict)
    last: int | None = None
    held: int = 0
    said: list[tuple[Any, ...]] = field(default_factory=list)

    def send(self, now: int, what: Any) -> None:
        self.mail.append((now + LATENCY_S, what))

    def pass_time(self, now: int) -> None:
        for moment in range(now + 1):
            for rest in self.rests:
                if rest.alive and rest.until == moment:
                    rest.alive = False
                    self.said.append(("expired", rest.name))
            while arrived := [letter for letter in self.mail if letter[0] == moment]:
                self.mail.remove(arrived[0])
                self.arrive(moment, arrived[0][1])

    def arrive(self, moment: int, what: Any) -> None:
        if isinstance(what, str):
            self.end(what)
            return
        open_now = moment < CLOSE_S
        if (what.force == "day" and not open_now) or (what.reduces and self.reducible(what) == 0):
            self.said.append(("rejected", what.name))
        else:
            self.said.append(("accepted", what.name))
            what.until = CLOSE_S if what.force == "day" else None
            self.rests.append(what)
            if open_now:
                self.arrive_at_book(what)

    def arrive_at_book(self, rest: Rest) -> None:
        quote = self.quotes.get(rest.sign)
        seen = (quote[0] if quote else None) if self.by_mid or self.spread else self.last
        if self.spread and not self.is_quoted:
            seen = None if self.last is None else self.made(rest, self.last)
        if rest.kind in AWAKE and seen is not None and self.beyond(rest, seen):
            rest.kind = AWAKE[rest.kind]
        if quote:
            self.offer_quote(rest, *quote)

    def trade(self, now: int, price: int, size: int | None, *, eligible: bool) -> None:
        if not eligible:
            return
        if not self.by_mid:
            self.last = price
        if now >= CLOSE_S:
            return
        left = 10**9 if size is None else size // 2 if self.half else size
        for rest in list(self.rests):
            quote = self.quotes.get(rest.sign)
            if self.spread and not self.is_quoted:
                made = self.made(rest, price)
                if rest.alive and not self.asleep(rest, made, triggers=True):
                    left -= self.deal(rest, made, made, left)
            elif rest.alive and not self.asleep(rest, price, triggers=not self.by_mid and not self.spread):
                worst = price if quote is None else max(price * rest.sign, quote[0] * rest.sign) * rest.sign
                left -= self.deal(rest, price, worst, left)

    def quote(self, now: int, bid: int | None, bid_size: int | None, ask: int | None, ask_size: int | None) -> None:
        sides = {1: (ask, ask_size), -1: (bid, bid_size)}
        told = {sign: (price, size) for sign, (price, size) in sides.items() if price is not None}
        self.is_quoted |= bool(told)
        for sign, (price, size) in told.items():
            if size == 0:
                self.quotes.pop(sign, None)
            else:
                self.quotes[sign] = (price, size)
        if now >= CLOSE_S:
            return
        for rest in list(self.rests):
            told_quote = told.get(rest.sign)
            if rest.alive and told_quote and told_quote[1] != 0:
                self.offer_quote(rest, *told_quote)

    def offer_quote(self, rest: Rest, price: int, size: int | None) -> None:
        if self.asleep(rest, price, triggers=self.by_mid or self.spread > 0):
            return
        same = size is not None and self.eaten.get(rest.sign, [None])[0] == (price, size)
        room = 10**9 if size is None else size // 2 if self.half else size
        left = room - (self.eaten[rest.sign][1] if same else 0)
        lots = self.deal(rest, price, price, left)
        if lots:
            self.eaten[rest.sign] = [(price, size), lots + (self.eaten[rest.sign][1] if same else 0)]

    def made(self, rest: Rest, price: int) -> int:
        """The quote of a price that has none beside it: half of the spread away, on half ticks."""
        return 2 * (math.ceil(price / 2) + self.spread if rest.sign > 0 else math.floor(price / 2) - self.spread)

    def asleep(self, rest: Rest, price: int, *, triggers: bool) -> bool:
        if rest.kind in AWAKE and triggers and self.beyond(rest, price):
            rest.kind = AWAKE[rest.kind]
        elif rest.kind == "trailing" and triggers:  # nearest tick, ties to the even one
            near = round(price / 4 + rest.sign * rest.trail)
            rest.trigger = min(rest.trigger, near) if rest.sign > 0 else max(rest.trigger, near)
        return rest.kind in AWAKE

    def beyond(self, rest: Rest, price: int) -> bool:
        return price >= 4 * rest.trigger if rest.sign > 0 else price <= 4 * rest.trigger

    def deal(self, rest: Rest, price: int, worst: int, left: int) -> int:
        lots = min(rest.lots, left)
        if rest.reduces:
            lots = min(lots, self.reducible(rest))
        maker = rest.kind == "limit" and not rest.fresh
        within = rest.kind == "market" or (price <= 4 * rest.limit if rest.sign > 0 else price >= 4 * rest.limit)
        if lots > 0 and within:
            at = rest.limit if maker else self.against(rest, price if rest.kind == "limit" else worst)
            at += rest.sign * self.slip if rest.kind == "market" else 0
            self.said.append(("filled", rest.name, max(at, 1), lots, maker))
            rest.lots -= lots
            rest.alive = rest.lots > 0
            self.held += rest.sign * lots
            self.follow_up(rest)
        else:
            lots = 0
        rest.fresh = False
        if rest.force == "ioc" and rest.alive:
            self.end(rest.name)
        return lots

    def against(self, rest: Rest, quarters: int) -> int:
        return math.ceil(quarters / 4) if rest.sign > 0 else math.floor(quarters / 4)

    def follow_up(self, filled: Rest) -> None:
        if filled.parent:
            known = self.rests + [what for _, what in self.mail if isinstance(what, Rest)]
            if not any(rest.alive and rest.reduces and rest.name == filled.parent for rest in known):
                self.end(filled.parent)
            if filled.lots == 0:
                for rest in known:
                    if rest.parent == filled.parent:
                        self.end(rest.name)
        for rest in self.rests:
            if rest.alive and rest.reduces and self.reducible(rest) == 0:
                self.end(rest.name)

    def reducible(self, rest: Rest) -> int:
        return max(0, -self.held * rest.sign)

    def end(self, name: str) -> None:
        letters = [letter for letter in self.mail if isinstance(letter[1], Rest) and letter[1].name == name]
        working = [rest for rest in self.rests if rest.alive and rest.name == name]
        for rest in working:
            rest.alive = False
        for letter in letters:
            self.mail.remove(letter)
        if letters or working:
            self.said.append(("canceled", name))


# --- the venue, driven as the core drives it --------------------------------------------------------------------------

TICK, LOT = 0.5, 0.1
FORCES = {"gtc": TimeInForce.GTC, "ioc": TimeInForce.IOC, "day": TimeInForce.DAY}
KINDS = {
    "market": OrdType.MARKET,
    "limit": OrdType.LIMIT,
    "stop": OrdType.STOP,
    "stop-limit": OrdType.STOP_LIMIT,
    "trailing": OrdType.TRAILING_STOP,
}


def at_ns(second: int) -> int:
    return (START_S + second) * NS


def price_of(quarters: int | None) -> float:
    return math.nan if quarters is None else quarters * TICK / 4


def size_of(lots: int | None) -> float:
    return math.nan if lots is None else lots / 10


def world(*, by_mid: bool, slip: int, half: bool, spread: int) -> Terms:
    instrument = Instrument(
        "SIM:A", AssetClass.SPOT, tick_size=TICK, lot_size=LOT, currency="USD",
        session=Session(open="00:00", close="12:00"), price_source=PriceSource.MID if by_mid else PriceSource.TRADE,
        spread_ticks=spread,
    )  # fmt: skip
    chosen = SimulationSettings(
        latency_ms=LATENCY_S * 1000, cancel_latency_ms=LATENCY_S * 1000, slippage_ticks=slip,
        fill_ratio=0.5 if half else 1.0,
    )  # fmt: skip
    return terms_of(chosen, [instrument], [AccountSettings("USD", "1000")])


def request(rest: Rest) -> OrderRequested:
    return OrderRequested(
        cl_ord_id=rest.name,
        instrument=0,
        side=Side.BUY if rest.sign > 0 else Side.SELL,
        quantity=rest.lots / 10,
        ord_type=KINDS[rest.kind],
        time_in_force=FORCES[rest.force],
        price=rest.limit * TICK if rest.kind in ("limit", "stop-limit") else None,
        stop_px=rest.trigger * TICK if rest.kind in AWAKE else None,
        reduce_only=rest.reduces,
        parent=rest.parent,
        trail=rest.trail * TICK if rest.kind == "trailing" else None,
    )


def plain(body: Any) -> tuple[Any, ...]:
    if isinstance(body, OrderFilled):
        return ("filled", body.cl_ord_id, round(body.last_px / TICK), round(body.last_qty * 10), body.maker)
    words = {
        OrderAccepted: "accepted",
        OrderRejected: "rejected",
        OrderCanceled: "canceled",
        OrderExpired: "expired",
    }
    return (words[type(body)], body.cl_ord_id)


def write(market: Market, tick: Tick, *, by_mid: bool) -> None:
    """What the scan kernel does with a row."""
    if tick.kind == TRADE and not tick.flags & INELIGIBLE and not by_mid:
        market.last[0] = tick.price
    if tick.kind == QUOTE and not math.isnan(tick.price):
        market.bid[0], market.bid_size[0] = tick.price if tick.size != 0 else math.nan, tick.size
    if tick.kind == QUOTE and not math.isnan(tick.ask_price):
        market.ask[0], market.ask_size[0] = tick.ask_price if tick.ask_size != 0 else math.nan, tick.ask_size


def matters(state: VenueState, terms: Terms, tick: Tick) -> bool:
    low, high = venue.touch_levels(state, terms, 0)
    return any(price <= low or price >= high for price in (tick.price, tick.ask_price))


def tick_of(action: tuple[Any, ...]) -> Tick:
    if action[0] == "trade":
        _, price, size, eligible = action
        return Tick(TRADE, 0 if eligible else INELIGIBLE, price_of(price), size_of(size), math.nan, math.nan)
    _, bid, bid_size, ask, ask_size = action
    return Tick(QUOTE, 0, price_of(bid), size_of(bid_size), price_of(ask), size_of(ask_size))


def play(
    story: list[tuple[int, tuple[Any, ...]]], *, by_mid: bool, slip: int, half: bool, spread: int = 0
) -> list[tuple[Any, ...]]:
    terms, state, market = world(by_mid=by_mid, slip=slip, half=half, spread=spread), VenueState(), Market.empty(1)
    said: list[Any] = []
    for second, action in story:
        now_ns = at_ns(second)
        if venue.due_ns(state) <= now_ns:
            said += venue.on_time(state, terms, market, now_ns)
        if action[0] == "send":
            venue.submit(state, terms, Approved(request(action[1]())), now_ns)
        elif action[0] == "cancel":
            venue.cancel(state, terms, action[1], now_ns)
        else:
            tick = tick_of(action)
            write(market, tick, by_mid=by_mid)
            if matters(state, terms, tick):
                said += venue.on_tick(state, terms, 0, tick, market, now_ns)
    return [plain(body) for body in said]


def tell(
    story: list[tuple[int, tuple[Any, ...]]], *, by_mid: bool, slip: int, half: bool, spread: int
) -> list[tuple[Any, ...]]:
    reference = Reference(by_mid=by_mid, slip=slip, half=half, spread=spread)
    for second, action in story:
        reference.pass_time(second)
        if action[0] == "send":
            reference.send(second, action[1]())
        elif action[0] == "cancel":
            reference.send(second, action[1])
        elif action[0] == "trade":
            reference.trade(second, action[1], action[2], eligible=action[3])
        else:
            reference.quote(second, *action[1:])
    return reference.said


# --- random stories ---------------------------------------------------------------------------------------------------

QUARTERS = st.integers(60, 100)
SIZES = st.none() | st.integers(0, 8)
TRADES = st.tuples(st.just("trade"), QUARTERS, SIZES, st.sampled_from([True, True, True, False]))
SIDE_OF_QUOTE = st.one_of(st.tuples(st.none(), st.none()), st.tuples(QUARTERS, SIZES))
QUOTES = st.tuples(SIDE_OF_QUOTE, SIDE_OF_QUOTE).map(lambda sides: ("quote", *sides[0], *sides[1]))


ENTRY = {
    "sign": 1, "kind": "market", "force": "gtc", "lots": 5, "limit": 0, "trigger": 0, "reduces": False, "parent": None,
}  # fmt: skip


@st.composite
def sends(draw: st.DrawFn) -> tuple[str, Any]:
    fields = {
        "sign": draw(st.sampled_from([1, -1])),
        "kind": draw(st.sampled_from(list(KINDS))),
        "force": draw(st.sampled_from(["gtc", "gtc", "ioc", "day"])),
        "lots": draw(st.integers(1, 10)),
        "limit": draw(st.integers(15, 25)),
        "trigger": draw(st.integers(15, 25)),
        "trail": draw(st.integers(1, 4)),
        "reduces": draw(st.booleans()),
        "parent": draw(st.sampled_from([None, None, "o0", "o1"])),
    }
    return "send", fields


@st.composite
def stories(draw: st.DrawFn) -> list[tuple[int, tuple[Any, ...]]]:
    actions = draw(
        st.lists(
            st.one_of(TRADES, TRADES, QUOTES, QUOTES, sends(), st.tuples(st.just("cancel"), st.just("o1"))),
            min_size=1,
            max_size=30,
        )
    )
    story: list[tuple[int, tuple[Any, ...]]] = []
    second = orders = 0
    if draw(st.booleans()):  # a position to begin with
        entry = {"sign": draw(st.sampled_from([1, -1])), "lots": draw(st.integers(1, 10))}
        story = [(0, ("quote", 79, None, 81, None)), (0, ("send", named("o0", ENTRY | entry)))]
        second, orders = LATENCY_S, 1
    for what, *rest in actions:
        if what == "send":
            story.append((second, (what, named(f"o{orders}", rest[0]))))
            orders += 1
        else:
            story.append((second, (what, *rest)))
        second += draw(st.integers(0, 3))
    return story


def named(name: str, fields: dict[str, Any]) -> Any:
    return lambda: Rest(name=name, **fields)


@settings(max_examples=600)
@given(stories(), st.booleans(), st.integers(0, 2), st.booleans(), st.sampled_from([0, 0, 1, 2]), st.booleans())
def test_the_venue_does_what_the_rules_say(
    story: list[tuple[int, tuple[Any, ...]]], by_mid: bool, slip: int, half: bool, spread: int, quotes: bool
) -> None:
    story = [each for each in story if quotes or each[1][0] != "quote"]
    found = play(story, by_mid=by_mid, slip=slip, half=half, spread=spread)
    assert found == tell(story, by_mid=by_mid, slip=slip, half=half, spread=spread)


@pytest.mark.parametrize(("by_mid", "last_price"), [(False, 17), (True, 18)])
def test_a_story_by_hand(by_mid: bool, last_price: int) -> None:
    # given a position with a stop at 18 and a target at 23, when the market falls to 18 for 3 of 5 lots: trades wake
    # the stop in one world, quotes in the other, where the trade then fills what the quote could not
    leg = ENTRY | {"sign": -1, "reduces": True, "parent": "o0"}
    story: list[tuple[int, tuple[Any, ...]]] = [
        (0, ("quote", 76, 9, 80, 9)),
        (0, ("send", named("o0", ENTRY))),
        (3, ("send", named("o1", leg | {"kind": "stop", "trigger": 18}))),
        (3, ("send", named("o2", leg | {"kind": "limit", "limit": 23}))),
        (6, ("quote", 72, 3, 76, 9)),
        (6, ("trade", 72, 3, True)),
        (7, ("quote", 70, 9, 74, 9)),
    ]
    assert play(story, by_mid=by_mid, slip=0, half=False) == [
        ("accepted", "o0"),
        ("filled", "o0", 20, 5, False),
        ("accepted", "o1"),
        ("accepted", "o2"),
        ("filled", "o1", 18, 3, False),
        ("filled", "o1", last_price, 2, False),
        ("canceled", "o2"),
    ]
