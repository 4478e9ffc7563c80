"""Signals of several strategies on one instrument become one decision, by a stated rule."""

from collections.abc import Sequence

from msgspec import Struct

from tradingd.events import Decision, Signal, TimeInForce
from tradingd.strategies.settings import CombineSettings

BRIEFEST_FIRST = (TimeInForce.IOC, TimeInForce.DAY, TimeInForce.GTC)


class Vote(Struct, frozen=True, gc=False):
    """The newest signal of one strategy; its target is a signed fraction of the account's equity."""

    signal: Signal
    weight: float = 1.0
    time_in_force: TimeInForce = TimeInForce.GTC


def combine(instrument: int, votes: Sequence[Vote], settings: CombineSettings) -> Decision:
    """The mean of the targets, weighted by weight x confidence, added up in the order given.

    A signal whose confidence is 0 or below `min_confidence` does not vote; one with a target of 0 votes for no
    exposure. The side needs the votes of at least `quorum` strategies that want it, or there is no exposure; strategies
    that cancel out are a tie, which is no exposure too. The stop is the tightest of those that agree with the side, the
    take profit the nearest, the trail the shortest. What opens waits for a limit or a trigger only where all that agree
    name one: for the least aggressive limit, for the farthest trigger; and for the shortest of their times in force.
    The price is that of the newest bar that voted, the last of them where several are.
    """
    valid = [v for v in votes if v.signal.confidence > 0.0 and v.signal.confidence >= settings.min_confidence]
    target = _weighted(valid)
    winners = [v for v in valid if v.signal.target * target > 0.0]
    agreeing = [v.signal for v in winners]
    if len(agreeing) < settings.quorum:
        target = 0.0
    price, voters = _newest(valid or votes).price, tuple([v.signal.strategy for v in valid])
    rule = f"weighted: {len(agreeing)} of {len(valid)} votes agree, quorum {settings.quorum}"
    if not agreeing:
        return Decision(instrument, target, price, voters, rule)
    return Decision(
        instrument=instrument,
        target=target,
        price=price,
        voters=voters,
        rule=rule,
        stop=_nearest([s.stop for s in agreeing], target),
        take_profit=_nearest([s.take_profit for s in agreeing], -target),
        limit=_of_all([s.limit for s in agreeing], -target),
        trigger=_of_all([s.trigger for s in agreeing], target),
        trail=min([s.trail for s in agreeing if s.trail is not None], default=None) if target else None,
        time_in_force=min([v.time_in_force for v in winners], key=BRIEFEST_FIRST.index),
    )


def _weighted(votes: Sequence[Vote]) -> float:
    total = wanted = 0.0
    for vote in votes:
        weight = vote.weight * vote.signal.confidence
        total += weight
        wanted += weight * vote.signal.target
    return wanted / total + 0.0 if total > 0.0 else 0.0


def _newest(votes: Sequence[Vote]) -> Signal:
    newest = votes[-1].signal
    for vote in reversed(votes):
        if vote.signal.ts_bar_close_ns > newest.ts_bar_close_ns:
            newest = vote.signal
    return newest


def _of_all(prices: Sequence[float | None], side: float) -> float | None:
    """As `_nearest`, and none where one of them is not given."""
    return None if None in prices else _nearest(prices, side)


def _nearest(prices: Sequence[float | None], side: float) -> float | None:
    """The highest price where `side` is positive, the lowest where it is negative, none where it is 0."""
    if side == 0.0:
        return None
    given = [price for price in prices if price is not None]
    return (max if side > 0.0 else min)(given, default=None)
