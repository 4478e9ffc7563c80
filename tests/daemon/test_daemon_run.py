"""A whole run in this process: what the journal holds, and what operators can do while it goes on."""

import asyncio
import os
import threading
from pathlib import Path

import pytest
from small_day import (
    ROWS,
    Held,
    ask,
    bodies_of,
    commits_of,
    decisions_of,
    events_of,
    held,
    journal_of,
    play,
    play_config,
    prepared,
    re_executed,
    rows_of,
    tell,
    write_config,
)

from tradingd.api.client import RequestFailedError
from tradingd.api.sockets import SocketPathError
from tradingd.commit import Commit
from tradingd.core.snapshot import state_digest
from tradingd.daemon.daemon import Daemon
from tradingd.events import (
    Command,
    FeedState,
    FeedStatus,
    OperatorCommand,
    OrderFilled,
    OrderRefused,
    RunStarted,
    RunStopped,
    SnapshotTaken,
)
from tradingd.journal.head import Head
from tradingd.journal.verify import verify
from tradingd.journal.writer import Journal


def test_a_run_until_the_feeds_are_done(tmp_path: Path) -> None:
    config = write_config(tmp_path)
    daemon = play_config(config)
    folder = journal_of(config)
    # the journal holds every row, from RunStarted, alone in its commit, to RunStopped
    commits = commits_of(folder)
    assert [type(event.body) for event in commits[0].events] == [RunStarted]
    assert rows_of(folder) == ROWS
    assert bodies_of(folder, RunStopped) == [RunStopped("all feeds are done")]
    assert commits[-1].events[-1].body == RunStopped("all feeds are done")
    assert [body.state for body in bodies_of(folder, FeedStatus) if isinstance(body, FeedStatus)] == [
        FeedState.CONNECTED,
        FeedState.DONE,
    ]
    # it was traded, the record verifies and gives the same again
    assert daemon.counts["OrderFilled"] > 100
    assert daemon.counts["Bar"] == sum(len(commit.bars) for commit in commits)
    assert verify(folder).ok
    assert state_digest(re_executed(folder)) == state_digest(daemon.state)


def test_commits_follow_one_another_and_nothing_is_published_before_it_is_durable(tmp_path: Path) -> None:
    p = prepared(write_config(tmp_path))
    seen: list[tuple[int, int, int]] = []
    daemon = Daemon(
        p,
        until_done=True,
        published=lambda commit: seen.append((commit.first_seq, commit.last_seq, p.journal.last_seq)),
    )
    asyncio.run(daemon.run())
    assert [first for first, _, _ in seen] == [1, *(last + 1 for _, last, _ in seen[:-1])]
    assert all(durable >= last for _, last, durable in seen)
    assert seen[-1][1] == daemon.state.seq


def test_two_runs_of_the_same_seed_come_to_the_same_state(tmp_path: Path) -> None:
    states = []
    for name, rows in (("a", 200), ("b", 77)):
        (tmp_path / name).mkdir()
        config = write_config(tmp_path / name)
        states.append(play_config(config, f"feeds.0.batch_rows={rows}", "daemon.snapshot_interval_s=0.05").state)
        assert len(bodies_of(journal_of(config), SnapshotTaken)) > 1
    assert state_digest(states[0]) == state_digest(states[1])


def test_a_stop_in_the_middle_and_a_restart_come_to_the_same_state_as_one_run(tmp_path: Path) -> None:
    (tmp_path / "whole").mkdir()
    whole = play_config(write_config(tmp_path / "whole"))
    config = write_config(tmp_path)
    for at in (3, 5):
        p, feed = held(prepared(config), at)

        async def stop(daemon: Daemon, feed: Held = feed, at: int = at) -> None:
            await feed.reached[at].wait()
            daemon.stop("enough for today")

        play(p, stop, until_done=False)
    assert bodies_of(journal_of(config), RunStopped) == [RunStopped("enough for today")] * 2
    assert 0 < rows_of(journal_of(config)) < ROWS
    # when it goes on to the end
    daemon = play_config(config)
    # then no row is lost or there twice, and the state is the same
    assert rows_of(journal_of(config)) == ROWS
    assert state_digest(daemon.state) == state_digest(whole.state)
    assert state_digest(re_executed(journal_of(config))) == state_digest(whole.state)


