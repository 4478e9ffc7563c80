"""A feed played as fast as it was recorded, or a given number of times faster."""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing

import numpy as np

from tradingd.columns import TickBatch
from tradingd.events import ClockAdvanced, FeedState, FeedStatus, Input
from tradingd.feeds.contract import Feed, Item
from tradingd.instruments import NS

SLICE_S = 0.005  # of wall time, between two slices
QUIET_S = 1.0  # of wall time, after which ClockAdvanced says how far time went on


class PacedFeed:
    """Lets the rows of another feed go when they are due; the first one is due at once.

    Rows that are late (who takes them was busy) go at once, so that the pace recovers.
    """

    def __init__(
        self,
        feed: Feed,
        speed: float,
        clock_s: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.name = feed.name
        self.inputs = feed.inputs
        self._feed = feed
        self._speed = speed
        self._clock_s = clock_s
        self._sleep = sleep

    async def batches(self, resume_after: int) -> AsyncGenerator[list[Item], None]:
        play = _Play(self.name, self._speed, self._clock_s)
        async with aclosing(self._feed.batches(resume_after)) as batches:
            async for items in batches:
                for item in items:
                    async for due in self._due(play, item):
                        yield [due]

    async def _due(self, play: "_Play", item: Item) -> AsyncGenerator[Item, None]:
        """The item, or slices of it, each when it is due; in quiet spells the time that went by."""
        rest: Item | None = item
        while rest is not None:
            due, rest = play.split(rest)
            if due is not None:
                yield due
            elif play.is_quiet():
                yield play.clock_advanced()
            if rest is not None:
                await self._sleep(play.wait_s(rest))


class _Play:
    """Where the recording stands: its time is a running maximum, tied to the wall clock at the first item."""

    def __init__(self, name: str, speed: float, clock_s: Callable[[], float]) -> None:
        self._name = name
        self._speed = speed
        self._clock_s = clock_s
        self._first_ns: int | None = None
        self._now_ns = 0
        self._first_s = self._spoke_s = clock_s()

    def split(self, item: Item) -> tuple[Item | None, Item | None]:
        """What is due of the item, and what is not yet."""
        self._advance(item)
        if isinstance(item, Input):
            due = _is_end(item) or item.ts_received_ns <= self._now_ns
            parts: tuple[Item | None, Item | None] = (item, None) if due else (None, item)
        else:
            parts = _split(item, self._now_ns)
        if parts[0] is not None:
            self._spoke_s = self._clock_s()
        return parts

    def wait_s(self, rest: Item) -> float:
        """Until the rest is due, but at least a slice (none where it is late) and at most a quiet spell."""
        due_s = self._first_s + (_first_ns(rest) - (self._first_ns or 0)) / NS / self._speed
        wait_s = due_s - self._clock_s()
        return 0.0 if wait_s < -SLICE_S else min(max(wait_s, SLICE_S), QUIET_S)

    def is_quiet(self) -> bool:
        return self._clock_s() - self._spoke_s >= QUIET_S

    def clock_advanced(self) -> Input:
        self._spoke_s = self._clock_s()
        return Input(ts_event_ns=self._now_ns, ts_received_ns=self._now_ns, source=self._name, body=ClockAdvanced())

    def _advance(self, item: Item) -> None:
        if self._first_ns is None:
            self._first_ns = _first_ns(item)
            self._first_s = self._clock_s()
        self._now_ns = self._first_ns + int((self._clock_s() - self._first_s) * self._speed * NS)


def _split(ticks: TickBatch, now_ns: int) -> tuple[TickBatch | None, TickBatch | None]:
    """A row is due when all rows before it are, even where the receive time goes back."""
    due = int(np.searchsorted(np.maximum.accumulate(ticks.ts_received_ns), now_ns, side="right"))
    if due == len(ticks):
        return ticks, None
    return (ticks.slice(0, due) if due else None), ticks.slice(due, len(ticks))


def _first_ns(item: Item) -> int:
    return item.ts_received_ns if isinstance(item, Input) else int(item.ts_received_ns[0])


def _is_end(item: Input) -> bool:
    return isinstance(item.body, FeedStatus) and item.body.state is not FeedState.CONNECTED
