"""The model of docs/depth.md, from that page alone: dicts and lists, one event at a time, slow.

Nothing of the kernels is used. Prices are whole ticks, sizes are doubles of lots, our orders whole lots.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

BUY, SELL = "buy", "sell"
OTHER = {BUY: SELL, SELL: BUY}
ENDS = ("filled", "canceled", "rejected", "expired")


@dataclass
class Terms:
    tick: Fraction
    lot: Fraction
    multiplier: float
    units_per_one: int
    maker_rate: float
    taker_rate: float
    per_unit: float
    minimum: float
    negative_prices: bool
    partial_fills: bool
    power: int  # 0: risk averse
    entry_ns: int
    response_ns: int
    step_ns: int
    sample_ns: int
    balance: int


@dataclass
class Order:
    id: int
    side: str
    kind: str
    ticks: int
    lots: int
    left: int
    queue: float = 0.0
    ahead: float = 0.0
    traded: float = 0.0
    accepted_ns: int | None = None
    ended_ns: int | None = None
    state: str = "pending_new"


class Book:
    def __init__(self) -> None:
        self.levels: dict[str, dict[int, float]] = {BUY: {}, SELL: {}}

    def best(self, side: str) -> int | None:
        levels = self.levels[side]
        if not levels:
            return None
        return max(levels) if side == BUY else min(levels)

    def size(self, side: str, ticks: int) -> float:
        return self.levels[side].get(ticks, 0.0)

    def set(self, side: str, ticks: int, lots: float) -> None:
        if lots == 0.0:
            self.levels[side].pop(ticks, None)
            return
        other = self.levels[OTHER[side]]
        for price in [p for p in other if (p <= ticks if side == BUY else p >= ticks)]:
            del other[price]
        self.levels[side][ticks] = lots

    def clear(self) -> None:
        self.levels = {BUY: {}, SELL: {}}


def reaches(side: str, own: int, other: int) -> bool:
    return own >= other if side == BUY else own <= other


@dataclass
class Run:
    terms: Terms
    events: list[tuple[int, int, str, int, float]]  # event time, receive time, kind, ticks, lots
    maker: Callable[[dict[str, Any], dict[str, Any]], None]
    there: Book = field(default_factory=Book)
    here: Book = field(default_factory=Book)
    resting: list[Order] = field(default_factory=list)
    requests: list[tuple[int, str, Order]] = field(default_factory=list)
    fills: list[dict[str, Any]] = field(default_factory=list)
    samples: list[dict[str, Any]] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    quotes: dict[str, Order | None] = field(default_factory=lambda: {BUY: None, SELL: None})
    lots: int = 0
    cost: int = 0
    balance: int = 0
    mark: float | None = None
    done: int = 0
    received: int = 0

    def run(self) -> None:
        names = ("steps", "orders", "cancels", "canceled", "too_late", "expired", "rejected", "filled", "fills")
        self.counts = dict.fromkeys(names, 0)
        self.balance = self.terms.balance
        begin, end = self.events[0][0], self.events[-1][1]
        sample_ns = begin + self.terms.sample_ns
        wanted = dict.fromkeys(
            ("bid_ticks", "bid_lots", "ask_ticks", "ask_lots", "requote", "take_lots", "take_ticks", "take_market"), 0
        )
        wanted["post_only"] = 1
        for t in self.times(begin, end):
            self.exchange(t)
            view = self.view(t)
            self.maker(view, wanted)
            self.counts["steps"] += 1
            self.act(wanted, t)
            if t >= sample_ns:
                self.sample(t)
                while sample_ns <= t:
                    sample_ns += self.terms.sample_ns
        self.exchange(end)
        self.sample(end)

    def times(self, begin: int, end: int) -> list[int]:
        if self.terms.step_ns == 0:
            return sorted({event[1] for event in self.events if event[1] < end})
        return list(range(begin + self.terms.step_ns, end, self.terms.step_ns))

    # the exchange

    def exchange(self, t: int) -> None:
        while self.requests and self.requests[0][0] <= t:
            at, what, order = self.requests.pop(0)
            self.play(at)
            if what == "cancel":
                self.cancel(order, at)
            else:
                self.arrive(order, at)
        self.play(t)

    def play(self, t: int) -> None:
        while self.done < len(self.events) and self.events[self.done][0] <= t:
            ts, _, kind, ticks, lots = self.events[self.done]
            self.done += 1
            if kind == "clear":
                self.there.clear()
            elif kind in ("bid", "ask"):
                self.level(BUY if kind == "bid" else SELL, ticks, lots, ts)
            else:
                self.trade(SELL if kind == "buy_trade" else BUY, ticks, lots, ts)

    def level(self, side: str, ticks: int, lots: float, ts: int) -> None:
        before, best = self.there.size(side, ticks), self.there.best(side)
        self.there.set(side, ticks, lots)
        for order in self.resting:
            if order.side == side and order.ticks == ticks:
                self.queue(order, before, lots)
        now = self.there.best(side)
        if now is not None and (best is None or (now > best if side == BUY else now < best)):
            for order in [o for o in self.resting if o.side != side and reaches(o.side, o.ticks, now)]:
                self.fill(order, order.left, order.ticks, ts, True)

    def queue(self, order: Order, before: float, after: float) -> None:
        if self.terms.power:
            shrunk = before - after - order.traded
            order.traded = 0.0
            if shrunk > 0 and order.ahead > 0:
                front = back = 1.0
                behind = max(before - order.ahead, 0.0)
                for _ in range(self.terms.power):
                    front, back = front * order.ahead, back * behind
                order.ahead = max(order.ahead - front / (front + back) * shrunk, 0.0)
        order.ahead = min(order.ahead, after)

    def trade(self, side: str, ticks: int, lots: float, ts: int) -> None:
        for order in [o for o in self.resting if o.side == side]:
            if order.ticks == ticks:
                order.ahead -= lots
                order.traded += lots
                passed = round(-order.ahead) if order.ahead < 0 else 0
                if passed >= 1:
                    lots_filled = min(passed, order.left) if self.terms.partial_fills else order.left
                    self.fill(order, lots_filled, ticks, ts, True)
                    order.ahead = max(order.ahead, 0.0)
            elif reaches(side, order.ticks, ticks):
                self.fill(order, order.left, order.ticks, ts, True)

    def arrive(self, order: Order, t: int) -> None:
        best = self.there.best(OTHER[order.side])
        too_low = order.ticks < 1 and not self.terms.negative_prices
        if best is None if order.kind == "market" else too_low:
            self.end(order, "rejected", t)
        elif best is not None and (order.kind == "market" or reaches(order.side, order.ticks, best)):
            if order.kind == "post_only":
                self.end(order, "expired", t)
            else:
                self.take(order, best, t)
        elif order.kind == "ioc":
            self.end(order, "expired", t)
        else:
            order.queue = order.ahead = self.there.size(order.side, order.ticks)
            self.rest(order, t)

    def rest(self, order: Order, t: int) -> None:
        order.accepted_ns, order.state = t, "new" if order.left == order.lots else "partially_filled"
        self.resting.append(order)

    def take(self, order: Order, best: int, t: int) -> None:
        if not self.terms.partial_fills:
            self.fill(order, order.left, best, t, False)
            return
        levels = self.there.levels[OTHER[order.side]]
        for price in sorted(levels, reverse=order.side == SELL):
            if order.left and (order.kind == "market" or reaches(order.side, order.ticks, price)):
                lots = min(math.floor(levels[price]), order.left)
                if lots:
                    self.fill(order, lots, price, t, False)
        if order.left and order.kind == "limit":
            self.rest(order, t)
        elif order.left:
            self.end(order, "expired", t)

    def cancel(self, order: Order, t: int) -> None:
        if order.state in ENDS:
            self.counts["too_late"] += 1
        else:
            self.end(order, "canceled", t)

    def end(self, order: Order, state: str, t: int) -> None:
        order.state, order.ended_ns = state, t
        self.counts[state] += 1
        self.resting = [o for o in self.resting if o is not order]

    # money

    def fill(self, order: Order, lots: int, ticks: int, t: int, maker: bool) -> None:
        terms = self.terms
        price = ticks * terms.tick.numerator / terms.tick.denominator
        quantity = lots * terms.lot.numerator / terms.lot.denominator
        notional = round(price * quantity * terms.multiplier * terms.units_per_one)
        rate = terms.maker_rate if maker else terms.taker_rate
        amount = rate * abs(notional) + terms.per_unit * quantity * terms.units_per_one
        if terms.minimum > 0:
            amount = max(amount, terms.minimum * terms.units_per_one)
        fee, realized = round(amount), self.post(lots if order.side == BUY else -lots, notional)
        self.balance += realized - fee
        if self.mark is None:
            self.mark = price
        self.counts["fills"] += 1
        self.fills.append(
            {
                "ts_ns": t, "order": order.id, "side": order.side, "ticks": ticks, "price": price,
                "lots": lots if order.side == BUY else -lots, "fee": fee, "realized": realized,
                "position": self.lots, "balance": self.balance, "maker": maker, "queue": order.queue,
            }
        )  # fmt: skip
        order.left -= lots
        order.state = "partially_filled"
        if order.left == 0:
            self.end(order, "filled", t)

    def post(self, lots: int, notional: int) -> int:
        flow = notional if lots > 0 else -notional
        before, self.lots = self.lots, self.lots + lots
        if before == 0 or (before > 0) == (lots > 0):
            self.cost += flow
            return 0
        if abs(lots) <= abs(before):
            released = round(Fraction(self.cost) * abs(lots) / abs(before))
            self.cost -= released
            return -flow - released
        closing = round(Fraction(flow) * abs(before) / abs(lots))
        realized, self.cost = -closing - self.cost, flow - closing
        return realized

    def sample(self, t: int) -> None:
        terms, bid, ask = self.terms, self.there.best(BUY), self.there.best(SELL)
        if bid is not None and ask is not None:
            self.mark = 0.5 * (bid + ask) * terms.tick.numerator / terms.tick.denominator
        equity = self.balance
        if self.lots:
            assert self.mark is not None
            quantity = self.lots * terms.lot.numerator / terms.lot.denominator
            equity += round(self.mark * quantity * terms.multiplier * terms.units_per_one) - self.cost
        self.samples.append(
            {"ts_ns": t, "position": self.lots, "balance": self.balance, "equity": equity, "mark": self.mark}
        )

    # our side

    def view(self, t: int) -> dict[str, Any]:
        bought = sold = 0.0
        while self.received < len(self.events) and self.events[self.received][1] <= t:
            _, _, kind, ticks, lots = self.events[self.received]
            self.received += 1
            if kind == "clear":
                self.here.clear()
            elif kind in ("bid", "ask"):
                self.here.set(BUY if kind == "bid" else SELL, ticks, lots)
            elif kind == "buy_trade":
                bought += lots
            else:
                sold += lots
        said = t - self.terms.response_ns
        known = [f for f in self.fills if f["ts_ns"] <= said]
        bid, ask = self.here.best(BUY), self.here.best(SELL)
        return {
            "ts_ns": t,
            "bid_ticks": bid,
            "bid_lots": 0.0 if bid is None else self.here.size(BUY, bid),
            "ask_ticks": ask,
            "ask_lots": 0.0 if ask is None else self.here.size(SELL, ask),
            "bought": bought,
            "sold": sold,
            "position": sum(f["lots"] for f in known),
            "own_bid": self.own(self.quotes[BUY], known, said),
            "own_ask": self.own(self.quotes[SELL], known, said),
            "book": self.here,
        }

    def own(self, order: Order | None, known: list[dict[str, Any]], said: int) -> dict[str, Any]:
        if order is None:
            return {"state": "none", "ticks": 0, "lots": 0, "left": 0}
        filled = sum(abs(f["lots"]) for f in known if f["order"] == order.id)
        state = "pending_new"
        if order.ended_ns is not None and order.ended_ns <= said:
            state = order.state
        elif filled:
            state = "partially_filled"
        elif order.accepted_ns is not None and order.accepted_ns <= said:
            state = "new"
        return {"state": state, "ticks": order.ticks, "lots": order.lots, "left": order.lots - filled}

    def act(self, wanted: dict[str, Any], t: int) -> None:
        kind = "post_only" if wanted["post_only"] else "limit"
        for side, name in ((BUY, "bid"), (SELL, "ask")):
            order, ticks, lots = self.quotes[side], wanted[f"{name}_ticks"], wanted[f"{name}_lots"]
            if order is not None and order.ended_ns is not None and order.ended_ns <= t - self.terms.response_ns:
                self.quotes[side] = None
            elif order is not None and not ((order.ticks, order.lots) == (ticks, lots) and not wanted["requote"]):
                self.counts["cancels"] += 1
                self.requests.append((t + self.terms.entry_ns, "cancel", order))
                self.quotes[side] = None
            if lots and self.quotes[side] is None:
                self.quotes[side] = self.send(side, kind, ticks, lots, t)
        if wanted["take_lots"]:
            side = BUY if wanted["take_lots"] > 0 else SELL
            kind = "market" if wanted["take_market"] else "ioc"
            self.send(side, kind, wanted["take_ticks"], abs(wanted["take_lots"]), t)
            wanted["take_lots"] = 0

    def send(self, side: str, kind: str, ticks: int, lots: int, t: int) -> Order:
        order = Order(self.counts["orders"], side, kind, ticks, lots, lots)
        self.counts["orders"] += 1
        self.requests.append((t + self.terms.entry_ns, "new", order))
        return order
