"""Re-execution: recorded inputs through the core again. Recovery, verification and what-if all stand on it."""

import hashlib
import platform
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

from tradingd.commit import BarRows, Commit
from tradingd.core.advance import Item, advance
from tradingd.core.memory import Library, Loaded
from tradingd.core.settings import CoreSettings, decode_settings
from tradingd.core.state import State, initial_state, kinds_of
from tradingd.core.warmup import warm_state
from tradingd.events import CoreFailed, Event, Input, Resumption, RunStarted
from tradingd.reducers.apply import apply
from tradingd.reducers.ledger import Ledger
from tradingd.strategies.loader import load_strategy

PACKAGE = Path(__file__).resolve().parent
PURE_FOLDERS = ("core", "simulation", "strategies", "risk", "reducers", "kernels")
PURE_FILES = ("columns.py", "commands.py", "commit.py", "events.py", "grid.py", "instruments.py")
History = Callable[[int], Iterator[Commit]]  # recorded commits from the one that holds a seq on


def code_digest(library: Library) -> str:
    """Digest of all that decides what `advance` gives: the pure half, user strategies, NumPy and numba."""
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
    return {kind: load_strategy(kind, base) for kind in kinds_of(settings)}


def user_texts(library: Library) -> dict[str, str]:
    """Texts of the strategies that came from files, by kind."""
    return {kind: strategy.text for kind, strategy in library.items() if ":" in kind}


def recorded_library(settings: CoreSettings, texts: Mapping[str, str]) -> Library:
    """The same from a journal: user strategies are loaded from the recorded texts, not from files of today."""
    with tempfile.TemporaryDirectory(prefix="tradingd-") as folder:
        return {kind: _recorded(kind, texts, Path(folder)) for kind in kinds_of(settings)}


def _recorded(kind: str, texts: Mapping[str, str], folder: Path) -> Loaded:
    if kind not in texts:
        return load_strategy(kind, folder)
    path, _, name = kind.rpartition(":")
    file = folder / hashlib.blake2b(kind.encode(), digest_size=8).hexdigest() / Path(path).name
    file.parent.mkdir()
    file.write_text(texts[kind], encoding="utf-8")
    return load_strategy(f"{file}:{name}", folder)


def inputs_of(commit: Commit) -> list[Item]:
    """The inputs of a commit in order."""
    placed: list[tuple[int, Item]] = list(commit.ticks)
    placed += [(event.seq, _input(event)) for event in commit.events if event.n == 0]
    return [item for _, item in sorted(placed, key=lambda pair: pair[0])]


def _input(event: Event) -> Input:
    return Input(event.ts_event_ns, event.ts_received_ns, event.source, event.body)


def started(commit: Commit) -> RunStarted | None:
    """The start of a run, which always has a commit to itself."""
    body = commit.events[0].body if commit.events else None
    return body if isinstance(body, RunStarted) else None


def has_failed(commit: Commit) -> bool:
    """The core failed at these inputs: they are kept, and left out wherever the record is executed again."""
    return any(isinstance(event.body, CoreFailed) for event in commit.events)


def fold(ledger: Ledger, settings: CoreSettings, commit: Commit) -> None:
    """The ledger after a commit, from its facts alone."""
    for _, batch in commit.ticks:
        source = ledger.run.sources[batch.source] if ledger.run else str(batch.source)
        ledger.count_rows(source, len(batch))
    for event in commit.events:
        apply(ledger, settings.instruments, event.body, event.ts_received_ns)


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
        warmed = warm_state(settings, library, self.state.ledger, self._past(body.warm_from_seq, self.state.seq))
        warmed.seq = self.state.seq
        return warmed

    def _past(self, first_seq: int, last_seq: int) -> Iterator[list[Item]]:
        return past(self._history, first_seq, last_seq)

    def _skip(self, state: State, recorded: Commit) -> Commit:
        fold(state.ledger, state.settings, recorded)
        state.seq = recorded.last_seq
        # what such a commit may hold: its inputs, and as its only fact the failure
        events = (*(event for event in recorded.events if event.n == 0), recorded.events[-1])
        return replace(recorded, events=events, bars=BarRows.empty())


def past(history: History, first_seq: int, last_seq: int) -> Iterator[list[Item]]:
    """Recorded inputs first_seq..last_seq, from the border of the commit that holds first_seq, but for those at which
    the core failed."""
    for commit in history(first_seq):
        if commit.first_seq > last_seq:
            return
        if not has_failed(commit):
            yield inputs_of(commit)
