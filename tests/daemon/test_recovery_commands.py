"""What a durable command asks of the daemon happens after it is durable, so that no start forgets why."""

from pathlib import Path

import pytest
from small_day import held, play, prepared, tell, write_config

from tradingd.commit import Commit
from tradingd.daemon.daemon import Daemon
from tradingd.events import Command, OperatorCommand
from tradingd.journal.head import Head


def is_stop(commit: Commit) -> bool:
    said = (event.body for event in commit.events)
    return any(isinstance(body, OperatorCommand) and body.command is Command.STOP for body in said)


def test_a_stop_is_obeyed_only_when_it_is_in_the_journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    p, feed = held(prepared(write_config(tmp_path)), 1)
    append = p.journal.append
    reasons: list[str] = []
    daemons: list[Daemon] = []

    def watched(commit: Commit) -> Head:
        # given the moments before and after the stop is durable
        if not is_stop(commit):
            return append(commit)
        reasons.append(daemons[0].stop_reason)
        head = append(commit)
        reasons.append(daemons[0].stop_reason)
        return head

    monkeypatch.setattr(p.journal, "append", watched)

    async def operate(daemon: Daemon) -> None:
        daemons.append(daemon)
        await feed.reached[1].wait()
        # when an operator stops
        await tell(daemon, "stop", "enough")

    daemon = play(p, operate, until_done=False)
    # then nothing was done about it until then
    assert reasons == ["", ""]
    assert daemon.stop_reason.endswith(": enough")
