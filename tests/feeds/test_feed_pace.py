"""The pace of a recording, with a clock that only moves when slept on."""

import asyncio
from collections.abc import AsyncGenerator

import numpy as np

from tradingd.columns import TRADE, TickBatch, tick_batch
from tradingd.events import ClockAdvanced, FeedState, FeedStatus, Input
from tradingd.feeds.contract import Item
from tradingd.feeds.inputs import Inputs
from tradingd.feeds.pace import PacedFeed

MS = 1_000_000
T0 = 1_700_000_000_000 * MS


def status(state: FeedState, at_ms: int) -> Input:
    return Input(T0 + at_ms * MS, T0 + at_ms * MS, "feed", FeedStatus("feed", state))


def ticks(*at_ms: int) -> TickBatch:
    times = T0 + np.array(at_ms) * MS
    return tick_batch(0, kind=TRADE, instrument=0, ts_event_ns=times, price=1.0, size=1.0)


class Listed:
    name = "feed"
    inputs = Inputs(b"")

    def __init__(self, *batches: list[Item]) -> None:
        self._batches = batches

    async def batches(self, resume_after: int) -> AsyncGenerator[list[Item], None]:
        for batch in self._batches:
            yield batch


class Clock:
    def __init__(self) -> None:
        self.s = 50.0

    async def sleep(self, seconds: float) -> None:
        assert seconds >= 0
        self.s += seconds


def played(speed: float, *batches: list[Item], busy_s: float = 0.0) -> list[tuple[float, Item]]:
    """What left, and when (wall ms since the first)."""
    clock = Clock()

    async def collect() -> list[tuple[float, Item]]:
        result = []
        async for items in PacedFeed(Listed(*batches), speed, lambda: clock.s, clock.sleep).batches(0):
            result += [((clock.s - 50.0) * 1000, item) for item in items]
            clock.s += busy_s
        return result

    return asyncio.run(collect())


def assert_leaving(result: list[tuple[float, Item]], expected: list[tuple[int, int]]) -> None:
    """Each row on time, or a slice later."""
    left = leaving_ms(result)
    assert [recorded for recorded, _ in left] == [recorded for recorded, _ in expected]
    for (_, wall), (_, due) in zip(left, expected, strict=True):
        assert due <= wall <= due + 5


def leaving_ms(result: list[tuple[float, Item]]) -> list[tuple[int, int]]:
    """(recorded ms, wall ms) of each row."""
    return [
        (int(ns - T0) // MS, round(at_ms))
        for at_ms, item in result
        if isinstance(item, TickBatch)
        for ns in item.ts_received_ns.tolist()
    ]


def test_rows_leave_when_they_are_due() -> None:
    result = played(1.0, [status(FeedState.CONNECTED, 0), ticks(0, 100, 300)], [ticks(350)])
    assert_leaving(result, [(0, 0), (100, 100), (300, 300), (350, 350)])


def test_speed_divides_the_waiting() -> None:
    result = played(10.0, [status(FeedState.CONNECTED, 0), ticks(0, 100, 300)])
    assert_leaving(result, [(0, 0), (100, 10), (300, 30)])


def test_dense_rows_leave_in_slices_of_five_milliseconds() -> None:
    result = played(1.0, [ticks(*range(100))])
    sizes = [len(item) for _, item in result if isinstance(item, TickBatch)]
    assert max(sizes) <= 6
    assert all(0 <= wall - recorded <= 5 for recorded, wall in leaving_ms(result))


def test_late_rows_leave_at_once() -> None:
    result = played(1.0, [ticks(0, 10, 20, 30, 390)], busy_s=0.2)
    assert leaving_ms(result) == [(0, 0), (10, 200), (20, 200), (30, 200), (390, 400)]


def test_a_receive_time_that_goes_back_does_not_hold_up_or_reorder() -> None:
    assert [recorded for recorded, _ in leaving_ms(played(1.0, [ticks(0, 50, 20, 60)]))] == [0, 50, 20, 60]


def test_quiet_spells_tell_the_time() -> None:
    result = played(2.0, [status(FeedState.CONNECTED, 0), ticks(0, 7_000)])
    clocks = [
        (item.ts_received_ns - T0) // MS for _, item in result if isinstance(getattr(item, "body", 0), ClockAdvanced)
    ]
    assert clocks == [2000, 4000, 6000]
    times = [int(item.ts_received_ns if isinstance(item, Input) else item.ts_received_ns[0]) for _, item in result]
    assert times == sorted(times)


def test_the_end_is_not_waited_for() -> None:
    result = played(1.0, [ticks(0), status(FeedState.DONE, 0)])
    assert [round(at) for at, _ in result] == [0, 0]
