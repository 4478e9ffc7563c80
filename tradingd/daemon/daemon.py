"""The daemon: feeds -> inbox -> core -> journal -> effects. Durable, then act.

    feed tasks ──> Inbox ──> core task: advance ──> commits ──> writer task: journal.append ──> watermark ──> effects

The core goes on while earlier commits are written; nothing that leaves the process is ahead of the watermark.
"""

import asyncio
import logging
import os
import platform
import signal
import time
from collections import Counter
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path

from tradingd.api.messages import Status
from tradingd.api.server import CommandRefused, serve
from tradingd.commands import commands_of
from tradingd.commit import Commit
from tradingd.core.advance import Item, advance
from tradingd.core.settings import encode_settings
from tradingd.core.snapshot import encode_snapshot
from tradingd.daemon.failure import failed_commit
from tradingd.daemon.inbox import Inbox, Taken
from tradingd.daemon.prepare import Prepared
from tradingd.daemon.view import Phase, view
from tradingd.events import AnyBody, Command, FeedStatus, Input, OperatorCommand, RunStarted, RunStopped
from tradingd.feeds.contract import Feed
from tradingd.journal.errors import JournalFailed
from tradingd.journal.faults import point
from tradingd.rerun import user_texts, versions

log = logging.getLogger("tradingd")

COMMITS_WAITING_MAX = 4
HOUSEKEEPING_S = 0.25
EXIT_OUTSIDE_FAILED = 3
EXIT_CORE_FAILED = 70


@dataclass(frozen=True, slots=True)
class Job:
    """A commit on its way to the disk, and who waits to hear the seq of what they said."""

    commit: Commit
    waiting: list[tuple[int, asyncio.Future[int]]] = field(default_factory=list)


