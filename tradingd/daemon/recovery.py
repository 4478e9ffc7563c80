"""Recovery, the only way to start: the state from the journal, by snapshot and re-execution where code and settings are
the same, else the ledger by folding facts and memory by warming up."""

from dataclasses import dataclass

from msgspec.structs import replace

from tradingd.compare import first_difference
from tradingd.core.memory import Library
from tradingd.core.settings import CoreSettings, decode_settings
from tradingd.core.snapshot import decode_snapshot, restore_snapshot, taken_by
from tradingd.core.state import State, initial_state
from tradingd.core.warmup import warm_state
from tradingd.events import AnyBody, Resumption, RunStarted
from tradingd.journal.reader import JournalReader
from tradingd.reducers.ledger import Ledger
from tradingd.rerun import Rerun, books_of, past

WARM_ROWS = 1_000_000
COUNTED_IN = ("lot_size", "multiplier", "currency")


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
    """The settings with the journal's instruments where the journal has them, and with its accounts: an index never
    changes its meaning, and money does not vanish."""
    if previous is None:
        return settings
    known = decode_settings(previous.config)
    instruments = {i.id: i for i in known.instruments} | {i.id: i for i in settings.instruments}
    accounts = {a.currency: a for a in known.accounts} | {a.currency: a for a in settings.accounts}
    return replace(settings, instruments=tuple(instruments.values()), accounts=tuple(accounts.values()))


def continued_sources(feeds: list[str], previous: RunStarted | None) -> tuple[str, ...]:
    """Feed names where the journal has them, new ones after them."""
    return tuple(dict.fromkeys([*(previous.sources if previous else ()), *feeds]))


def recover(reader: JournalReader, settings: CoreSettings, library: Library, identity: Identity) -> Recovered:
    """Raises RecoveryError, JournalDamaged, StrategyError."""
    if reader.last_seq == 0:
        return Recovered(initial_state(settings, library), Resumption.FRESH)
    state = _from_snapshot(reader, settings, library, identity)
    if all(_made_by(identity, run.body) for run in reader.events(RunStarted) if state is None or run.seq > state.seq):
        return Recovered(_forward(reader, state), Resumption.REBUILT)
    return _warmed(reader, settings, library)


def _made_by(identity: Identity, run: AnyBody) -> bool:
    return isinstance(run, RunStarted) and (run.config_digest, run.code_digest) == (identity.config, identity.code)


def _from_snapshot(reader: JournalReader, settings: CoreSettings, library: Library, identity: Identity) -> State | None:
    """The newest snapshot, if the same code took it with the same settings."""
    newest = reader.newest_snapshot()
    if newest is None or taken_by(newest[1]) != (identity.config, identity.code):
        return None
    return restore_snapshot(decode_snapshot(newest[1]), settings, library)


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
    books = books_of(reader.commits, reader.last_seq)
    _check_meaning(books.ledger, books.settings, settings)
    first = max(1, reader.last_seq + 1 - WARM_ROWS)
    state = warm_state(settings, library, books, past(reader.commits, first, reader.last_seq))
    state.seq = reader.last_seq
    return Recovered(state, Resumption.WARMED, first)


def _check_meaning(ledger: Ledger, before: CoreSettings, settings: CoreSettings) -> None:
    """What the ledger counts in must stay what it is: money always, lots while there are any. Raises RecoveryError."""
    for account in settings.accounts:
        known = ledger.accounts.get(account.currency)
        if known is not None and known.units_per_one != account.units_per_one:
            raise RecoveryError(
                f"the account in {account.currency} is counted in 1/{known.units_per_one} in this journal, the config "
                f"says 1/{account.units_per_one}; set the unit back, or start a new journal"
            )
    for index, (was, is_now) in enumerate(zip(before.instruments, settings.instruments, strict=False)):
        changed = [name for name in COUNTED_IN if getattr(was, name) != getattr(is_now, name)]
        if changed and (ledger.lots(index) or any(o.request.instrument == index for o in ledger.orders.values())):
            raise RecoveryError(
                f"{was.id}: {changed[0]} was {getattr(was, changed[0])} and is {getattr(is_now, changed[0])} now, but "
                "a position or an order is open; set it back, flatten, then change it"
            )
