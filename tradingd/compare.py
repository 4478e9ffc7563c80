"""Two commits of the same inputs, compared fact by fact."""

from dataclasses import dataclass
from itertools import zip_longest

import numpy as np

from tradingd.commit import Commit
from tradingd.events import INPUTS, Event


@dataclass(frozen=True, slots=True)
class Difference:
    seq: int
    n: int
    text: str
    recorded: object
    derived: object


def first_difference(recorded: Commit, derived: Commit) -> Difference | None:
    """The first position at which two commits of the same inputs differ, or None."""
    ways = (_misplaced(recorded), _events_differ(recorded, derived), _bars_differ(recorded, derived))
    found = [difference for difference in ways if difference is not None]
    return min(found, key=lambda d: (d.seq, d.n)) if found else None


def _misplaced(recorded: Commit) -> Difference | None:
    """A fact that stands as an input, or the other way round: re-execution would believe it."""
    for event in recorded.events:
        if isinstance(event.body, INPUTS) != (event.n == 0):
            text = f"at ({event.seq}, {event.n}) the journal has {_brief(event)}, which can not stand there"
            return Difference(event.seq, event.n, text, event, None)
    return None


def _events_differ(recorded: Commit, derived: Commit) -> Difference | None:
    if recorded.events == derived.events:
        return None
    pairs = zip_longest(recorded.events, derived.events)
    was, is_now = next((was, is_now) for was, is_now in pairs if was != is_now)
    first = min((event for event in (was, is_now) if event is not None), key=_place)
    return _difference(first, *(event if event and _place(event) == _place(first) else None for event in (was, is_now)))


def _place(event: Event) -> tuple[int, int]:
    return event.seq, event.n


def _difference(at: Event, was: Event | None, is_now: Event | None) -> Difference:
    text = f"at ({at.seq}, {at.n}) the journal has {_brief(was)}, re-execution gives {_brief(is_now)}"
    return Difference(at.seq, at.n, text, was, is_now)


def _brief(event: Event | None) -> str:
    return "nothing" if event is None else repr(event.body)


def _bars_differ(recorded: Commit, derived: Commit) -> Difference | None:
    a, b = recorded.bars, derived.bars
    size = min(len(a), len(b))
    unequal = (a.seq[:size] != b.seq[:size]) | (a.n[:size] != b.n[:size])
    for name in a.rows.dtype.names or ():
        x, y = a.rows[name][:size], b.rows[name][:size]
        unequal |= (x != y) & ~(np.isnan(x) & np.isnan(y))
    if unequal.any():
        at = int(np.argmax(unequal))
    elif len(a) != len(b):
        at = size
    else:
        return None
    places = [(int(rows.seq[at]), int(rows.n[at])) if at < len(rows) else None for rows in (a, b)]
    seq, n = min(place for place in places if place is not None)
    sides = zip((a, b), places, strict=True)
    was, is_now = (rows.rows[at].item() if place == (seq, n) else None for rows, place in sides)
    text = f"at ({seq}, {n}) the journal has the bar {was}, re-execution gives {is_now}"
    return Difference(seq, n, text, was, is_now)
