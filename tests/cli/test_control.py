"""tradingd status, halt, resume, flatten, stop against a daemon on a real socket."""

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tradingd.api.messages import AccountView, FeedView, PositionView, Status
from tradingd.api.server import CommandRefused, serve
from tradingd.events import Command, FeedState

STATUS = Status(
    instance="demo",
    state="halted",
    pid=7,
    journal="/j",
    epoch=2,
    seq=99,
    core_time_ns=1_741_012_200_000_000_000,
    halted_by="risk",
    halt_text="daily loss",
    feeds=(FeedView("market", FeedState.CONNECTED),),
    accounts=(AccountView("USD", "1000.00", "1001.50"),),
    positions=(PositionView("SIM:AAA", -3, 10.5, "-1.20"),),
    counts={"OrderFilled": 4},
)


class FakeDaemon:
    async def status(self) -> Status:
        return STATUS

    async def command(self, command: Command, actor: str, reason: str) -> int:
        if command is Command.RESUME:
            raise CommandRefused(f"not halted ({reason})")
        return 100


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Path]:
    """A journal's folder whose daemon answers from another thread."""
    folder = tmp_path / "journal" / "demo"
    folder.mkdir(parents=True)
    ready = threading.Event()
    loop = asyncio.new_event_loop()
    server = loop.create_task(serve(folder / "control.sock", FakeDaemon(), ready=ready.set))

    def until_cancelled() -> None:
        loop.run_until_complete(asyncio.wait({server}))
        loop.close()

    thread = threading.Thread(target=until_cancelled)
    thread.start()
    assert ready.wait(5)
    yield folder
    loop.call_soon_threadsafe(server.cancel)
    thread.join(5)


def test_status_is_lines_for_people(journal: Path, run: Callable[..., Any]) -> None:
    ran = run("tradingd", "status", "-j", journal)
    assert ran.code == 0
    assert ran.out.splitlines()[0] == "demo: halted (by risk: daily loss)"
    for part in ("2025-03-03 14:30:00", "market: connected", "USD 1000.00", "SIM:AAA -3 at 10.5", "OrderFilled 4"):
        assert part in ran.out


def test_status_is_an_object_for_programs(journal: Path, run: Callable[..., Any]) -> None:
    found = json.loads(run("tradingd", "status", "-j", journal, "--json").out)
    assert (found["state"], found["seq"], found["feeds"][0]["state"]) == ("halted", 99, "connected")


@pytest.mark.parametrize("op", ["halt", "flatten", "stop"])
def test_a_command_says_where_it_was_recorded(op: str, journal: Path, run: Callable[..., Any]) -> None:
    assert run("tradingd", op, "-j", journal, "-m", "why").out == f"{op}: recorded at 100\n"
    assert json.loads(run("tradingd", op, "-j", journal, "--json").out) == {"op": op, "seq": 100}


def test_a_refusal_is_1(journal: Path, run: Callable[..., Any]) -> None:
    assert run("tradingd", "resume", "-j", journal, "-m", "go on") == (1, "", "error: not halted (go on)\n")


def test_a_config_names_the_daemon_even_when_the_rest_of_it_is_broken(
    journal: Path, tmp_path: Path, run: Callable[..., Any]
) -> None:
    config = tmp_path / "demo.toml"
    config.write_text('name = "demo"\nrisk = "what?"\n')
    assert run("tradingd", "halt", "-c", config).code == 0
    config.write_text('[daemon]\ncontrol_socket = "journal/demo/control.sock"\n')
    assert run("tradingd", "halt", "-c", config).code == 0


def test_a_config_that_names_none_is_2(tmp_path: Path, run: Callable[..., Any]) -> None:
    config = tmp_path / "x.toml"
    config.write_text("journal = 3\n")
    ran = run("tradingd", "halt", "-c", config)
    assert (ran.code, len(ran.err.splitlines())) == (2, 1)
    assert "use --journal FOLDER" in ran.err


@pytest.mark.parametrize("which", [[], ["-j", "a", "-c", "b"]])
def test_which_daemon_has_to_be_said_once(which: list[str], run: Callable[..., Any]) -> None:
    ran = run("tradingd", "stop", *which)
    assert (ran.code, ran.err) == (2, "error: say which daemon: --journal FOLDER or --config FILE\n")


def test_no_daemon_is_3(tmp_path: Path, run: Callable[..., Any]) -> None:
    ran = run("tradingd", "status", "-j", tmp_path)
    assert (ran.code, ran.out) == (3, "")
    assert ran.err.startswith("error: no daemon runs here")


def test_a_reason_that_is_too_long_is_said_before_it_is_sent(journal: Path, run: Callable[..., Any]) -> None:
    ran = run("tradingd", "halt", "-j", journal, "-m", "x" * 501)
    assert ran.code == 1
    assert "500" in ran.err
