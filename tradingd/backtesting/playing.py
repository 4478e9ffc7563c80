"""The core without a daemon, as fast as it goes: from batches of inputs to commits, and to a journal if wanted."""

import platform
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from itertools import chain
from pathlib import Path

from tradingd.backtesting.errors import BacktestError
from tradingd.commit import Commit
from tradingd.config.load import digest
from tradingd.core.advance import Item, advance
from tradingd.core.memory import Library
from tradingd.core.settings import CoreSettings, encode_settings
from tradingd.core.state import State, initial_state
from tradingd.events import AnyBody, Input, RunStarted, RunStopped
from tradingd.journal.head import Head
from tradingd.journal.settings import JournalSettings
from tradingd.journal.writer import Journal
from tradingd.rerun import code_digest, user_texts, versions

WHO = "backtest"
KEPT = JournalSettings(roll_daily=False)


def play(
    core: CoreSettings,
    library: Library,
    sources: tuple[str, ...],
    batches: Iterable[Sequence[Item]],
    journal: Path | None,
) -> Iterator[Commit]:
    """Commits of a run, from RunStarted to RunStopped; kept in the new folder `journal` where one is named."""
    with ExitStack() as stack:
        kept = stack.enter_context(_Kept(journal)) if journal else None
        state = initial_state(core, library)
        first = [_said(_started(core, library, sources, kept), 0)]
        for commit in chain((advance(state, batch) for batch in chain([first], batches)), _last(state)):
            if kept:
                kept.append(commit)
            yield commit


def _last(state: State) -> Iterator[Commit]:
    yield advance(state, [_said(RunStopped("the data is at its end"), state.memory.core_ns)])


def _said(body: AnyBody, ts_ns: int) -> Input:
    return Input(ts_event_ns=ts_ns, ts_received_ns=ts_ns, source=WHO, body=body)


def _started(core: CoreSettings, library: Library, sources: tuple[str, ...], kept: "_Kept | None") -> RunStarted:
    return RunStarted(
        journal_id=kept.journal.id if kept else WHO,
        epoch=kept.journal.epoch if kept else 1,
        config=encode_settings(core),
        config_digest=digest(core),
        code_digest=code_digest(library),
        sources=sources,
        strategies=user_texts(library),
        versions=versions(),
        processor=platform.processor() or platform.machine(),
    )


class _Kept:
    """A new journal, written in a thread while the core goes on."""

    def __init__(self, folder: Path) -> None:
        if folder.exists() and any(folder.iterdir()):
            raise BacktestError(f"{folder} is not empty; give --journal a folder of its own")
        self.journal = Journal.open(folder, KEPT)
        self._thread = ThreadPoolExecutor(1)
        self._before: Future[Head] | None = None

    def append(self, commit: Commit) -> None:
        """Returns when the commit before this one is durable."""
        if self._before is not None:
            self._before.result()
        self._before = self._thread.submit(self._write, commit)

    def _write(self, commit: Commit) -> Head:
        if self.journal.should_roll():  # what the log of a segment holds is in memory too
            self.journal.roll()
        return self.journal.append(commit)

    def __enter__(self) -> "_Kept":
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self._thread.shutdown()
        if kind is None and self._before is not None:
            self._before.result()
            self.journal.close()
        else:
            self.journal.abandon()
