"""Re-execution: recorded inputs through the core again. Recovery, verification and what-if all stand on it."""

import hashlib
import platform
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

from tradingd.commit import BarRows, Commit
from tradingd.core.advance import Item, advance
from tradingd.core.books import Books
from tradingd.core.memory import Library, Loaded
from tradingd.core.record import fold, has_failed, inputs_of, started
from tradingd.core.settings import CoreSettings, decode_settings
from tradingd.core.state import State, initial_state, kinds_of
from tradingd.core.warmup import warm_state
from tradingd.events import Resumption, RunStarted
from tradingd.strategies.loader import Strategies, from_texts, load_strategy, user_texts
from tradingd.strategies.makers.contract import CompiledMaker

PACKAGE = Path(__file__).resolve().parent
PURE_FOLDERS = ("core", "simulation", "strategies", "risk", "reducers", "kernels")
PURE_FILES = ("columns.py", "commands.py", "commit.py", "events.py", "grid.py", "instruments.py")
__all__ = [
    "Rerun", "books_of", "code_digest", "fold", "has_failed", "inputs_of", "load_library", "past", "recorded_library",
    "started", "user_texts", "versions",
]  # fmt: skip

History = Callable[[int], Iterator[Commit]]  # recorded commits from the one that holds a seq on


def code_digest(library: Mapping[str, Loaded | CompiledMaker]) -> str:
    """Digest of all that decides what `advance` or a kernel gives: the pure half, user strategies, NumPy and numba."""
    digest = hashlib.blake2b(f"numpy {version('numpy')} numba {version('numba')}".encode(), digest_size=16)
    files = [path for folder in PURE_FOLDERS for path in sorted((PACKAGE / folder).rglob("*.py"))]
    for path in (*(PACKAGE / name for name in PURE_FILES), *files):
        digest.update(path.relative_to(PACKAGE).as_posix().encode() + b"\0" + path.read_bytes())
    for kind, strategy in library.items():
        digest.update(kind.encode() + b"\0" + strategy.digest.encode())
    return digest.hexdigest()


def versions() -> dict[str, str]:
    packages = {name: version(name) for name in ("numpy", "numba", "duckdb", "polars", "tradingd")}
    return {"python": platform.python_version(), **packages}


def load_library(settings: CoreSettings, base: Path) -> Library:
    """The strategies and exits that the settings name. Raises StrategyError."""
    return Strategies({kind: load_strategy(kind, base) for kind in kinds_of(settings)})


def recorded_library(settings: CoreSettings, texts: Mapping[str, str]) -> Library:
    """The same from a journal: user strategies are loaded from the recorded texts, not from files of today."""
    return from_texts(kinds_of(settings), texts)


class Rerun:
    """Takes recorded commits in order and gives what the core makes of their inputs today.

    history   recorded commits, for runs that were warmed up with earlier inputs
    state     to go on from, a snapshot's for one
    """

    def __init__(self, history: History, state: State | None = None) -> None:
        self._history = history
        self.state = state

    def take(self, recorded: Commit) -> Commit:
        """What the core makes of the inputs. A commit in which the core had failed is taken as it is."""
        if (body := started(recorded)) is not None:
            self.state = self._enter(body)
        assert self.state is not None, "a journal begins with RunStarted"
        if has_failed(recorded):
            return self._skip(self.state, recorded)
        return advance(self.state, inputs_of(recorded))

    def _enter(self, body: RunStarted) -> State:
        settings = decode_settings(body.config)
        if self.state is not None and body.resumed is not Resumption.WARMED:
            return self.state
        library = recorded_library(settings, body.strategies)
        if self.state is None:
            return initial_state(settings, library)
        last_seq = self.state.seq
        books = books_of(self._history, last_seq)
        warmed = warm_state(settings, library, books, past(self._history, body.warm_from_seq, last_seq))
        warmed.seq = last_seq
        return warmed

    def _skip(self, state: State, recorded: Commit) -> Commit:
        fold(state.ledger, state.settings, recorded)
        state.seq = recorded.last_seq
        # what such a commit may hold: its inputs, and as its only fact the failure
        events = (*(event for event in recorded.events if event.n == 0), recorded.events[-1])
        return replace(recorded, events=events, bars=BarRows.empty())


def books_of(history: History, last_seq: int) -> Books:
    """What the record says after `last_seq`, the end of a commit."""
    books = Books()
    for commit in history(1):
        if commit.first_seq > last_seq:
            return books
        books.take(commit)
    return books


def past(history: History, first_seq: int, last_seq: int) -> Iterator[list[Item]]:
    """Recorded inputs first_seq..last_seq, from the border of the commit that holds first_seq, but for those at which
    the core failed."""
    for commit in history(first_seq):
        if commit.first_seq > last_seq:
            return
        if not has_failed(commit):
            yield inputs_of(commit)
