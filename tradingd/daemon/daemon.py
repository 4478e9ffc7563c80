"""The daemon: feeds -> inbox -> core -> journal -> effects. Durable, then act.

    feed tasks ──> Inbox ──> core task: advance ──> commits ──> writer task: journal.append ──> watermark ──> effects

The core goes on while earlier commits are written; nothing that leaves the process is ahead of the watermark.
"""

import asyncio
import logging
import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, aclosing
from pathlib import Path
from typing import ParamSpec, TypeVar

from tradingd.api.messages import Following, Status
from tradingd.api.server import CommandRefused, serve
from tradingd.api.tail import Publisher, Subscription
from tradingd.commands import commands_of
from tradingd.commit import Commit
from tradingd.core.advance import Item, advance
from tradingd.core.settings import encode_settings
from tradingd.core.snapshot import encode_snapshot
from tradingd.daemon.anchoring import Anchoring
from tradingd.daemon.failure import failed_commit
from tradingd.daemon.inbox import Inbox, InboxClosed, Taken, rows_of
from tradingd.daemon.job import Job
from tradingd.daemon.portion import Portion
from tradingd.daemon.prepare import Prepared, run_started
from tradingd.daemon.retention import keep_retention
from tradingd.daemon.sealing import keep_sealed, seal_all
from tradingd.daemon.space import keep_reserve
from tradingd.daemon.tasks import end_all, only_error
from tradingd.daemon.view import Phase, view
from tradingd.events import AnyBody, Command, FeedStatus, Input, OperatorCommand, RunStopped, SnapshotTaken
from tradingd.feeds.contract import Feed
from tradingd.journal.errors import JournalError, JournalFailed
from tradingd.journal.faults import point

P = ParamSpec("P")
T = TypeVar("T")

log = logging.getLogger("tradingd")

