"""Whole lines: where it stands, what it is, and what it says."""

from tradingd.audit.lookup import Lookup
from tradingd.audit.points import Position
from tradingd.audit.runs import Names
from tradingd.audit.words import Row, in_words, tick_in_words
from tradingd.columns import KIND_NAMES
from tradingd.events import Event


def event_line(event: Event, names: Names) -> str:
    return f"{Position(event.seq, event.n)} {type(event.body).__name__}: {in_words(event.body, names)}"


def tick_type(row: Row) -> str:
    return KIND_NAMES[row["kind"]]


def input_line(lookup: Lookup, seq: int, names: Names) -> str:
    """The input at `seq`, a tick or another."""
    if (tick := lookup.tick(seq)) is not None:
        return f"{seq} {tick_type(tick)}: {tick_in_words(tick, names)}"
    event = lookup.event(Position(seq))
    return event_line(event, names) if event else f"{seq} nothing: there is no such input"