def test_what_operators_say_while_it_runs(tmp_path: Path) -> None:
    config = write_config(tmp_path)
    p, feed = held(prepared(config), 6, 12, 18)
    said: dict[str, int] = {}

    async def operate(daemon: Daemon) -> None:
        for number, op in ((6, "halt"), (12, "resume"), (18, "flatten")):
            await feed.reached[number].wait()
            said[op] = (await tell(daemon, op, f"a test of {op}")).seq
            if op == "halt":
                status = await ask(daemon)
                assert (status.state, status.halted_by, status.halt_text) == ("halted", "operator", "a test of halt")
            feed.let_go[number].set()

    daemon = play(p, operate)
    folder = journal_of(config)
    # the commands are in the journal, with who gave them
    commands = events_of(folder, OperatorCommand)
    assert [event.body.command for event in commands if isinstance(event.body, OperatorCommand)] == list(said)
    assert [event.seq for event in commands] == list(said.values())
    for event in commands:
        assert isinstance(event.body, OperatorCommand)
        assert event.body.actor.startswith(f"uid={os.getuid()}(")
        assert event.body.actor.endswith(f"pid={os.getpid()}")
        assert event.source == "operator"
    # between halt and resume new exposure was refused, and only then
    refused = [event for event in events_of(folder, OrderRefused) if event.body.rule == "halted"]
    assert any(said["halt"] < event.seq < said["resume"] for event in refused)
    assert not any(event.seq < said["halt"] or said["resume"] < event.seq < said["flatten"] for event in refused)
    # after the resume it traded again, after the flatten nothing is left
    assert any(said["resume"] < event.seq < said["flatten"] for event in events_of(folder, OrderFilled))
    assert all(position.lots == 0 for position in daemon.state.ledger.positions.values())
    assert list(daemon.state.ledger.halts) == ["flatten"]
    assert state_digest(re_executed(folder)) == state_digest(daemon.state)


def test_an_operator_stops_it(tmp_path: Path) -> None:
    config = write_config(tmp_path)
    p, feed = held(prepared(config), 4)

    async def operate(daemon: Daemon) -> None:
        await feed.reached[4].wait()
        await tell(daemon, "stop", "for the night")

    daemon = play(p, operate, until_done=False)
    assert daemon.stop_reason.endswith(": for the night")
    assert daemon.stop_reason.startswith("uid=")
    (command,) = bodies_of(journal_of(config), OperatorCommand)
    assert isinstance(command, OperatorCommand)
    assert (command.command, command.reason) == (Command.STOP, "for the night")
    assert bodies_of(journal_of(config), RunStopped) == [RunStopped(daemon.stop_reason)]
    # what still waited for the core is left to the next start
    assert 0 < rows_of(journal_of(config)) <= 800