class Daemon:
    """One run. `published` is called with every durable commit; it must not wait."""

    def __init__(
        self, prepared: Prepared, *, until_done: bool = False, published: Callable[[Commit], None] = lambda _: None
    ) -> None:
        self._p = prepared
        self._until_done = until_done
        self._published = published
        self._journal = prepared.journal
        self.state = prepared.recovered.state
        limits = prepared.config.daemon
        self._inbox = Inbox(limits.inbox_batches_max, limits.batch_rows_max)
        self._commits: asyncio.Queue[Job | None] = asyncio.Queue(COMMITS_WAITING_MAX)
        self._snapshots: asyncio.Queue[tuple[int, bytes]] = asyncio.Queue(1)
        self._snapshot_due_s = time.monotonic() + limits.snapshot_interval_s
        self._stopping = asyncio.Event()
        self.stop_reason = ""
        self._durable = asyncio.Condition()
        self._watermark = prepared.journal.last_seq
        self._phase: Phase = "starting"
        self.counts: Counter[str] = Counter()  # durable events of this run by type
        self.feed_status: dict[str, FeedStatus] = {}

    # --- the run ------------------------------------------------------------------------------------------------------

    async def run(self, ready: Callable[[], None] = lambda: None) -> None:
        """From RunStarted to RunStopped. Should the journal or the core fail, the process ends here and now."""
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self.stop, signal.Signals(number).name)
        await self._start_run()
        async with asyncio.TaskGroup() as tasks:
            idle = [
                tasks.create_task(self._serve(ready), name="control"),
                tasks.create_task(self._keep_house(), name="housekeeping"),
            ]
            feeds = [tasks.create_task(self._feed(feed), name=f"feed {feed.name}") for feed in self._p.feeds]
            core = tasks.create_task(self._core(), name="core")
            writer = tasks.create_task(self._write(), name="journal")
            self._phase = "running"
            await self._until_stopped(feeds)
            self._phase = "stopping"
            await _end(feeds)
            await self._inbox.close()
            await core
            await writer
            await _end(idle)
        await asyncio.to_thread(self._journal.close)

    def stop(self, reason: str) -> None:
        self.stop_reason = self.stop_reason or reason
        self._stopping.set()

    async def _until_stopped(self, feeds: list[asyncio.Task[None]]) -> None:
        if self._until_done:
            done = asyncio.create_task(asyncio.wait(feeds), name="until done")
            done.add_done_callback(lambda _: self.stop("all feeds are done"))
        await self._stopping.wait()

    async def _start_run(self) -> None:
        """RunStarted is alone in its commit, so that a replay can make the state of the run before it."""
        p = self._p
        body = RunStarted(
            journal_id=self._journal.id,
            epoch=self._journal.epoch,
            config=encode_settings(p.settings),
            config_digest=p.identity.config,
            code_digest=p.identity.code,
            sources=p.sources,
            strategies=user_texts(p.library),
            versions=versions(),
            processor=platform.processor() or platform.machine(),
            resumed=p.recovered.how,
            warm_from_seq=p.recovered.warm_from_seq,
        )
        await self._append(Job(self._advance([self._own_input(body, "daemon")])))

    def _own_input(self, body: AnyBody, source: str) -> Input:
        """An input of the shell: event time is the wall clock, receive time is core time, which the feeds' data set."""
        return Input(time.time_ns(), self.state.memory.core_ns, source, body)

    # --- feeds and core -----------------------------------------------------------------------------------------------

    async def _feed(self, feed: Feed) -> None:
        resume_after = self.state.ledger.cursors.get(feed.name, 0)
        async with aclosing(feed.batches(resume_after)) as batches:
            async for items in batches:
                await self._inbox.put(items)

    async def _core(self) -> None:
        while (taken := await self._inbox.take()) is not None:
            await self._commits.put(self._job(taken))
            self._take_snapshot_if_due()
        await self._last_words()

    def _job(self, taken: Taken) -> Job:
        own = [self._own_input(said.body, said.source) for said in taken.said]
        first = self.state.seq + 1
        commit = self._advance([*own, *taken.items])
        return Job(commit, [(first + at, said.recorded) for at, said in enumerate(taken.said)])

    def _advance(self, items: list[Item]) -> Commit:
        """Should the core raise, that is a bug: the inputs and the failure are journalled, and the process ends."""
        first_seq = self.state.seq + 1
        try:
            return advance(self.state, items)
        except Exception as error:
            log.critical("the core failed", exc_info=error)
            self._journal.append(failed_commit(first_seq, items, error))
            os._exit(EXIT_CORE_FAILED)

    def _take_snapshot_if_due(self) -> None:
        if time.monotonic() < self._snapshot_due_s or self._snapshots.full():
            return
        self._snapshot_due_s = time.monotonic() + self._p.config.daemon.snapshot_interval_s
        self._snapshots.put_nowait((self.state.seq, self._snapshot()))

    def _snapshot(self) -> bytes:
        return encode_snapshot(self.state, (self._p.identity.config, self._p.identity.code))

    async def _last_words(self) -> None:
        """A snapshot, so that the next start is quick, and RunStopped."""
        at_seq = self.state.seq
        await self._until_durable(at_seq)
        taken = await asyncio.to_thread(self._journal.write_snapshot, at_seq, self._snapshot())
        bodies = (taken, RunStopped(self.stop_reason))
        await self._commits.put(Job(self._advance([self._own_input(body, "daemon") for body in bodies])))
        await self._commits.put(None)

    # --- journal and effects ------------------------------------------------------------------------------------------

    async def _write(self) -> None:
        while (job := await self._commits.get()) is not None:
            await self._append(job)
            if self._journal.should_roll():
                await asyncio.to_thread(self._journal.roll)

    async def _append(self, job: Job) -> None:
        try:
            head = await asyncio.to_thread(self._journal.append, job.commit)
        except JournalFailed as error:
            log.critical("%s; the process ends, the next start recovers", error)
            os._exit(EXIT_OUTSIDE_FAILED)
        point("perform.before")
        self._perform(job.commit)
        for seq, recorded in job.waiting:
            recorded.set_result(seq)
        async with self._durable:
            self._watermark = head.last_seq
            self._durable.notify_all()

    def _perform(self, commit: Commit) -> None:
        """What durable facts ask for."""
        self.counts["Tick"] += sum(len(batch) for _, batch in commit.ticks)
        self.counts["Bar"] += len(commit.bars)
        for event in commit.events:
            self.counts[type(event.body).__name__] += 1
            if isinstance(event.body, FeedStatus):
                self.feed_status[event.body.feed] = event.body
            for notify in commands_of(event.body):
                log.log(_LEVELS[notify.level], notify.text, extra={"seq": event.seq, "n": event.n})
        self._published(commit)

    async def _until_durable(self, seq: int) -> None:
        async with self._durable:
            await self._durable.wait_for(lambda: self._watermark >= seq)

    async def _keep_house(self) -> None:
        """Checkpoints, seals what was rolled over, and writes snapshots, beside the commits."""
        while True:
            if self._journal.should_checkpoint():
                await asyncio.to_thread(self._journal.checkpoint)
            await asyncio.to_thread(self._journal.seal)
            while not self._snapshots.empty():
                at_seq, payload = self._snapshots.get_nowait()
                await self._until_durable(at_seq)
                taken = await asyncio.to_thread(self._journal.write_snapshot, at_seq, payload)
                await self._inbox.say(taken, "daemon")
            await asyncio.sleep(HOUSEKEEPING_S)

    # --- operators ----------------------------------------------------------------------------------------------------

    async def _serve(self, ready: Callable[[], None]) -> None:
        await serve(Path(self._p.config.daemon.control_socket), self, ready=ready)

    def final_status(self) -> Status:
        """What the run has come to, once it is over."""
        return view(self.state, self._p, self._phase, self.feed_status, dict(self.counts))

    async def status(self) -> Status:
        """What is durable by the time of the answer."""
        seen = self.final_status()
        await self._until_durable(seen.seq)
        return seen

    async def command(self, command: Command, actor: str, reason: str) -> int:
        if self._stopping.is_set():
            raise CommandRefused("the daemon is stopping")
        recorded = await self._inbox.say(OperatorCommand(command, actor, reason), "operator")
        seq = await recorded
        if command is Command.STOP:
            self.stop(f"{actor}: {reason}" if reason else actor)
        return seq


_LEVELS = {"info": logging.INFO, "warning": logging.WARNING, "critical": logging.CRITICAL}


async def _end(tasks: list[asyncio.Task[None]]) -> None:
    """Cancels tasks and waits until they are gone; the group hears of what went wrong in them."""
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
