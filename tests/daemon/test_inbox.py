"""The inbox: bounded for feeds, open for what must not wait, in order, and closed for good."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import numpy as np
import pytest

from tradingd.columns import TRADE, TickBatch, tick_batch
from tradingd.daemon.inbox import Inbox, InboxClosed, Taken
from tradingd.events import AnyBody, ClockAdvanced, RunStopped

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


def test_batches_come_out_in_order_up_to_the_bound_of_rows() -> None:
    async def story() -> None:
        inbox = Inbox(batches_max=10, rows_max=100)
        for rows in (60, 30, 20, 90):
            await inbox.put([ticks(rows)])
        assert sizes(await inbox.take()) == [60, 30, 20]  # the bound is reached with the third
        assert sizes(await inbox.take()) == [90]

    run(story())


def test_a_batch_larger_than_the_bound_is_taken_alone() -> None:
    async def story() -> None:
        inbox = Inbox(batches_max=10, rows_max=100)
        await inbox.put([ticks(500)])
        await inbox.put([ticks(1)])
        assert sizes(await inbox.take()) == [500]

    run(story())


def test_a_full_inbox_makes_a_feed_wait_but_not_the_shell() -> None:
    async def story() -> None:
        # given an inbox that is full
        inbox = Inbox(batches_max=2, rows_max=1)
        await inbox.put([ticks(1)])
        await inbox.put([ticks(2)])
        # when a feed has more, and an operator says something
        more = asyncio.create_task(inbox.put([ticks(3)]))
        assert await is_waiting(more)
        recorded = await inbox.say(BODY, "operator")
        # then what was said is the first thing to be taken, and the feed goes on once there is room
        taken = await inbox.take()
        assert taken is not None
        assert [said.body for said in taken.said] == [BODY]
        assert taken.said[0].recorded is recorded
        await more
        assert sizes(await inbox.take()) == [2]
        assert sizes(await inbox.take()) == [3]

    run(story())


def test_a_feed_that_is_ended_while_it_waits_leaves_nothing_behind() -> None:
    async def story() -> None:
        inbox = Inbox(batches_max=1, rows_max=1)
        await inbox.put([ticks(1)])
        more = asyncio.create_task(inbox.put([ticks(2)]))
        assert await is_waiting(more)
        more.cancel()
        assert sizes(await inbox.take()) == [1]
        await inbox.close()
        assert await inbox.take() is None

    run(story())


def test_take_waits_for_something() -> None:
    async def story() -> None:
        inbox = Inbox(batches_max=2, rows_max=10)
        taking = asyncio.create_task(inbox.take())
        assert await is_waiting(taking)
        await inbox.say(BODY, "operator")
        assert (await taking) is not None

    run(story())


def test_what_is_in_when_it_closes_is_still_taken_and_then_nothing_more() -> None:
    async def story() -> None:
        inbox = Inbox(batches_max=5, rows_max=1)
        await inbox.put([ticks(1)])
        await inbox.put([ticks(2)])
        await inbox.close()
        assert sizes(await inbox.take()) == [1]
        assert sizes(await inbox.take()) == [2]
        assert await inbox.take() is None
        assert await inbox.take() is None

    run(story())


@pytest.mark.parametrize("body", [BODY, RunStopped("bye")])
def test_what_is_said_to_a_closed_inbox_is_refused_and_not_lost(body: AnyBody) -> None:
    async def story() -> None:
        inbox = Inbox(batches_max=5, rows_max=1)
        await inbox.close()
        with pytest.raises(InboxClosed):
            await inbox.say(body, "operator")

    run(story())
