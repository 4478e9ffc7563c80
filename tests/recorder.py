"""A journal in memory, and the core that writes it: runs that stop, and go on with the same or with other settings."""

from collections.abc import Iterator

import msgspec
from world import SETTINGS, T0, library_of, market

from tradingd.columns import TickBatch
from tradingd.commit import Commit
from tradingd.core.advance import Item, advance
from tradingd.core.settings import BarSettings, CoreSettings, encode_settings
from tradingd.core.state import State, initial_state
from tradingd.core.warmup import warm_state
from tradingd.events import AnyBody, Command, Input, OperatorCommand, Resumption, RunStarted
from tradingd.rerun import books_of, past

# a Python strategy of a test has no file that a journal could keep the text of
BUILT_IN = msgspec.structs.replace(SETTINGS, strategies=SETTINGS.strategies[:2])
CHANGED = msgspec.structs.replace(BUILT_IN, bars=BarSettings(timeframes=("1s",)))


def run_started(settings: CoreSettings, ts_ns: int, *, how: Resumption, epoch: int = 1, warm_from: int = 0) -> Input:
    body = RunStarted(
        journal_id="TESTTEST",
        epoch=epoch,
        config=encode_settings(settings),
        config_digest="",
        code_digest="",
        sources=("market",),
        resumed=how,
        warm_from_seq=warm_from,
    )
    return Input(T0, ts_ns, "daemon", body)


class Recorder:
    """Plays rows of one market; `commits` is the journal, `state` that of who wrote it."""

    def __init__(self, settings: CoreSettings = BUILT_IN, ticks: TickBatch | None = None) -> None:
        self.commits: list[Commit] = []
        self.ticks = market(4000, seed=3) if ticks is None else ticks
        self.state: State = initial_state(settings, library_of(settings))
        self.start(settings, Resumption.FRESH)

    def history(self, first_seq: int) -> Iterator[Commit]:
        return (commit for commit in self.commits if commit.last_seq >= first_seq)

    def take(self, *items: Item) -> Commit:
        self.commits.append(advance(self.state, items))
        return self.commits[-1]

    def start(self, settings: CoreSettings, how: Resumption, epoch: int = 1) -> None:
        self.take(run_started(settings, self.state.memory.core_ns, how=how, epoch=epoch, warm_from=1))

    def play(self, first: int, last: int, step: int = 500) -> None:
        for at in range(first, last, step):
            self.take(self.ticks.slice(at, min(at + step, last)))

    def say(self, command: Command) -> Commit:
        ts_ns = self.state.memory.core_ns
        return self.take(Input(ts_ns, ts_ns, "operator", OperatorCommand(command, "uid=0(test) pid=1", "a test")))

    def warm(self, settings: CoreSettings, epoch: int) -> None:
        """What a start with other settings does."""
        seq = self.state.seq
        books, inputs = books_of(self.history, seq), past(self.history, 1, seq)
        self.state = warm_state(settings, library_of(settings), books, inputs)
        self.state.seq = seq
        self.start(settings, Resumption.WARMED, epoch)

    def bodies(self, *kinds: type[AnyBody]) -> list[AnyBody]:
        return [event.body for commit in self.commits for event in commit.events if isinstance(event.body, kinds)]
