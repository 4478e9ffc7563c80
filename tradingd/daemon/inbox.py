"""Where inputs wait for the core: bounded for feeds, with a lane of its own for what must never wait behind them."""

import asyncio
from collections import deque
from dataclasses import dataclass, field

from tradingd.columns import TickBatch
from tradingd.core.advance import Item
from tradingd.events import AnyBody, Gap, Input


class InboxClosed(Exception):
    """The run is over; nothing more is taken."""


@dataclass(slots=True)
class Said:
    """Something that the shell itself has to say, an operator's command for one; it gets core time when it is taken.

    `recorded` is given the seq once it is durable.
    """

    body: AnyBody
    source: str
    recorded: asyncio.Future[int]


@dataclass(slots=True)
class Taken:
    said: list[Said] = field(default_factory=list)
    items: list[Item] = field(default_factory=list)


class Inbox:
    def __init__(self, batches_max: int) -> None:
        self._batches: deque[list[Item]] = deque()
        self._said: deque[Said] = deque()
        self._batches_max = batches_max
        self._closed = False
        self._changed = asyncio.Condition()

    async def put(self, items: list[Item]) -> None:
        """Takes a batch of a feed; waits while the inbox is full."""
        async with self._changed:
            await self._changed.wait_for(lambda: len(self._batches) < self._batches_max)
            self._batches.append(items)
            self._changed.notify_all()

    @property
    def is_full(self) -> bool:
        """Whether feeds have to wait."""
        return len(self._batches) >= self._batches_max

    async def say(self, body: AnyBody, source: str) -> asyncio.Future[int]:
        """Takes an input of the shell at once; the future gets its seq when it is durable. Raises InboxClosed."""
        said = Said(body, source, asyncio.get_running_loop().create_future())
        async with self._changed:
            if self._closed:
                raise InboxClosed
            self._said.append(said)
            self._changed.notify_all()
        return said.recorded

    async def close(self) -> None:
        """No more will come; what is in is still taken."""
        async with self._changed:
            self._closed = True
            self._changed.notify_all()

    def drop_batches(self) -> None:
        """Leaves the rows that wait to the next start, to which their feeds bring them again."""
        self._batches.clear()

    async def take(self, rows_max: int) -> Taken | None:
        """All that was said, then at most `rows_max` rows of batches; None when closed and empty."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._said or self._batches or self._closed)
            if not self._said and not self._batches:
                return None
            taken = Taken(list(self._said))
            self._said.clear()
            room = rows_max
            while self._batches and room > 0:
                items, rest = cut(self._batches.popleft(), room)
                if rest:
                    self._batches.appendleft(rest)
                taken.items += items
                room -= rows_of(items)
            self._changed.notify_all()
            return taken


def _is_gap(item: Item) -> bool:
    return isinstance(item, Input) and isinstance(item.body, Gap)


def cut(items: list[Item], rows: int) -> tuple[list[Item], list[Item]]:
    """The first `rows` rows of items, and the rest. A gap stays with the row that showed it, even where that makes one
    row more: a resume tells both or none."""
    for at, item in enumerate(items):
        if rows <= 0:
            return _apart(items, at)
        if isinstance(item, TickBatch) and len(item) > rows:
            return [*items[:at], item.slice(0, rows)], [item.slice(rows, len(item)), *items[at + 1 :]]
        rows -= rows_of([item])
    return items, []


def _apart(items: list[Item], border: int) -> tuple[list[Item], list[Item]]:
    if border == 0 or not _is_gap(items[border - 1]):
        return items[:border], items[border:]
    if border > 1:
        return _apart(items, border - 1)
    taken, rest = cut(items[1:], 1)
    return [items[0], *taken], rest


def rows_of(items: list[Item]) -> int:
    """Sequence numbers that items take; an input that is no tick takes one."""
    return sum(len(item) if isinstance(item, TickBatch) else 1 for item in items)
