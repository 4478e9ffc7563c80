"""A disk that fills up stops new exposure before it stops the record."""

import asyncio
from pathlib import Path
from typing import NamedTuple

import pytest
from small_day import bodies_of, events_of, journal_of, play_config, re_executed, write_config

from tradingd.daemon import space
from tradingd.daemon.inbox import Inbox
from tradingd.daemon.space import keep_reserve
from tradingd.events import Command, Halted, OperatorCommand, OrderRequested


class Usage(NamedTuple):
    free: int


def said_with(monkeypatch: pytest.MonkeyPatch, free_mb: list[int], reserve_mb: int) -> list[str]:
    """Reasons of the halts, until the disk is looked at no more."""

    async def play() -> list[str]:
        inbox = Inbox(1)
        with pytest.raises(LookupError):
            await keep_reserve(Path("journal"), reserve_mb, inbox)
        await inbox.close()
        taken = await inbox.take(1)
        bodies = [said.body for said in taken.said] if taken else []
        assert all(isinstance(body, OperatorCommand) and body.command is Command.HALT for body in bodies)
        return [body.reason for body in bodies if isinstance(body, OperatorCommand)]

    def usage(_: Path) -> Usage:
        return Usage(free_mb.pop(0) * 1_000_000)

    monkeypatch.setattr(space, "LOOK_S", 0.0)
    monkeypatch.setattr(space.shutil, "disk_usage", usage)
    return asyncio.run(play())


def test_it_halts_each_time_that_space_falls_below_the_reserve(monkeypatch: pytest.MonkeyPatch) -> None:
    reasons = said_with(monkeypatch, [500, 90, 80, 120, 110, 99], reserve_mb=100)
    assert [reason.split(" are free")[0] for reason in reasons] == ["90 MB", "99 MB"]
    assert reasons[0] == "90 MB are free at journal, the reserve is 100 MB: make room, then resume"


def test_without_a_reserve_nobody_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(space.shutil, "disk_usage", lambda _: pytest.fail("it looked"))
    asyncio.run(keep_reserve(Path("journal"), 0, Inbox(1)))


def test_a_day_on_a_full_disk_trades_nothing_and_is_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = write_config(tmp_path)
    monkeypatch.setattr(space.shutil, "disk_usage", lambda _: Usage(1_000_000))
    daemon = play_config(config)
    (halt,) = events_of(journal_of(config), Halted)
    assert isinstance(halt.body, Halted)
    assert (halt.body.by, "1 MB are free" in halt.body.text) == ("daemon", True)
    after = [event.body for event in events_of(journal_of(config), OrderRequested) if event.seq > halt.seq]
    assert all(isinstance(body, OrderRequested) and body.reduce_only for body in after)
    # it stays halted over a restart, whatever is free then
    assert "operator" in re_executed(journal_of(config)).ledger.halts
    assert daemon.counts["Tick"] == 4000
    assert len(bodies_of(journal_of(config), OperatorCommand)) == 1
