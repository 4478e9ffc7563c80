"""The links of an explanation: events as steps, and their neighbours in the journal."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from msgspec import Struct

from tradingd.audit.lines import tick_type
from tradingd.audit.lookup import Lookup, quoted
from tradingd.audit.points import Position
from tradingd.audit.runs import Names
from tradingd.audit.words import Row, bar_in_words, in_words, tick_in_words
from tradingd.columns import TIMEFRAMES
from tradingd.events import Event

# an order that a decision asked for; a default is not in the JSON
BY_DECISION = "type IN ('OrderRequested', 'OrderRefused') AND coalesce((payload->>'reason'), 'decision') = 'decision'"


class Step(Struct):
    """One event of a chain; `link` says what it is to the one that was asked about or stands before it."""

    link: str
    position: str
    type: str
    text: str


@dataclass(frozen=True, slots=True)
class Case:
    """What is asked, and what its indices mean."""

    lookup: Lookup
    names: Names

    def step(self, link: str, event: Event) -> Step:
        return Step(link, str(place(event)), type(event.body).__name__, in_words(event.body, self.names))

    def bar_step(self, link: str, bar: Row) -> Step:
        return Step(link, str(Position(bar["seq"], bar["n"])), "Bar", bar_in_words(bar, self.names))

    def input(self, link: str, seq: int) -> Iterator[Step]:
        if (tick := self.lookup.tick(seq)) is not None:
            yield Step(link, str(seq), tick_type(tick), tick_in_words(tick, self.names))
        elif (event := self.lookup.event(Position(seq))) is not None:
            yield self.step(link, event)

    def order(self, cl_ord_id: str | None) -> Event | None:
        found = self.lookup.of_order(cl_ord_id or "", ("OrderRequested",))
        return found[0] if found else None

    def newest(self, event: Event, kind: str, instrument: int) -> Event | None:
        return self.lookup.newest(place(event), f"type = '{kind}' AND instrument = {instrument}")

    def signal(self, before: Position, instrument: int, strategy: str) -> Event | None:
        """What a strategy wanted last."""
        condition = f"type = 'Signal' AND instrument = {instrument} AND (payload->>'strategy') = {quoted(strategy)}"
        return self.lookup.newest(before, condition)

    def before(self, event: Event, kinds: type | tuple[type, ...], instrument: int | None = None) -> Event | None:
        """The newest event of these kinds before one at the same input."""
        found = [other for other in self.lookup.events_at(event.seq) if other.n < event.n]
        return next((other for other in reversed(found) if _is(other, kinds, instrument)), None)

    def after(self, event: Event, kinds: type | tuple[type, ...], instrument: int | None = None) -> Event | None:
        """The first event of these kinds after one at the same input."""
        found = (other for other in self.lookup.events_at(event.seq) if other.n > event.n)
        return next((other for other in found if _is(other, kinds, instrument)), None)

    def traded_later(self, decision: Event) -> Event | None:
        """The order, requested or refused, that a decision waited for: after its input, before the next decision."""
        instrument = instrument_of(decision)
        order = self.lookup.oldest(Position(decision.seq + 1), f"instrument = {instrument} AND {BY_DECISION}")
        after = Position(decision.seq, decision.n + 1)
        following = self.lookup.oldest(after, f"instrument = {instrument} AND type = 'Decision'")
        return order if order and (following is None or place(order) < place(following)) else None

    def timeframe(self, strategy: str) -> int | None:
        found = [s.timeframe for s in self.names.settings.strategies if s.name == strategy]
        return TIMEFRAMES.index(found[0]) if found else None

    def steppers(self, bar: Row) -> list[str]:
        """Strategies that step on bars like this one."""
        timeframe, instrument = TIMEFRAMES[bar["timeframe"]], self.names.instrument(bar["instrument"])
        strategies = self.names.settings.strategies
        return [s.name for s in strategies if s.timeframe == timeframe and instrument in s.instruments]


def place(event: Event) -> Position:
    return Position(event.seq, event.n)


def instrument_of(event: Event) -> int:
    body: Any = event.body
    return int(body.instrument)


def _is(event: Event, kinds: type | tuple[type, ...], instrument: int | None) -> bool:
    return isinstance(event.body, kinds) and (instrument is None or instrument_of(event) == instrument)
