"""Durable events for whoever follows. Nobody is waited for: who reads too slowly is told so and let go."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager

from tradingd.api.messages import Failed, Following, Happened, encode
from tradingd.events import Event

WAITING_MAX = 20_000  # events that wait for one subscriber
FAREWELL_S = 2.0
PAUSE_S = 0.01


class Subscription:
    """Lines for one subscriber, `following` first. A commit is never cut, so one alone may be larger than the bound."""

    def __init__(self, following: Following, waiting_max: int = WAITING_MAX) -> None:
        self._waiting_max = waiting_max
        self._waiting = 0
        self._lines: asyncio.Queue[tuple[int, bytes]] = asyncio.Queue()
        self._lines.put_nowait((0, encode(following)))

    def offer(self, events: int, lines: bytes) -> bool:
        """Takes the lines of so many events; False where no more are taken."""
        if self._waiting and self._waiting + events > self._waiting_max:
            self._let_go(f"{self._waiting} events wait for you already; read faster, or look into the journal")
            return False
        self._waiting += events
        self._lines.put_nowait((events, lines))
        return True

    def end(self) -> None:
        self._lines.put_nowait((0, b""))

    def _let_go(self, why: str) -> None:
        self._lines = asyncio.Queue()
        self._lines.put_nowait((0, encode(Failed(why))))
        self.end()

    async def lines(self) -> AsyncIterator[bytes]:
        while True:
            events, lines = await self._lines.get()
            if not lines:
                return
            self._waiting -= events
            yield lines


class Publisher:
    """Hands events to every subscriber."""

    def __init__(self) -> None:
        self._subscriptions: list[Subscription] = []

    @contextmanager
    def subscription(self, following: Following) -> Iterator[Subscription]:
        """Events that are published while it is open."""
        mine = Subscription(following)
        self._subscriptions.append(mine)
        try:
            yield mine
        finally:
            self._subscriptions = [other for other in self._subscriptions if other is not mine]

    async def end(self) -> None:
        """After the last event: each subscriber gets what waits for it, if it reads within FAREWELL_S."""
        for each in self._subscriptions:
            each.end()
        try:
            async with asyncio.timeout(FAREWELL_S):
                while self._subscriptions:
                    await asyncio.sleep(PAUSE_S)
        except TimeoutError:
            return

    def publish(self, events: Sequence[Event]) -> None:
        """Events of one durable commit."""
        if events and self._subscriptions:
            lines = b"".join(encode(happened(event)) for event in events)
            self._subscriptions = [each for each in self._subscriptions if each.offer(len(events), lines)]


def happened(event: Event) -> Happened:
    return Happened(event.seq, event.n, event.ts_event_ns, event.ts_received_ns, event.source, event.body)
