"""Following durable events: everything published, in order, and nobody is waited for."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractContextManager
from pathlib import Path

import msgspec
import pytest

from tradingd.api import tail
from tradingd.api.client import DaemonUnreachableError, RequestFailedError, follow
from tradingd.api.messages import Failed, Following, Happened, Line, Status, decode_line
from tradingd.api.server import Limits, serve
from tradingd.api.tail import Publisher, Subscription
from tradingd.events import Command, Event, Halted

FOLLOWING = Following(7, msgspec.Raw(b"{}"), ("market",))


def event(seq: int) -> Event:
    return Event(seq, 1, 0, 0, "", Halted(rule="operator", text="x" * 100))


async def taken(lines: AsyncIterator[bytes], count: int) -> list[Line]:
    """The next lines, decoded."""
    found: list[Line] = []
    async for chunk in lines:
        found += [decode_line(line) for line in chunk.splitlines()]
        if len(found) >= count:
            break
    return found


def test_a_subscriber_hears_where_it_stands_and_then_every_event() -> None:
    async def body() -> list[Line]:
        publisher = Publisher()
        publisher.publish([event(1)])
        with publisher.subscription(FOLLOWING) as mine:
            publisher.publish([event(8), event(9)])
            publisher.publish([])
            return await taken(mine.lines(), 3)

    first, *events = asyncio.run(body())
    assert first == FOLLOWING
    assert [(each.seq, each.body) for each in events if isinstance(each, Happened)] == [
        (8, event(8).body),
        (9, event(9).body),
    ]


def test_who_reads_too_slowly_is_told_so_and_let_go() -> None:
    async def body() -> list[Line]:
        mine = Subscription(FOLLOWING, waiting_max=3)
        assert mine.offer(2, b"a")
        assert not mine.offer(2, b"b")
        return [decode_line(chunk) async for chunk in mine.lines()]

    (said,) = asyncio.run(body())
    assert isinstance(said, Failed)
    assert said.error == "2 events wait for you already; read faster, or look into the journal"


def test_a_commit_that_is_larger_than_the_bound_is_told_whole() -> None:
    async def body() -> None:
        mine = Subscription(FOLLOWING, waiting_max=3)
        assert mine.offer(100, b"a")
        lines = mine.lines()
        await anext(lines)
        await anext(lines)
        assert mine.offer(3, b"b")

    asyncio.run(body())


class FakeDaemon:
    def __init__(self) -> None:
        self.publisher = Publisher()

    def tail(self) -> AbstractContextManager[Subscription]:
        return self.publisher.subscription(FOLLOWING)

    async def status(self) -> Status:
        raise AssertionError("nobody asks")

    async def command(self, command: Command, actor: str, reason: str) -> int:
        raise AssertionError("nobody commands")


def served(path: Path, client: Callable[[FakeDaemon], Awaitable[None]], **limits: float) -> FakeDaemon:
    daemon = FakeDaemon()

    async def both() -> None:
        ready = asyncio.Event()
        server = asyncio.create_task(serve(path, daemon, ready=ready.set, limits=Limits(**limits)))  # type: ignore[arg-type]
        await ready.wait()
        try:
            await asyncio.wait_for(client(daemon), 10)
        finally:
            server.cancel()
            await asyncio.wait({server})

    asyncio.run(both())
    return daemon


def test_events_come_over_the_socket_until_the_daemon_ends(tmp_path: Path) -> None:
    heard: list[Following | Happened] = []

    def listen() -> None:
        heard.extend(follow(tmp_path / "s"))

    async def until_heard(count: int) -> None:
        while len(heard) < count:
            await asyncio.sleep(0.005)

    threads: list[asyncio.Future[None]] = []

    async def client(daemon: FakeDaemon) -> None:
        threads.append(asyncio.get_running_loop().run_in_executor(None, listen))
        while not daemon.publisher._subscriptions:
            await asyncio.sleep(0.005)
        daemon.publisher.publish([event(8)])
        daemon.publisher.publish([event(9)])
        await asyncio.sleep(0.05)

    served(tmp_path / "s", client)
    assert [each.seq for each in heard] == [7, 8, 9]


def test_who_leaves_is_forgotten_and_who_talks_is_let_go(tmp_path: Path) -> None:
    async def client(daemon: FakeDaemon) -> None:
        for last_word in (b"", b"anything"):
            reader, writer = await asyncio.open_unix_connection(tmp_path / "s")
            writer.write(b'{"op": "tail"}\n')
            assert json.loads(await reader.readline())["type"] == "following"
            if last_word:
                writer.write(last_word)
            else:
                writer.close()
            while daemon.publisher._subscriptions:
                await asyncio.sleep(0.005)
            writer.close()

    served(tmp_path / "s", client)


def test_who_does_not_read_at_all_is_let_go(tmp_path: Path) -> None:
    """The daemon goes on publishing meanwhile, and drops what can not be delivered."""

    async def client(daemon: FakeDaemon) -> None:
        _reader, writer = await asyncio.open_unix_connection(tmp_path / "s", limit=1)
        writer.write(b'{"op": "tail"}\n')
        while not daemon.publisher._subscriptions:
            await asyncio.sleep(0.005)
        for seq in range(200):
            daemon.publisher.publish([event(seq)] * 200)
            await asyncio.sleep(0)
        assert daemon.publisher._subscriptions == []
        writer.close()

    served(tmp_path / "s", client, idle_s=1.0)


def test_no_daemon_is_said(tmp_path: Path) -> None:
    with pytest.raises(DaemonUnreachableError, match="no daemon runs here"):
        next(follow(tmp_path / "s"))


def test_a_refusal_to_follow_is_raised(tmp_path: Path) -> None:
    async def client(daemon: FakeDaemon) -> None:
        with pytest.raises(RequestFailedError, match="0 clients are connected already"):
            await asyncio.to_thread(lambda: next(follow(tmp_path / "s")))

    served(tmp_path / "s", client, clients=0)


def test_at_the_end_each_gets_what_waits_for_it() -> None:
    async def body() -> tuple[list[Line], bool]:
        publisher = Publisher()

        async def read() -> list[Line]:
            with publisher.subscription(FOLLOWING) as mine:
                return [decode_line(line) async for chunk in mine.lines() for line in chunk.splitlines()]

        reading = asyncio.create_task(read())
        await asyncio.sleep(0)
        for seq in range(3):
            publisher.publish([event(seq)])
        await publisher.end()
        return await reading, publisher._subscriptions == []

    lines, all_gone = asyncio.run(body())
    assert [each.seq for each in lines if isinstance(each, Happened)] == [0, 1, 2]
    assert all_gone


def test_who_never_reads_does_not_hold_the_end_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tail, "FAREWELL_S", 0.02)

    async def body() -> int:
        publisher = Publisher()
        with publisher.subscription(FOLLOWING):
            await publisher.end()
            return len(publisher._subscriptions)

    assert asyncio.run(body()) == 1
