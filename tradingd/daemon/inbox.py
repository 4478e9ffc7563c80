"""Where inputs wait for the core: bounded for feeds, with a lane of its own for what must never wait behind them."""

import asyncio
from collections import deque
from dataclasses import dataclass, field

from tradingd.core.advance import Item
from tradingd.events import AnyBody


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
    def __init__(self, batches_max: int, rows_max: int) -> None:
        self._batches: deque[list[Item]] = deque()
        self._said: deque[Said] = deque()
        self._batches_max = batches_max
        self._rows_max = rows_max
        self._closed = False
        self._changed = asyncio.Condition()

    async def put(self, items: list[Item]) -> None:
        """Takes a batch of a feed; waits while the inbox is full."""
        async with self._changed:
            await self._changed.wait_for(lambda: len(self._batches) < self._batches_max)
            self._batches.append(items)
            self._changed.notify_all()

    async def say(self, body: AnyBody, source: str) -> asyncio.Future[int]:
        """Takes an input of the shell at once; the future gets its seq when it is durable. Raises InboxClosed."""
        said = Said(body, source, asyncio.get_running_loop().create_future())
        async with self._changed:
            if self._closed:
                raise InboxClosed
            self._said.append(said)
            self._changed.notify_all()
        return said.recorded

    async def close(self, *, drop_batches: bool = False) -> None:
        """No more will come; what is in is still taken. Batches may be dropped: a feed brings them again."""
        async with self._changed:
            self._closed = True
            if drop_batches:
                self._batches.clear()
            self._changed.notify_all()

    async def take(self) -> Taken | None:
        """All that was said, then batches up to the bound of rows, at least one; None when closed and empty."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._said or self._batches or self._closed)
            if not self._said and not self._batches:
                return None
            taken = Taken(list(self._said))
            self._said.clear()
            rows = 0
            while self._batches and rows < self._rows_max:
                batch = self._batches.popleft()
                taken.items += batch
                rows += sum(rows_of(item) for item in batch)
            self._changed.notify_all()
            return taken


def rows_of(item: Item) -> int:
    """Sequence numbers that an item takes."""
    return len(item) if hasattr(item, "__len__") else 1