HOUSEKEEPING_S = 0.25
EXIT_OUTSIDE_FAILED = 3
EXIT_CORE_FAILED = 70


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
        self._inbox = Inbox(limits.inbox_batches_max)
        self._portion = Portion(limits.batch_rows_max)
        self._commits: asyncio.Queue[Job | None] = asyncio.Queue()
        self._ahead = asyncio.Semaphore(2)  # held from what is taken until it is durable
        self._idle = asyncio.Event()  # nothing is being written
        self._idle.set()
        self._snapshots: asyncio.Queue[tuple[int, bytes]] = asyncio.Queue(1)
        self._snapshot_due_s = time.monotonic() + limits.snapshot_interval_s
        self._stopping = asyncio.Event()
        self.stop_reason = ""
        self._durable = asyncio.Condition()
        self._watermark = prepared.journal.last_seq
        self._anchoring = Anchoring(prepared.signing, self._inbox.say)
        self._tails = Publisher()
        self._phase: Phase = "starting"
        self._feeds_may_start = asyncio.Event()
        self._feeds_done = False
        self._core_failed = False
        self.counts: Counter[str] = Counter()  # durable events of this run by type
        self.feed_status: dict[str, FeedStatus] = {}

    # --- the run ------------------------------------------------------------------------------------------------------

    async def run(self, ready: Callable[[], None] = lambda: None) -> None:
        """From RunStarted to RunStopped. Should the journal or the core fail, the process ends here and now.

        Raises SocketPathError before anything is journalled.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self.stop, signal.Signals(number).name)
        try:
            async with asyncio.TaskGroup() as tasks:
                await self._run(tasks, ready)
        except ExceptionGroup as group:
            raise only_error(group) from None
        await self._journalled(self._journal.close)

    async def _run(self, tasks: asyncio.TaskGroup, ready: Callable[[], None]) -> None:
        listening = asyncio.Event()
        control = tasks.create_task(self._serve(listening.set), name="control")
        await listening.wait()
        await self._start_run()
        feeds = [tasks.create_task(self._feed(feed), name=f"feed {feed.name}") for feed in self._p.feeds]
        core = tasks.create_task(self._core(), name="core")
        writer = tasks.create_task(self._write(), name="journal")
        house = tasks.create_task(self._keep_house(), name="housekeeping")
        space = tasks.create_task(self._keep_reserve(), name="free space")
        sealing = tasks.create_task(keep_sealed(self._journal), name="sealing")
        retention = tasks.create_task(keep_retention(self._journal, self._p.config.journal.retention), name="retention")
        anchoring = tasks.create_task(self._anchoring.run(), name="anchoring")
        self._phase = "running"
        self._let_feeds_start()
        ready()
        await self._until_stopped(feeds)
        self._phase = "stopping"
        await end_all([*feeds, house, space, sealing, retention])
        if not self._feeds_done:
            self._inbox.drop_batches()
        await self._inbox.close()
        await core
        await writer
        await self._tails.end()
        await end_all([control, anchoring])
        await self._anchoring.finish(self._journal.head)
        if self._feeds_done:
            await seal_all(self._journal)

    def stop(self, reason: str) -> None:
        """Soon, also where the feeds are done but not everything of theirs is: it is left to the next start."""
        if self._feeds_done or not self._stopping.is_set():
            self.stop_reason = reason
        self._feeds_done = False
        self._inbox.drop_batches()
        self._stopping.set()

    async def _until_stopped(self, feeds: list[asyncio.Task[None]]) -> None:
        if self._until_done:
            done = asyncio.create_task(asyncio.wait(feeds), name="until done")
            done.add_done_callback(lambda _: self._stop_when_all_is_taken())
        await self._stopping.wait()

    def _stop_when_all_is_taken(self) -> None:
        if not self._stopping.is_set():
            self.stop_reason = "all feeds are done"
            self._feeds_done = True
            self._stopping.set()

    async def _start_run(self) -> None:
        """RunStarted is alone in its commit, so that a replay can make the state of the run before it."""
        await self._append(self._job([self._own_input(run_started(self._p), "daemon")]))

    def _own_input(self, body: AnyBody, source: str) -> Input:
        """An input of the shell: event time is the wall clock, receive time is core time, which the feeds' data set."""
        return Input(time.time_ns(), self.state.memory.core_ns, source, body)

    # --- feeds and core -----------------------------------------------------------------------------------------------

    def _let_feeds_start(self) -> None:
        """After a failure of the core only when a human says so, or it would fail again and again."""
        if (failure := self.state.ledger.halts.get("core_failed")) is None:
            self._feeds_may_start.set()
        else:
            log.critical("halted by core_failed: %s; feeds wait for `tradingd resume` or `flatten`", failure.text)

    async def _feed(self, feed: Feed) -> None:
        await self._feeds_may_start.wait()
        resume_after = self.state.ledger.cursors.get(feed.name, 0)
        async with aclosing(feed.batches(resume_after)) as batches:
            async for items in batches:
                await self._inbox.put(items)

    async def _core(self) -> None:
        while (taken := await self._next()) is not None:
            began_s = time.perf_counter()
            job = self._take(taken)
            self._portion.learn(rows_of(taken.items), time.perf_counter() - began_s)
            self._idle.clear()
            await self._commits.put(job)
            if self._core_failed:
                return
            self._take_snapshot_if_due()
        await self._last_words()

    async def _next(self) -> Taken | None:
        """Where feeds have to wait, one commit is made while the one before is written. Else what arrives meanwhile
        joins the next one: so it is durable sooner than if it stood in line.
        """
        await self._ahead.acquire()
        if not self._inbox.is_full:
            await self._idle.wait()
        return await self._inbox.take(self._portion.rows)

    def _take(self, taken: Taken) -> Job:
        own = [self._own_input(said.body, said.source) for said in taken.said]
        first = self.state.seq + 1
        waiting = [(first + at, said.recorded) for at, said in enumerate(taken.said)]
        return self._job([*own, *taken.items], waiting)

    def _job(self, items: list[Item], waiting: Sequence[tuple[int, asyncio.Future[int]]] = ()) -> Job:
        """Should the core raise, that is a bug: the inputs and the failure are journalled, and the process ends."""
        first_seq = self.state.seq + 1
        try:
            return Job(advance(self.state, items), waiting)
        except Exception as error:
            log.critical("the core failed; the process ends, the next start is halted", exc_info=error)
            self._core_failed = True
            return Job(failed_commit(first_seq, items, error), waiting, is_last=True)

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
        taken = await self._snapshot_written(at_seq, self._snapshot())
        bodies: list[AnyBody | None] = [taken, RunStopped(self.stop_reason)]
        await self._commits.put(self._job([self._own_input(body, "daemon") for body in bodies if body is not None]))
        await self._commits.put(None)

    # --- journal and effects ------------------------------------------------------------------------------------------

    async def _write(self) -> None:
        while (job := await self._commits.get()) is not None:
            await self._append(job)
            self._ahead.release()
            if self._commits.empty():
                self._idle.set()
            if self._journal.should_roll():
                await self._journalled(self._journal.roll)
                self._anchoring.durable(self._journal.head)

    async def _append(self, job: Job) -> None:
        head = await self._journalled(self._journal.append, job.commit)
        self._anchoring.durable(head)
        point("perform.before")
        self._perform(job.commit)
        if job.is_last:
            os._exit(EXIT_CORE_FAILED)
        for seq, recorded in job.waiting:
            if not recorded.done():  # who said it may have stopped waiting
                recorded.set_result(seq)
        async with self._durable:
            self._watermark = head.last_seq
            self._durable.notify_all()

    async def _journalled(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Work of the journal, in a thread. Should it fail, only recovery knows what was kept: the process ends."""
        try:
            return await asyncio.to_thread(work, *args, **kwargs)
        except JournalFailed as error:
            log.critical("%s; the process ends, the next start recovers", error)
            os._exit(EXIT_OUTSIDE_FAILED)

    def _perform(self, commit: Commit) -> None:
        """What durable facts ask for."""
        self.counts["Tick"] += sum(len(batch) for _, batch in commit.ticks)
        self.counts["Bar"] += len(commit.bars)
        for event in commit.events:
            self.counts[type(event.body).__name__] += 1
            if isinstance(event.body, FeedStatus):
                self.feed_status[event.body.feed] = event.body
            if isinstance(event.body, OperatorCommand):
                self._obey(event.body)
            for notify in commands_of(event.body):
                log.log(_LEVELS[notify.level], notify.text, extra={"seq": event.seq, "n": event.n})
        self._tails.publish(commit.events)
        self._published(commit)

    async def _until_durable(self, seq: int) -> None:
        async with self._durable:
            await self._durable.wait_for(lambda: self._watermark >= seq)

    async def _keep_house(self) -> None:
        """Snapshots, beside the commits."""
        while True:
            if not self._snapshots.empty():
                taken = await self._snapshot_written(*self._snapshots.get_nowait())
                if taken is not None:
                    await self._inbox.say(taken, "daemon")
            await asyncio.sleep(HOUSEKEEPING_S)

    async def _keep_reserve(self) -> None:
        await keep_reserve(self._journal.paths.folder, self._p.config.daemon.free_space_min_mb, self._inbox)

    async def _snapshot_written(self, at_seq: int, payload: bytes) -> SnapshotTaken | None:
        """None where it failed: the journal has all without it, only the next start takes longer."""
        await self._until_durable(at_seq)
        try:
            return await asyncio.to_thread(self._journal.write_snapshot, at_seq, payload)
        except JournalError as error:
            log.warning("%s; the next one is tried in %g s", error, self._p.config.daemon.snapshot_interval_s)
            return None

    # --- operators ----------------------------------------------------------------------------------------------------

    async def _serve(self, listening: Callable[[], None]) -> None:
        await serve(Path(self._p.config.daemon.control_socket), self, ready=listening)

    def final_status(self) -> Status:
        """What the run has come to, once it is over."""
        return view(self.state, self._p, self._phase, self.feed_status, dict(self.counts))

    async def status(self) -> Status:
        """What is durable by the time of the answer."""
        seen = self.final_status()
        await self._until_durable(seen.seq)
        return seen

    def tail(self) -> AbstractContextManager[Subscription]:
        """Durable events from here on."""
        return self._tails.subscription(Following(self._watermark, encode_settings(self._p.settings), self._p.sources))

    async def command(self, command: Command, actor: str, reason: str) -> int:
        try:
            recorded = await self._inbox.say(OperatorCommand(command, actor, reason), "operator")
        except InboxClosed as error:
            raise CommandRefused("the daemon is stopping") from error
        return await recorded

    def _obey(self, said: OperatorCommand) -> None:
        """What a durable command asks of the shell, whether or not who gave it still listens."""
        if said.command is Command.STOP:
            self.stop(f"{said.actor}: {said.reason}" if said.reason else said.actor)
        if said.command in (Command.RESUME, Command.FLATTEN):
            self._feeds_may_start.set()


_LEVELS = {"info": logging.INFO, "warning": logging.WARNING, "critical": logging.CRITICAL}
