"""Recovery, the only way to start: the state from the journal, by snapshot and re-execution where code and settings are
the same, else the ledger by folding facts and memory by warming up."""

from collections.abc import Callable
from dataclasses import dataclass

from tradingd.commit import Commit
from tradingd.compare import first_difference
from tradingd.core.memory import Library
from tradingd.core.settings import CoreSettings, decode_settings
from tradingd.core.snapshot import decode_snapshot, restore_snapshot
from tradingd.core.state import State, initial_state
from tradingd.core.warmup import warm_state
from tradingd.events import Resumption, RunStarted
from tradingd.journal.reader import JournalReader
from tradingd.reducers.ledger import Ledger, open_ledger
from tradingd.rerun import Rerun, fold, past

WARM_ROWS = 1_000_000


class RecoveryError(Exception):
    """The journal does not re-execute to what it says; one line with the first difference."""


@dataclass(frozen=True, slots=True)
class Identity:
    """What has to be equal for recorded inputs to give the same facts again."""

    config: str
    code: str


@dataclass(frozen=True, slots=True)
class Recovered:
    state: State
    how: Resumption
    warm_from_seq: int = 0


def continued(settings: CoreSettings, previous: RunStarted | None) -> CoreSettings:
    """The settings with the instruments where the journal has them: an index never changes its meaning."""
    if previous is None:
        return settings
    wanted = {instrument.id: instrument for instrument in settings.instruments}
    known = {instrument.id: instrument for instrument in decode_settings(previous.config).instruments}
    merged = {**known, **wanted}
    return type(settings)(
        **{name: getattr(settings, name) for name in settings.__struct_fields__}
        | {"instruments": tuple(merged.values())}
    )


def continued_sources(feeds: list[str], previous: RunStarted | None) -> tuple[str, ...]:
    """Feed names where the journal has them, new ones after them."""
    return tuple(dict.fromkeys([*(previous.sources if previous else ()), *feeds]))


def recover(reader: JournalReader, settings: CoreSettings, library: Library, identity: Identity) -> Recovered:
    """Raises RecoveryError, JournalDamaged, StrategyError."""
    if reader.last_seq == 0:
        return Recovered(initial_state(settings, library), Resumption.FRESH)
    runs = [event.body for event in reader.events(RunStarted)]
    if (rebuilt := _from_snapshot(reader, settings, library, identity)) is not None:
        return Recovered(_forward(reader, rebuilt), Resumption.REBUILT)
    if all(isinstance(run, RunStarted) and (run.config_digest, run.code_digest) == _pair(identity) for run in runs):
        return Recovered(_forward(reader, None), Resumption.REBUILT)
    return _warmed(reader, settings, library)


def _pair(identity: Identity) -> tuple[str, str]:
    return identity.config, identity.code


def _from_snapshot(reader: JournalReader, settings: CoreSettings, library: Library, identity: Identity) -> State | None:
    """The newest snapshot, if the same code took it with the same settings."""
    newest = reader.newest_snapshot()
    if newest is None:
        return None
    snapshot = decode_snapshot(newest[1])
    return restore_snapshot(snapshot, settings, library) if snapshot.taken_by == _pair(identity) else None


def _forward(reader: JournalReader, state: State | None) -> State:
    """Re-executes what was recorded after `state` (from the start where there is none) and compares it."""
    rerun = Rerun(reader.commits, state)
    for recorded in reader.commits(1 if state is None else state.seq + 1):
        if state is not None and recorded.last_seq <= state.seq:
            continue
        difference = first_difference(recorded, rerun.take(recorded))
        if difference is not None:
            raise RecoveryError(
                f"the journal does not re-execute to itself: {difference.text}; run `trade replay --verify`"
            )
    assert rerun.state is not None
    return rerun.state


def _warmed(reader: JournalReader, settings: CoreSettings, library: Library) -> Recovered:
    ledger = folded_ledger(reader, settings)
    first = max(1, reader.last_seq + 1 - WARM_ROWS)
    state = warm_state(settings, library, ledger, past(reader.commits, first, reader.last_seq))
    state.seq = reader.last_seq
    return Recovered(state, Resumption.WARMED, first)


def folded_ledger(
    reader: JournalReader, settings: CoreSettings, until: Callable[[Commit], bool] | None = None
) -> Ledger:
    """The ledger from facts alone, up to the first commit for which `until` holds."""
    ledger = open_ledger(settings.accounts)
    for commit in reader.commits():
        if until is not None and until(commit):
            break
        fold(ledger, settings, commit)
    return ledger
