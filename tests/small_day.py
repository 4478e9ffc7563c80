"""A short simulated day and a daemon that plays it in this process: for tests of the daemon and of what it leaves."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path

from tradingd.api.client import call
from tradingd.api.messages import Recorded, Request, Status
from tradingd.columns import TickBatch
from tradingd.commit import Commit
from tradingd.compare import first_difference
from tradingd.config.load import load
from tradingd.core.state import State
from tradingd.daemon.daemon import Daemon
from tradingd.daemon.prepare import Prepared, prepare
from tradingd.events import Event
from tradingd.feeds.contract import Feed, Item
from tradingd.journal.reader import JournalReader
from tradingd.rerun import Rerun

ROOT = Path(__file__).resolve().parent.parent
ROWS = 4000
CONFIG = """
name = "small"

[[instruments]]
id = "SIM:ALFA"
asset_class = "equity"
tick_size = 0.01
lot_size = 1
currency = "USD"
fees = { per_unit = 0.005 }
margin = { initial_rate = 0.5, maintenance_rate = 0.25 }

[[instruments]]
id = "SIM:BETA"
asset_class = "equity"
tick_size = 0.01
lot_size = 1
currency = "USD"

[[accounts]]
currency = "USD"
balance = "100000"
unit = "0.000001"

[[feeds]]
kind = "simulated"
name = "market"
seed = 7
start = "2025-03-03T10:00:00Z"
duration_s = 400
ticks_per_s = 10
batch_rows = 200

[[feeds.instruments]]
instrument = "SIM:ALFA"
price = 100

[[feeds.instruments]]
instrument = "SIM:BETA"
price = 50

[bars]
timeframes = ["1s", "1m"]

[[strategies]]
name = "cross"
kind = "sma_cross"
instruments = ["SIM:ALFA", "SIM:BETA"]
timeframe = "1s"
params = { fast = 5, slow = 20 }
allocation = 0.4
exits = [{ kind = "trailing_atr" }]

[[strategies]]
name = "coin"
kind = "coin_flip"
instruments = ["SIM:BETA"]
timeframe = "1m"
allocation = 0.2

[simulation]
latency_ms = 20.0
slippage_ticks = 1

[daemon]
inbox_batches_max = 4
batch_rows_max = 200
"""


def write_config(folder: Path, text: str = CONFIG) -> Path:
    """The config in a folder; its journal is journal/small there."""
    path = folder / "small.toml"
    path.write_text(text, encoding="utf-8")
    return path


def journal_of(config: Path) -> Path:
    return config.parent / "journal" / "small"


def prepared(config: Path, *overrides: str) -> Prepared:
    return prepare(load(config, overrides), config.parent)


def play(p: Prepared, beside: Callable[[Daemon], Awaitable[None]] | None = None, *, until_done: bool = True) -> Daemon:
    """One run of the daemon to its end, with something else beside it."""
    daemon = Daemon(p, until_done=until_done)

    async def both() -> None:
        async with asyncio.TaskGroup() as tasks:
            ready = asyncio.Event()
            tasks.create_task(daemon.run(ready.set))
            if beside is not None:
                await ready.wait()
                await beside(daemon)

    asyncio.run(both())
    return daemon


def play_config(config: Path, *overrides: str) -> Daemon:
    return play(prepared(config, *overrides))


class Held:
    """A feed that waits before some of its batches until it is let go."""

    def __init__(self, feed: Feed, before: Sequence[int]) -> None:
        self.name = feed.name
        self._feed = feed
        self.reached = {number: asyncio.Event() for number in before}
        self.let_go = {number: asyncio.Event() for number in before}
        self.rows = 0  # passed on so far

    async def batches(self, resume_after: int) -> AsyncGenerator[list[Item], None]:
        number = 0
        async with aclosing(self._feed.batches(resume_after)) as batches:
            async for items in batches:
                if number in self.reached:
                    self.reached[number].set()
                    await self.let_go[number].wait()
                self.rows += sum(len(item) for item in items if isinstance(item, TickBatch))
                yield items
                number += 1


async def caught_up(daemon: Daemon, feed: Held) -> None:
    """Returns when all that the feed has passed on is durable."""
    while daemon.counts["Tick"] < feed.rows:
        await asyncio.sleep(0.002)


def held(p: Prepared, *before: int) -> tuple[Prepared, Held]:
    """The same with its first feed held before some of its batches."""
    feed = Held(p.feeds[0], before)
    return replace(p, feeds=[feed, *p.feeds[1:]]), feed


async def tell(daemon: Daemon, op: str, reason: str = "") -> Recorded:
    """A command by the daemon's socket, as an operator gives it."""
    reply = await asyncio.to_thread(call, socket_of(daemon), Request(op, reason))
    assert isinstance(reply, Recorded)
    return reply


async def ask(daemon: Daemon) -> Status:
    reply = await asyncio.to_thread(call, socket_of(daemon), Request("status"))
    assert isinstance(reply, Status)
    return reply


def socket_of(daemon: Daemon) -> Path:
    return Path(daemon.final_status().journal) / "control.sock"


# --- what a journal holds ---------------------------------------------------------------------------------------------


def commits_of(folder: Path) -> list[Commit]:
    with JournalReader.open(folder) as reader:
        return list(reader.commits())


def events_of(folder: Path, *kinds: type) -> list[Event]:
    return [event for commit in commits_of(folder) for event in commit.events if isinstance(event.body, kinds)]


def bodies_of(folder: Path, *kinds: type) -> list[object]:
    return [event.body for event in events_of(folder, *kinds)]


def rows_of(folder: Path) -> int:
    return sum(len(batch) for commit in commits_of(folder) for _, batch in commit.ticks)


def re_executed(folder: Path) -> State:
    """The state at the end, from genesis; what the journal says has to be what comes out of it."""
    with JournalReader.open(folder) as reader:
        rerun = Rerun(reader.commits)
        for recorded in reader.commits():
            difference = first_difference(recorded, rerun.take(recorded))
            assert difference is None, difference.text
    assert rerun.state is not None
    return rerun.state


def decisions_of(folder: Path) -> Mapping[str, int]:
    """How often each type of fact is in the journal."""
    counts: dict[str, int] = {}
    for commit in commits_of(folder):
        for event in commit.events:
            counts[type(event.body).__name__] = counts.get(type(event.body).__name__, 0) + (event.n > 0)
    return {name: count for name, count in counts.items() if count}
