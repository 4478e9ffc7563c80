"""The inbox: bounded for feeds, open for what must not wait, in order, and closed for good."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradingd.columns import TRADE, TickBatch, tick_batch
from tradingd.daemon.inbox import Inbox, InboxClosed, Taken, cut, rows_of
from tradingd.daemon.portion import Portion
from tradingd.events import AnyBody, ClockAdvanced, Gap, Input, RunStopped

BODY = ClockAdvanced()


def ticks(rows: int) -> TickBatch:
    return tick_batch(0, kind=TRADE, instrument=0, ts_event_ns=np.arange(1, rows + 1), price=1.0, size=1.0)


def sizes(taken: Taken | None) -> list[int]:
    assert taken is not None
    return [len(item) for item in taken.items if isinstance(item, TickBatch)]


def run(story: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(story, 5))


async def is_waiting(task: asyncio.Task[Any]) -> bool:
    for _ in range(10):
        await asyncio.sleep(0)
    return not task.done()


def test_rows_come_out_in_order_up_to_the_bound() -> None:
    async def story() -> None:
        inbox = Inbox(batches_max=10)
        for rows in (60, 30, 20, 90):
            await inbox.put([ticks(rows)])
        assert sizes(await inbox.take(100)) == [60, 30, 10]
        assert sizes(await inbox.take(25)) == [10, 15]
        assert sizes(await inbox.take(100)) == [75]

    run(story())


@given(parts=st.lists(st.one_of(st.integers(1, 9), st.none()), max_size=12), rows=st.integers(0, 40))
def test_a_cut_loses_nothing(parts: list[int | None], rows: int) -> None:
    other = Input(1, 1, "market", BODY)
    items = [other if size is None else ticks(size) for size in parts]
    first, rest = cut(items, rows)
    assert rows_of(first) == min(rows, rows_of(items))
    assert rows_of(first) + rows_of(rest) == rows_of(items)
    assert [i for i in (*first, *rest) if isinstance(i, Input)] == [i for i in items if isinstance(i, Input)]
    prices = [[p for i in part if isinstance(i, TickBatch) for p in i.ts_event_ns] for part in (items, [*first, *rest])]
    assert prices[0] == prices[1]


@given(before=st.integers(0, 3), gaps=st.integers(1, 2), after=st.integers(1, 3), rows=st.integers(0, 9))
def test_a_gap_is_never_cut_from_the_row_that_showed_it(before: int, gaps: int, after: int, rows: int) -> None:
    gap = Input(1, 1, "market", Gap("market", None, 1, "a test"))
    items = [*([ticks(before)] if before else []), *[gap] * gaps, ticks(after)]
    first, rest = cut(items, rows)
    assert not isinstance(first[-1] if first else None, Input)
    assert bool(first) == (rows > 0)
    assert rows_of(first) + rows_of(rest) == rows_of(items)


def test_dropped_rows_are_gone_and_what_was_said_is_not() -> None:
    async def story() -> None:
        inbox = Inbox(batches_max=10)
        await inbox.put([ticks(1)])
        await inbox.say(BODY, "operator")
        inbox.drop_batches()
        taken = await inbox.take(10)
        assert taken is not None
        assert (len(taken.said), taken.items) == (1, [])

    run(story())


def test_the_portion_follows_how_fast_the_core_is() -> None:
    portion = Portion(rows_max=65_536)
    assert portion.rows == 256  # carefully at first
    portion.learn(256, 0.001)
    assert portion.rows == 64_000
    portion.learn(64_000, 0.01)
    assert portion.rows == 65_536
    portion.learn(65_536, 6.0)
    assert portion.rows == 2730
    portion.learn(0, 1.0)  # something was said, and nothing else taken
    portion.learn(10, 0.0)
    assert portion.rows == 2730
    portion.learn(10, 30.0)
    assert portion.rows == 256
    assert Portion(rows_max=10).rows == 10


def test_a_full_inbox_makes_a_feed_wait_but_not_the_shell() -> None:
    async def story() -> None:
        # given an inbox that is full
        inbox = Inbox(batches_max=2)
        await inbox.put([ticks(1)])
        await inbox.put([ticks(2)])
        # when a feed has more, and an operator says something
        more = asyncio.create_task(inbox.put([ticks(3)]))
        assert await is_waiting(more)
        recorded = await inbox.say(BODY, "operator")
        # then what was said is the first thing to be taken, and the feed goes on once there is room
        taken = await inbox.take(1)
        assert taken is not None
        assert [said.body for said in taken.said] == [BODY]
        assert taken.said[0].recorded is recorded
        await more
        assert sizes(await inbox.take(2)) == [2]
        assert sizes(await inbox.take(3)) == [3]

    run(story())


def test_a_feed_that_is_ended_while_it_waits_leaves_nothing_behind() -> None:
    async def story() -> None:
        inbox = Inbox(batches_max=1)
        await inbox.put([ticks(1)])
        more = asyncio.create_task(inbox.put([ticks(2)]))
        assert await is_waiting(more)
        more.cancel()
        assert sizes(await inbox.take(1)) == [1]
        await inbox.close()
        assert await inbox.take(1) is None

    run(story())


def test_take_waits_for_something() -> None:
    async def story() -> None:
        inbox = Inbox(batches_max=2)
        taking = asyncio.create_task(inbox.take(1))
        assert await is_waiting(taking)
        await inbox.say(BODY, "operator")
        assert (await taking) is not None

    run(story())


def test_what_is_in_when_it_closes_is_still_taken_and_then_nothing_more() -> None:
    async def story() -> None:
        inbox = Inbox(batches_max=5)
        await inbox.put([ticks(1)])
        await inbox.put([ticks(2)])
        await inbox.close()
        assert sizes(await inbox.take(1)) == [1]
        assert sizes(await inbox.take(2)) == [2]
        assert await inbox.take(1) is None
        assert await inbox.take(1) is None

    run(story())


@pytest.mark.parametrize("body", [BODY, RunStopped("bye")])
def test_what_is_said_to_a_closed_inbox_is_refused_and_not_lost(body: AnyBody) -> None:
    async def story() -> None:
        inbox = Inbox(batches_max=5)
        await inbox.close()
        with pytest.raises(InboxClosed):
            await inbox.say(body, "operator")

    run(story())