class SlowJournal:
    """A journal whose appends wait while it is blocked."""

    def __init__(self, journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
        self.free = threading.Event()
        self.free.set()
        self._append = journal.append
        monkeypatch.setattr(journal, "append", self.append)

    def append(self, commit: Commit) -> Head:
        assert self.free.wait(10)
        return self._append(commit)


async def settled(daemon: Daemon) -> int:
    """The core's seq once it does not go on any more."""
    seq = -1
    while seq != daemon.state.seq:
        seq = daemon.state.seq
        await asyncio.sleep(0.1)
    return seq


def test_a_slow_disk_makes_the_feed_wait_and_a_command_is_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = write_config(tmp_path)
    p, feed = held(prepared(config), 1)
    disk = SlowJournal(p.journal, monkeypatch)

    async def operate(daemon: Daemon) -> None:
        # given a disk that takes nothing any more, so that commits, then the core, then the inbox, then the feed wait
        await feed.reached[1].wait()
        disk.free.clear()
        feed.let_go[1].set()
        stuck_at = await settled(daemon)
        assert stuck_at < ROWS / 2
        # when an operator halts
        halting = asyncio.create_task(tell(daemon, "halt"))
        await asyncio.sleep(0.1)
        assert not halting.done()  # it is not durable yet
        disk.free.set()
        # then the command was before all that waited in the inbox: at most the batch in the core's hand came first
        assert (await halting).seq <= stuck_at + 201

    daemon = play(p, operate)
    assert rows_of(journal_of(config)) == ROWS
    assert "operator" in daemon.state.ledger.halts


def test_a_stop_while_it_drains_leaves_the_rest_to_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The feed is done, the core is not: until done means until all is taken, a stop means now."""
    config = write_config(tmp_path)
    p, feed = held(prepared(config, "daemon.inbox_batches_max=64"), 1)
    disk = SlowJournal(p.journal, monkeypatch)

    async def operate(daemon: Daemon) -> None:
        await feed.reached[1].wait()
        disk.free.clear()
        feed.let_go[1].set()
        while not daemon.stop_reason:
            await asyncio.sleep(0.01)
        assert daemon.stop_reason == "all feeds are done"
        daemon.stop("SIGTERM")
        disk.free.set()

    play(p, operate)
    assert bodies_of(journal_of(config), RunStopped) == [RunStopped("SIGTERM")]
    assert rows_of(journal_of(config)) < ROWS
    play_config(config)
    assert rows_of(journal_of(config)) == ROWS


def test_who_stops_waiting_for_a_command_does_not_stop_the_daemon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The socket gives up after a while; the command is journalled all the same."""
    config = write_config(tmp_path)
    p, feed = held(prepared(config), 1)
    disk = SlowJournal(p.journal, monkeypatch)

    async def operate(daemon: Daemon) -> None:
        await feed.reached[1].wait()
        disk.free.clear()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(daemon.command(Command.HALT, "uid=0(test) pid=1", ""), 0.05)
        disk.free.set()
        feed.let_go[1].set()

    play(p, operate)
    assert len(bodies_of(journal_of(config), OperatorCommand)) == 1
    assert rows_of(journal_of(config)) == ROWS


def test_a_command_while_it_stops_is_refused_and_not_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = write_config(tmp_path)
    p = prepared(config)
    refusals: list[str] = []
    stopping, asked = threading.Event(), threading.Event()
    write_snapshot = p.journal.write_snapshot

    def slowly(at_seq: int, payload: bytes) -> SnapshotTaken:
        stopping.set()
        assert asked.wait(10)
        return write_snapshot(at_seq, payload)

    monkeypatch.setattr(p.journal, "write_snapshot", slowly)

    async def operate(daemon: Daemon) -> None:
        await asyncio.to_thread(stopping.wait)  # the inbox is closed, RunStopped is next
        with pytest.raises(RequestFailedError) as refused:
            await tell(daemon, "halt")
        refusals.append(str(refused.value))
        assert (await ask(daemon)).state == "stopping"
        asked.set()

    play(p, operate)
    assert refusals == ["the daemon is stopping"]
    assert bodies_of(journal_of(config), OperatorCommand) == []


def test_a_socket_that_can_not_be_made_is_said_before_anything_is_journalled(tmp_path: Path) -> None:
    config = write_config(tmp_path)
    (tmp_path / "taken").write_text("a file")
    p = prepared(config, 'daemon.control_socket="taken"')
    with pytest.raises(SocketPathError, match="is not a socket"):
        asyncio.run(Daemon(p).run())
    assert p.journal.last_seq == 0
    p.journal.close()


def test_small_segments_are_rolled_and_sealed_while_it_runs(tmp_path: Path) -> None:
    config = write_config(tmp_path)
    (tmp_path / "whole").mkdir()
    whole = play_config(write_config(tmp_path / "whole"))
    daemon = play_config(config, "journal.roll_rows=1500", "daemon.snapshot_interval_s=0.1")
    report = verify(journal_of(config))
    assert report.ok
    assert report.segments > 3
    assert decisions_of(journal_of(config)) == decisions_of(journal_of(tmp_path / "whole" / "small.toml"))
    assert state_digest(daemon.state) == state_digest(whole.state)
