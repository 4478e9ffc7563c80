"""What would have happened: the recorded inputs under other settings, beside the same under those recorded.

Both sides are simulated, the baseline too: what a venue said in the recording answers orders that the other side never
sent. They are compared by seq, which counts inputs only and so means the same on both sides.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from tradingd.audit.errors import AuditError
from tradingd.audit.runs import Names, Run, runs_of, sound
from tradingd.audit.tally import Summary, Tally
from tradingd.audit.words import in_words
from tradingd.commit import Commit
from tradingd.config.check import check
from tradingd.config.load import core_settings, load
from tradingd.config.overrides import apply_overrides
from tradingd.config.problems import ConfigError
from tradingd.core.memory import Library
from tradingd.core.settings import CoreSettings
from tradingd.core.state import initial_state
from tradingd.events import Decision, Resumption
from tradingd.journal.reader import JournalReader
from tradingd.kernels.calls import PRICES
from tradingd.rerun import Rerun, load_library, recorded_library, started

Say = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Alternative:
    """Other settings for the journal's instruments, and their strategies."""

    settings: CoreSettings
    library: Library


class Differing(Struct):
    """A decision that only one side made, or that both made differently; None = not made."""

    seq: int
    instrument: str
    baseline: str | None
    what_if: str | None


class WhatIf(Struct):
    last_seq: int
    live: bool
    baseline: Summary
    what_if: Summary
    differing: int
    first: list[Differing]


# --- the other settings -----------------------------------------------------------------------------------------------


def from_config(reader: JournalReader, config: Path, overrides: Sequence[str]) -> Alternative:
    """The core's part of a config. Raises ConfigError, AuditError, StrategyError."""
    settings = core_settings(load(config, overrides))
    return Alternative(_fitted(settings, _newest(reader)), load_library(settings, config.absolute().parent))


def from_recorded(reader: JournalReader, overrides: Sequence[str]) -> Alternative:
    """The recorded settings, some values changed. Raises ConfigError, StrategyError."""
    run = _newest(reader)
    raw: dict[str, Any] = msgspec.json.decode(run.body.config)
    apply_overrides(raw, overrides)
    if problems := check(raw, CoreSettings):
        raise ConfigError(problems)
    settings = msgspec.convert(raw, CoreSettings)
    return Alternative(_fitted(settings, run), recorded_library(settings, run.body.strategies))


def _newest(reader: JournalReader) -> Run:
    runs = runs_of(reader)
    if not runs:
        raise AuditError("nothing can be replayed: the journal is empty, or no segment of it is sealed yet")
    return runs[-1]


def _fitted(settings: CoreSettings, run: Run) -> CoreSettings:
    """The settings with the journal's instruments in the journal's order. Raises AuditError for others."""
    recorded, wanted = run.names.settings.instruments, {each.id: each for each in settings.instruments}
    ids = [instrument.id for instrument in recorded]
    if unknown := [name for name in wanted if name not in ids]:
        raise AuditError(f"the journal has no ticks of {', '.join(unknown)}; its instruments are {', '.join(ids)}")
    merged = tuple(wanted.get(instrument.id, instrument) for instrument in recorded)
    currencies = [account.currency for account in settings.accounts]
    if poor := [each.id for each in merged if each.currency not in currencies]:
        raise AuditError(f"the config has no account for {', '.join(poor)}; add one to accounts")
    return replace(settings, instruments=merged)


# --- the comparison ---------------------------------------------------------------------------------------------------


def what_if(reader: JournalReader, alternative: Alternative, *, first: int = 10, say: Say = lambda seq: None) -> WhatIf:
    """Both sides through every recorded input. `first` bounds how many differing decisions are kept."""
    names = _newest(reader).names
    baseline = _Side(Rerun(reader.commits))
    other = _Side(Rerun(reader.commits, initial_state(alternative.settings, alternative.library)))
    found = _Decisions(names, first)
    for recorded in reader.commits():
        taken = sound(recorded, len(names.settings.instruments))
        found.compare(baseline.take(taken), other.take(_kept(taken)))
        say(recorded.last_seq)
    return WhatIf(
        last_seq=reader.last_seq,
        live=reader.is_live,
        baseline=baseline.summary(names),
        what_if=other.summary(Names(alternative.settings, names.sources)),
        differing=found.count,
        first=found.first,
    )


@dataclass(slots=True)
class _Side:
    rerun: Rerun
    tally: Tally = field(default_factory=Tally)

    def take(self, recorded: Commit) -> Commit:
        commit = self.rerun.take(recorded)
        self.tally.add(commit)
        return commit

    def summary(self, names: Names) -> Summary:
        return self.tally.summary(names, self.rerun.state)


def _kept(recorded: Commit) -> Commit:
    """A start of a run that does not bring the recorded settings back in."""
    body = started(recorded)
    if body is None or body.resumed is not Resumption.WARMED:
        return recorded
    event = replace(recorded.events[0], body=replace(body, resumed=Resumption.REBUILT))
    return Commit(recorded.first_seq, recorded.last_seq, recorded.ticks, (event,), recorded.bars)


@dataclass(slots=True)
class _Decisions:
    names: Names
    room: int
    count: int = 0
    first: list[Differing] = field(default_factory=list)

    def compare(self, baseline: Commit, other: Commit) -> None:
        was, would_be = decisions_of(baseline), decisions_of(other)
        for place in sorted({**was, **would_be}):
            before, after = was.get(place), would_be.get(place)
            if before is None or after is None or _wish(before) != _wish(after):
                self._note(place, before, after)

    def _note(self, place: tuple[int, int], before: Decision | None, after: Decision | None) -> None:
        self.count += 1
        if len(self.first) < self.room:
            seq, instrument = place
            self.first.append(Differing(seq, self.names.instrument(instrument), self._said(before), self._said(after)))

    def _said(self, decision: Decision | None) -> str | None:
        return None if decision is None else in_words(decision, self.names)


def decisions_of(commit: Commit) -> Mapping[tuple[int, int], Decision]:
    """The last decision by (seq, instrument)."""
    bodies = ((event.seq, event.body) for event in commit.events)
    return {(seq, body.instrument): body for seq, body in bodies if isinstance(body, Decision)}


def _wish(decision: Decision) -> tuple[float | None, ...]:
    return decision.target, *(getattr(decision, name) for name in PRICES)
