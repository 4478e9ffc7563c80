"""One process after another on one disk: the daemon's order of things, in one thread and decided by the seed.

The core goes on while earlier commits are not yet durable; nothing leaves the process before its commit is.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from simulated.audit import Audit
from simulated.checks import Then, check_recovered
from simulated.desk import changed
from simulated.disk import Disk
from simulated.faults import Died, Kind
from simulated.journal import Journal, Reader
from simulated.market import FEEDS, S
from simulated.outside import Outside
from simulated.scenario import Scenario, Wish

from tradingd.commit import Commit
from tradingd.config.load import digest
from tradingd.core.advance import Item, advance
from tradingd.core.settings import CoreSettings, encode_settings
from tradingd.core.snapshot import encode_snapshot
from tradingd.core.state import State
from tradingd.daemon.failure import failed_commit
from tradingd.daemon.inbox import cut, rows_of
from tradingd.daemon.prepare import newest_run
from tradingd.daemon.recovery import Identity, Recovered, continued, continued_sources, recover
from tradingd.events import (
    AnyBody,
    ClockAdvanced,
    Command,
    Input,
    OperatorCommand,
    Resumption,
    RunStarted,
    RunStopped,
    SnapshotTaken,
)
from tradingd.journal.errors import JournalError, JournalFailed
from tradingd.rerun import load_library

BATCH_ROWS = {"ticks": (5, 40), "wire": (1, 6)}
ROWS_MAX = (1, 3, 10, 60)
SNAPSHOT, CLOCK, CHANGE = 0.15, 0.05, 0.5


class CoreError(Exception):
    """What a bug in the core would raise."""


class Job(NamedTuple):
    commit: Commit
    is_last: bool


@dataclass(slots=True)
class World:
    """What outlives a process."""

    scenario: Scenario
    disk: Disk
    outside: Outside
    audit: Audit
    settings: CoreSettings
    code: str = "code 1"
    then: dict[int, Then] = field(default_factory=dict)  # the state after each seq that ended a commit
    how: list[Resumption] = field(default_factory=list)

    def reconfigure(self) -> None:
        """Other settings, or other code, for the next start."""
        rng = self.scenario.rng
        if self.scenario.changes and rng.random() < CHANGE:
            self.settings = changed(self.settings, rng)
            self.code = rng.choice((self.code, "code 2"))


class Process:
    def __init__(self, world: World) -> None:
        """Recovery. Raises Died."""
        self._w = world
        self._rng = world.scenario.rng
        self._journal = Journal(world.disk)
        reader = self._journal.reader()
        self._recovered = self._recover(reader)
        self.state: State = self._recovered.state
        names = self._rng.sample(FEEDS, len(FEEDS))
        self._sources = continued_sources(names, newest_run(reader))
        self._queue: deque[Job] = deque()
        self._batches: deque[list[Item]] = deque()
        self._own: list[AnyBody] = []
        self._snapshot: tuple[int, bytes] | None = None
        self._said: set[str] = set()
        self._stopping = False
        self._feeds = {name: self._feed(name) for name in names}

    def _recover(self, reader: Reader) -> Recovered:
        w = self._w
        w.outside.check_kept(reader)
        for commit in reader.recorded(w.audit.last_seq + 1):
            w.audit.take(commit)
        w.settings = continued(w.settings, newest_run(reader))
        self._identity = Identity(digest(w.settings), w.code)
        library = load_library(w.settings, Path())
        recovered = recover(reader, w.settings, library, self._identity)  # type: ignore[arg-type]
        check_recovered(recovered, w.then, w.audit, reader.last_seq)
        w.how.append(recovered.how)
        return recovered

    def _feed(self, name: str) -> Iterator[list[Item]]:
        cursor = self.state.ledger.cursors.get(name, 0)
        size = self._rng.randint(*BATCH_ROWS[name])
        return self._w.scenario.market.feed(name, self._sources.index(name), size).items(cursor)

    # --- the run ------------------------------------------------------------------------------------------------------

    def run(self) -> bool:
        """Until an operator stops it or all is done: whether it is. Raises Died."""
        self._queue.append(self._job([self._input(self._started(), "daemon")]))
        self._write()
        while not self._stopping and (items := self._taken()):
            self._queue.append(self._job(items))
            self._take_snapshot()
            waiting = 0 if self._queue[-1].is_last else self._rng.randint(0, 2)
            while len(self._queue) > waiting:
                self._write()
        self._last_words()
        return not self._stopping

    def _started(self) -> RunStarted:
        return RunStarted(
            journal_id=self._journal.id,
            epoch=self._journal.head.epoch,
            config=encode_settings(self._w.settings),
            config_digest=self._identity.config,
            code_digest=self._identity.code,
            sources=self._sources,
            resumed=self._recovered.how,
            warm_from_seq=self._recovered.warm_from_seq,
        )

    def _input(self, body: AnyBody, source: str, later_ns: int = 0) -> Input:
        core_ns = self.state.memory.core_ns
        return Input(core_ns + later_ns, core_ns + later_ns, source, body)

    def _job(self, items: list[Item]) -> Job:
        first_seq = self.state.seq + 1
        commit = advance(self.state, items)
        if (isinstance(items[0], Input) and isinstance(items[0].body, RunStarted)) or not self._fails():
            self._remember()
            return Job(commit, is_last=False)
        self._w.then.pop(commit.last_seq, None)
        return Job(failed_commit(first_seq, items, CoreError()), is_last=True)

    def _fails(self) -> bool:
        """As if the core had raised at the end of the batch: nobody trusts the state any more."""
        return self._w.disk.faults.core_fails()

    def _remember(self) -> None:
        taken = encode_snapshot(self.state, (self._identity.config, self._identity.code))
        self._w.then[self.state.seq] = Then(self._w.settings, taken)

    # --- what is taken ------------------------------------------------------------------------------------------------

    def _taken(self) -> list[Item]:
        """What the shell and the operator say, then some rows; empty where all was said."""
        own: list[Item] = [self._input(body, "daemon") for body in self._own]
        self._own.clear()
        own += [self._input(self._command(wish), "operator") for wish in self._due()]
        if self._rng.random() < CLOCK:
            own.append(self._input(ClockAdvanced(), "clock", self._rng.randint(0, S)))
        if self._feeds_wait():
            own.append(self._input(OperatorCommand(Command.RESUME, "simulated", f"after {self.state.seq}"), "operator"))
        return own + self._rows(self._rng.choice(ROWS_MAX))

    def _feeds_wait(self) -> bool:
        return "core_failed" in self.state.ledger.halts

    def _due(self) -> list[Wish]:
        taken = sum(self.state.ledger.cursors.values())
        known = self._said | self._w.outside.told.keys()
        due = [wish for wish in self._w.scenario.wishes if wish.after_rows <= taken and wish.name not in known]
        self._said |= {wish.name for wish in due}
        return due

    def _command(self, wish: Wish) -> OperatorCommand:
        return OperatorCommand(wish.command, "simulated", wish.name)

    def _rows(self, rows: int) -> list[Item]:
        taken: list[Item] = []
        self._fetch()
        while self._batches and rows > 0:
            items, rest = cut(self._batches.popleft(), rows)
            if rest:
                self._batches.appendleft(rest)
            taken += items
            rows -= rows_of(items)
        return taken

    def _fetch(self) -> None:
        """One more batch, of the feed that is behind as a rule."""
        while self._feeds and not self._batches:
            name = min(self._feeds, key=self._part) if self._rng.random() < 0.8 else self._rng.choice([*self._feeds])
            batch = next(self._feeds[name], None)
            if batch is None:
                del self._feeds[name]
            else:
                self._batches.append(batch)

    def _part(self, name: str) -> float:
        return self.state.ledger.cursors.get(name, 0) / len(self._w.scenario.market.rows[name])

    # --- journal and effects ------------------------------------------------------------------------------------------

    def _write(self) -> None:
        job = self._queue.popleft()
        try:
            head = self._journal.append(job.commit)
        except JournalFailed:
            raise Died(Kind.ERROR) from None
        w = self._w
        w.audit.take(job.commit)
        w.disk.faults.point()
        w.outside.perform(job.commit)
        w.disk.faults.point()
        if job.is_last:
            raise Died(Kind.CORE)
        w.outside.acknowledge(head, job.commit)
        self._obey(job.commit)
        self._write_snapshot(head.last_seq)

    def _obey(self, commit: Commit) -> None:
        bodies = [event.body for event in commit.events]
        if any(isinstance(body, OperatorCommand) and body.command is Command.STOP for body in bodies):
            self._stopping = True

    def _take_snapshot(self) -> None:
        if self._snapshot is None and not self._queue[-1].is_last and self._rng.random() < SNAPSHOT:
            self._snapshot = self.state.seq, self._w.then[self.state.seq].snapshot

    def _write_snapshot(self, durable_seq: int) -> None:
        """Only of what is durable. Where it fails the journal has everything without it."""
        if self._snapshot is not None and self._snapshot[0] <= durable_seq:
            self._own += self._snapshot_written(*self._snapshot)
            self._snapshot = None

    def _snapshot_written(self, at_seq: int, payload: bytes) -> Sequence[SnapshotTaken]:
        try:
            return [self._journal.write_snapshot(at_seq, payload)]
        except JournalError:
            return []

    def _last_words(self) -> None:
        while self._queue:
            self._write()
        taken = self._snapshot_written(self.state.seq, self._w.then[self.state.seq].snapshot)
        bodies: list[AnyBody] = [*self._own, *taken, RunStopped("done")]
        self._queue.append(self._job([self._input(body, "daemon") for body in bodies]))
        self._write()
